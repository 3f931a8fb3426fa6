"""Find Missing Predictions: images without one are asked for singly, unless the endpoint is broken."""

import pytest
from batch_rounds import refs
from handling import MODEL, crown, handle, predict, registered, upload
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.store import storage
from made_up_stack import BUCKET

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def test_missing_predictions_are_asked_for_singly_and_at_last_one_at_a_time() -> None:
    upload(4)
    batch = registered()["batch"]["id"]
    crown()
    handle("begin_round", batch_id=batch, round=1)
    predict(batch, 1, dict.fromkeys(refs(batch)[:2], 0.9))
    first = handle("find_missing_predictions", batch_id=batch, round=1, attempt=0)
    assert (first["count"], first["attempt"]) == (2, 1) and first["concurrency"] > 1
    assert len(storage.read_lines(first["requests_key"])) == 2
    second = handle("find_missing_predictions", batch_id=batch, round=1, attempt=1)
    assert (second["count"], second["concurrency"]) == (2, 1)
    *alone, control = storage.read_lines(second["requests_key"])
    assert len(alone) == 2 and control["shard"].startswith("control-1-")
    assert storage.read_lines(storage.own_key(control["uri"]))[0]["source-ref"] == refs(batch)[0]
    assert handle("find_missing_predictions", batch_id=batch, round=1, attempt=2)["count"] == 0
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9), "singly.jsonl")
    assert handle("find_missing_predictions", batch_id=batch, round=1, attempt=0)["count"] == 0


def asked_without_answer(asked: int, found: int, shard_size: int) -> dict:
    """What Find Missing Predictions says at first about a round of so many images."""
    references = [f"s3://{BUCKET}/incoming/many/{number}.png" for number in range(asked)]
    batches.write_shards(Files("many"), "infer-1", [{"source-ref": each} for each in references], shard_size)
    answer = {"status": "ok", "width": 64, "height": 48, "model": MODEL, "boxes": []}
    storage.write_lines(
        f"{Files('many').predictions(1)}00000-0.jsonl", [{"source-ref": each, **answer} for each in references[:found]]
    )
    return dict(handle("find_missing_predictions", batch_id="many", round=1, attempt=0))


@pytest.mark.fault("C13")
@pytest.mark.parametrize(
    ("asked", "found", "singly"),
    [
        (600, 0, 0),
        (600, 99, 0),  # more than 500 are missing
        (600, 100, 500),
        (130, 0, 0),  # two shards, no answer at all
        (130, 128, 2),
        (128, 0, 128),  # one shard: one image may have killed the worker for all of it
    ],
)
def test_images_are_asked_for_singly_where_few_are_missing_but_not_where_the_endpoint_is_broken(
    asked: int, found: int, singly: int
) -> None:
    told = asked_without_answer(asked, found, shard_size=128)
    assert (told["count"], told["attempt"]) == (singly, 1)
    assert len(storage.read_lines(told["requests_key"]) if singly else []) == singly


def test_an_endpoint_that_answers_no_single_image_either_is_not_asked_again() -> None:
    assert asked_without_answer(5, 0, shard_size=128)["count"] == 5
    assert handle("find_missing_predictions", batch_id="many", round=1, attempt=1)["count"] == 0
