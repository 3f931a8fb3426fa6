"""Plan Training: one training at a time, on the newest labels, where enough are new."""

import pytest
from chosen_states import chosen
from handling import crown, handle
from labelloop.store import training_lock
from training_files import label, trainer

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def plan(owner: str, **given) -> dict:
    return handle("plan_training", input={"batch_id": "b", "round": 1, **given}, execution=owner)


def test_a_training_is_planned_on_the_newest_labels() -> None:
    version = label()
    planned = plan(trainer("one"))
    assert (planned["status"], planned["dataset_version"], planned["champion"]) == ("train", version, "")
    assert planned["fence"] == 1 and planned["job"].startswith("labelloop-train-1-")
    assert chosen("train_model", "Worth Training?", plan(trainer("one-again"))["status"]) == "Wait For Lock"


def test_planning_twice_plans_the_same_job() -> None:
    label()
    owner = trainer("one")
    assert plan(owner) == plan(owner)


@pytest.mark.fault("H01")
@pytest.mark.parametrize(("train", "judge"), [(1, 2), (3, 0)])
def test_without_enough_new_labels_or_judges_nothing_is_trained_and_the_lock_is_free(train, judge) -> None:
    label(judge=judge, train=train)
    assert chosen("train_model", "Worth Training?", plan(trainer("one"))["status"]) == "Training Not Worth It"
    assert training_lock.take(trainer("two"), 60) is not None


def test_labels_that_have_been_judged_once_do_not_train_again() -> None:
    training_lock.note_training(label(train=3), 3, "job")
    assert plan(trainer("one"))["status"] == "not-worth"


def test_a_given_model_is_adopted_only_while_there_is_no_champion() -> None:
    owner = trainer("one")
    adopting = plan(owner, model_uri="s3://data-bucket/given/model.tar.gz")
    assert adopting["status"] == "adopt" and adopting["job"]
    training_lock.release(owner)
    crown()
    assert plan(trainer("two"), model_uri="s3://data-bucket/given/model.tar.gz")["status"] == "not-worth"
