"""Register Batch: what a marker announces is pinned, once, by one execution."""

import boto3
import pytest
from chosen_states import chosen
from given_up import pinned
from handling import PREFIX, execution, handle, mark, registered, upload
from labelloop.contracts import naming
from labelloop.contracts.errors import InvalidInputError, TransientError
from labelloop.store import ledger
from labelloop.trust import sampling
from made_up_stack import BUCKET

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_a_second_execution_leaves_the_batch_to_the_first() -> None:
    upload(2)
    trigger = mark()
    registered(trigger)
    told = handle("register_batch", event=trigger, execution=execution("two"))
    assert chosen("label_batch", "Already Owned?", told["status"]) == "Batch Already Owned"


@pytest.mark.fault("A03")
def test_a_finished_batch_is_done_and_a_new_marker_brings_only_new_objects() -> None:
    upload(2)
    trigger = mark()
    state = registered(trigger)
    ledger.end_batch(state["batch"]["id"], ledger.owner_of(state["batch"]["id"]), "finished")
    told = handle("register_batch", event=trigger, execution=execution("two"))
    assert chosen("label_batch", "Already Owned?", told["status"]) == "Batch Already Labeled"
    upload(3, first=1)  # 01 again with the same bytes but another version, 02 and 03 new
    again = registered(mark(), "three")
    assert again["batch"]["id"] == state["batch"]["id"] + "-2" and again["batch"]["objects"] == 3


def test_a_marker_that_is_not_there_or_elsewhere_is_refused_by_name() -> None:
    trigger = {"bucket": {"name": BUCKET}, "object": {"key": f"{PREFIX}_READY.json"}}
    with pytest.raises(InvalidInputError, match="there is no marker"):
        handle("register_batch", event=trigger, execution="e")
    mark()
    with pytest.raises(InvalidInputError, match="there is no marker s3://another"):
        handle("register_batch", event={**trigger, "bucket": {"name": "another"}}, execution="e")


def test_an_upload_that_is_not_finished_is_refused_and_can_be_marked_again() -> None:
    upload(1)
    with pytest.raises(InvalidInputError, match="announces 2 images, 1 are there"):
        registered(mark(b'{"count": 2}'))
    give_up()
    upload(1, first=1)
    assert registered(mark(b'{"count": 2}'), "two")["batch"]["objects"] == 2


def give_up(delivery: int = 1) -> None:
    """What Record Failure does at the end of an execution."""
    batch = naming.batch_id(BUCKET, PREFIX, delivery)
    assert ledger.end_batch(batch, ledger.owner_of(batch), "failed")


def test_an_earlier_marker_that_is_started_again_leaves_what_a_later_one_has_pinned() -> None:
    upload(2)
    early = pinned(mark(b'{"count": 3}'))
    with pytest.raises(InvalidInputError, match="announces 3 images, 2 are there"):
        registered(early)
    give_up()
    upload(1, first=2)
    late = registered(pinned(mark(b'{"count": 3}')), "two")
    assert (late["batch"]["id"], late["batch"]["objects"]) == (naming.batch_id(BUCKET, PREFIX, 2), 3)
    again = handle("register_batch", event=early, execution=execution("three"))
    assert chosen("label_batch", "Already Owned?", again["status"]) == "Batch Superseded"
    assert again["successor"] == naming.batch_id(BUCKET, PREFIX, 2)


def test_of_two_markers_at_the_same_time_the_later_waits_until_the_earlier_has_pinned(monkeypatch) -> None:
    upload(3)
    early, late = pinned(mark()), pinned(mark())
    second, draw_sample, refusals = execution("two"), sampling.draw_sample, []

    def meanwhile(*arguments: object) -> list:
        """The earlier has listed its objects and not pinned them; the later comes."""
        with pytest.raises(TransientError, match=naming.batch_id(BUCKET, PREFIX, 1)) as refused:
            handle("register_batch", event=late, execution=second)
        refusals.append(refused)
        return draw_sample(*arguments)

    monkeypatch.setattr(sampling, "draw_sample", meanwhile)
    assert registered(early)["batch"]["objects"] == 3
    monkeypatch.setattr(sampling, "draw_sample", draw_sample)
    assert len(refusals) == 1
    upload(1, first=3)
    assert handle("register_batch", event=late, execution=second)["batch"]["objects"] == 1


def test_a_marker_does_not_wait_for_an_earlier_one_whose_execution_has_died() -> None:
    upload(1)
    early = pinned(mark(b'{"count": 2}'))
    with pytest.raises(InvalidInputError, match="announces 2 images, 1 are there"):
        handle("register_batch", event=early, execution=(first := execution("one")))
    late = pinned(mark())
    with pytest.raises(TransientError, match="try again"):
        handle("register_batch", event=late, execution=(second := execution("two")))
    boto3.client("stepfunctions").stop_execution(executionArn=first)
    assert handle("register_batch", event=late, execution=second)["batch"]["objects"] == 1
