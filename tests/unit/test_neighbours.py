"""Markers in folders above and below one another: every object has one batch, in whatever order they come."""

import boto3
import pytest
from handling import execution, handle, mark, picture, registered
from labelloop.contracts import naming
from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.contracts.layout import Files
from labelloop.store import ledger, storage
from labelloop.trust import sampling
from made_up_stack import BUCKET

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
DAY, CAMERA, OTHER = "incoming/day1/", "incoming/day1/cam1/", "incoming/day1/cam2/"


@pytest.fixture(autouse=True)
def day(aws) -> None:
    put("cam1/1.png", "cam1/2.png", "cam2/3.png", "4.png")


def put(*names: str) -> None:
    for name in names:
        storage.write(DAY + name, picture(sum(name.encode()) % 200))


def register(prefix: str, name: str, body: bytes = b"{}") -> list[str]:
    """The names, relative to the day, of what the batch of this marker has."""
    state = registered(mark(body, prefix), name)
    return names(state["batch"]["id"])


def names(batch: str) -> list[str]:
    return [line["key"].removeprefix(DAY) for line in storage.read_lines(Files(batch).inventory)]


def finish(prefix: str, delivery: int = 1, status: str = "finished") -> None:
    batch = naming.batch_id(BUCKET, prefix, delivery)
    assert ledger.end_batch(batch, ledger.owner_of(batch), status)


@pytest.mark.fault("K07")
@pytest.mark.parametrize("status", ["running", "finished"])
def test_a_marker_above_gets_what_the_one_below_has_not(status: str) -> None:
    assert register(CAMERA, "one") == ["cam1/1.png", "cam1/2.png"]
    if status == "finished":
        finish(CAMERA)
    assert register(DAY, "two", b'{"count": 4}') == ["4.png", "cam2/3.png"]


@pytest.mark.fault("K07")
def test_a_marker_below_gets_what_the_one_above_has_not() -> None:
    assert register(DAY, "one") == ["4.png", "cam1/1.png", "cam1/2.png", "cam2/3.png"]
    put("cam1/5.png")
    assert register(CAMERA, "two") == ["cam1/5.png"]
    assert register(OTHER, "three") == []


@pytest.mark.fault("K07")
def test_three_levels_and_a_sibling_whose_name_begins_alike() -> None:
    put("cam1/raw/6.png", "cam10/7.png")
    assert register("incoming/day1/cam1/raw/", "one") == ["cam1/raw/6.png"]
    assert register("incoming/day1/cam10/", "two") == ["cam10/7.png"]
    assert register(DAY, "three") == ["4.png", "cam1/1.png", "cam1/2.png", "cam2/3.png"]
    assert register(CAMERA, "four") == []


@pytest.mark.fault("K07")
@pytest.mark.parametrize(("first", "second"), [(DAY, CAMERA), (CAMERA, DAY)])
def test_of_two_at_the_same_time_the_later_waits_until_the_earlier_has_pinned(first, second, monkeypatch) -> None:
    triggers = {prefix: mark(prefix=prefix) for prefix in (first, second)}
    later, draw_sample, refusals = execution("two"), sampling.draw_sample, []

    def meanwhile(*arguments: object) -> list:
        """The earlier has listed its objects and not pinned them; the later comes."""
        monkeypatch.setattr(sampling, "draw_sample", draw_sample)
        try:
            handle("register_batch", event=triggers[second], execution=later)
        except TransientError as error:
            refusals.append(str(error))
        return draw_sample(*arguments)

    monkeypatch.setattr(sampling, "draw_sample", meanwhile)
    registered(triggers[first], "one")
    handle("register_batch", event=triggers[second], execution=later)
    taken = [name for prefix in (first, second) for name in names(naming.batch_id(BUCKET, prefix, 1))]
    assert sorted(taken) == ["4.png", "cam1/1.png", "cam1/2.png", "cam2/3.png"], "each once"
    assert len(refusals) == 1 and naming.batch_id(BUCKET, first, 1) in refusals[0]


@pytest.mark.fault("K07")
def test_one_that_has_claimed_its_batch_and_not_drawn_its_place_is_waited_for_unless_it_died() -> None:
    below = naming.batch_id(BUCKET, CAMERA, 1)
    mark(prefix=CAMERA)
    ledger.delivery_number(BUCKET, CAMERA, "marker")
    ledger.claim_batch(below, dying := execution("dying"), resume=False)
    trigger, living = mark(prefix=DAY), execution("two")
    with pytest.raises(TransientError, match=below):
        handle("register_batch", event=trigger, execution=living)
    boto3.client("stepfunctions").stop_execution(executionArn=dying)
    assert handle("register_batch", event=trigger, execution=living)["batch"]["objects"] == 4


@pytest.mark.fault("K07")
def test_what_a_batch_below_gave_up_goes_to_the_one_above_and_nothing_the_other_way_round() -> None:
    register(CAMERA, "one")
    finish(CAMERA, status="failed")
    assert len(register(DAY, "two")) == 4
    assert ledger.standing(naming.batch_id(BUCKET, CAMERA, 1)) == "superseded"
    finish(DAY, status="failed")
    put("cam1/8.png")
    assert register(CAMERA, "three") == ["cam1/8.png"], (
        "the one above keeps its claim, and goes on when it is restarted"
    )
    assert ledger.standing(naming.batch_id(BUCKET, DAY, 1)) == "given-up"


def test_one_above_that_failed_before_it_had_pinned_anything_claims_nothing() -> None:
    with pytest.raises(InvalidInputError, match="announces 9 images"):
        registered(mark(b'{"count": 9}', DAY))
    finish(DAY, status="failed")
    assert register(CAMERA, "two") == ["cam1/1.png", "cam1/2.png"]


@pytest.mark.fault("K07")
def test_a_marker_below_that_was_deleted_since_still_has_its_objects() -> None:
    register(CAMERA, "one")
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=f"{CAMERA}_READY.json")
    assert register(DAY, "two") == ["4.png", "cam2/3.png"]


@pytest.mark.fault("K07")
def test_the_report_says_which_other_batch_has_what_is_missing() -> None:
    register(DAY, "one")
    state = registered(mark(prefix=CAMERA), "two")
    batch = state["batch"]["id"]
    handle("report_batch", batch_id=batch, execution=execution("three"))
    told = storage.read_json(f"batches/{batch}/summary.json").get("elsewhere")
    assert told == {"count": 2, "batches": [naming.batch_id(BUCKET, DAY, 1)]}
    page = storage.read(f"batches/{batch}/report.html").decode()
    assert "2 files" in page and naming.batch_id(BUCKET, DAY, 1) in page


@pytest.mark.fault("K07")
@pytest.mark.parametrize("order", [(DAY, f"{DAY}/"), (f"{DAY}/", DAY)])
def test_a_folder_without_a_name_lies_within_the_one_before_it(order) -> None:
    put("/x.png", "/y.png")
    had = [name for place in order for name in register(place, f"of-{len(place)}")]
    assert sorted(had) == ["/x.png", "/y.png", "4.png", "cam1/1.png", "cam1/2.png", "cam2/3.png"]
