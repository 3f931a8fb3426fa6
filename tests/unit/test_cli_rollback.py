"""`labelloop rollback`: a pointer goes back to a version that is whole and serves, once, and on record."""

import json

import pytest
from commands import champion, deploy, notice_subjects, publish, register, run, serve
from handling import execution
from labelloop.engines import models
from labelloop.store import aws, datasets, immutable, ledger, storage, training_lock

from cli import rollback

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.fixture
def two_models(fake_service) -> tuple[str, str]:
    deploy(fake_service, v1="InService", v2="InService")
    first, second = register(1, "none"), register(2, "none")
    champion(second, previous="")
    return first, second


def pointer() -> dict:
    found = models.champion()
    assert found is not None
    return found.value


def rollbacks(kind: str) -> list[dict]:
    rows = ledger.table().scan()["Items"]
    return [json.loads(row["card"]) for row in rows if row["id"].startswith(f"rollback#{kind}#")]


@pytest.mark.fault("H18")
def test_one_command_makes_an_earlier_model_the_champion_and_notes_who_did(two_models) -> None:
    first, second = two_models
    done = run("rollback", "model", first, "--yes")
    assert done.exit_code == 0, done.output
    assert (pointer()["version"], pointer()["previous"]) == (first, second)
    assert pointer()["endpoint"] == f"labelloop-{first}" and pointer()["dataset"] == "v000001-0"
    assert pointer()["thresholds_uri"] == storage.uri(f"models/{first}/thresholds/none.json")
    told = pointer()["rolled_back"]
    assert told["by"].startswith("arn:aws:") and told["from"] == second
    assert rollbacks("model") == [{"version": first, **told}]
    assert notice_subjects() == [f"notice#rollback/model/{told['at']}"]
    assert "keep the model that they began with" in done.output and f"rollback model {second}" in done.output
    assert training_lock.owner() == "", "the training lock is free again"


def test_going_back_and_forward_again_leaves_both_versions_and_two_records(two_models) -> None:
    first, second = two_models
    assert run("rollback", "model", first, "--yes").exit_code == 0
    assert run("rollback", "model", second, "--yes").exit_code == 0
    assert (pointer()["version"], pointer()["previous"]) == (second, first)
    assert models.versions() == sorted(two_models) and len(rollbacks("model")) == 2


@pytest.mark.fault("H18")
def test_a_second_time_nothing_is_done(two_models) -> None:
    first, _ = two_models
    run("rollback", "model", first, "--yes")
    before = models.champion()
    again = run("rollback", "model", first)
    assert again.exit_code == 0 and "Nothing to do" in again.output
    assert models.champion() == before and len(rollbacks("model")) == len(notice_subjects()) == 1


def test_what_a_command_that_died_did_not_note_is_noted_by_the_next(two_models) -> None:
    first, _ = two_models
    run("rollback", "model", first, "--yes")
    for row in ledger.table().scan()["Items"]:
        if row["id"].startswith("rollback#"):
            ledger.table().delete_item(Key={"id": row["id"]})
    run("rollback", "model", first, "--yes")
    assert [each["at"] for each in rollbacks("model")] == [pointer()["rolled_back"]["at"]]


def test_the_thresholds_are_those_of_the_current_dataset_or_the_last_fitted(fake_service) -> None:
    deploy(fake_service, v1="InService", v2="InService")
    dataset = publish("a", "b")
    first = register(1, dataset, "v000000-00000000")
    champion(register(2, "none"))
    run("rollback", "model", first, "--yes")
    assert pointer()["thresholds_uri"] == storage.uri(models.thresholds_key(first, dataset))


def test_without_yes_a_person_is_asked_and_no_means_no(two_models) -> None:
    first, second = two_models
    asked = run("rollback", "model", first, answer="n\n")
    assert asked.exit_code == 2 and "Nothing was changed" in asked.output and pointer()["version"] == second
    assert run("rollback", "model", first, answer="y\n").exit_code == 0
    assert pointer()["version"] == first


def refused(*arguments: str) -> str:
    done = run("rollback", *arguments, "--yes")
    assert done.exit_code == 2 and not isinstance(done.exception, Exception), done.output
    assert "Traceback" not in done.output
    return done.output


def test_an_unknown_version_names_those_that_exist(two_models) -> None:
    told = refused("model", "v000009-00000000")
    assert all(version in told for version in two_models)
    publish("a")
    assert datasets.current_version() in refused("dataset", "v000009-00000000")


@pytest.mark.parametrize("state", ["", "Failed", "Creating", "OutOfService", "Deleting"])
def test_a_version_whose_endpoint_does_not_serve_is_refused(two_models, fake_service, state: str) -> None:
    first, second = two_models
    serve(fake_service, v1=state, v2="InService")
    told = refused("model", first)
    assert f"labelloop-{first} {f'is {state}' if state else 'does not exist'}" in told and second in told
    assert pointer()["version"] == second


def test_an_archive_that_was_changed_is_refused(two_models) -> None:
    first, second = two_models
    storage.write(f"models/{first}/model.tar.gz", b"something else")
    assert "not what was registered" in refused("model", first) and pointer()["version"] == second


def test_an_archive_that_was_copied_over_another_is_refused(two_models) -> None:
    first, second = two_models
    storage.copy(storage.uri(f"models/{second}/model.tar.gz"), f"models/{first}/model.tar.gz")
    assert "not what was registered" in refused("model", first)


@pytest.mark.parametrize("name", ["card.json", "thresholds/none.json", "model.tar.gz"])
def test_a_part_that_was_deleted_is_refused(two_models, name: str) -> None:
    first, second = two_models
    aws.client("s3").delete_object(Bucket=storage.split(storage.uri("x"))[0], Key=f"models/{first}/{name}")
    refused("model", first)
    assert pointer()["version"] == second


def test_a_model_of_other_classes_is_refused(fake_service) -> None:
    deploy(fake_service, v1="InService", v2="InService")
    first = register(1, "none", classes=["bag", "head"])
    champion(register(2, "none"))
    assert "sees the classes bag and head" in refused("model", first)


@pytest.mark.fault("H18")
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_nothing_goes_back_while_a_training_holds_the_lock(two_models, kind: str) -> None:
    first, second = two_models
    versions = {"model": first, "dataset": publish("a")}
    publish("b")
    training = execution("at-work", "TRAIN_MODEL_ARN")
    assert training_lock.take(training, 600)
    assert training in refused(kind, versions[kind])
    assert pointer()["version"] == second and training_lock.owner() == training
    assert datasets.current_version() != versions["dataset"]


def test_of_two_rollbacks_one_waits_and_one_that_was_killed_blocks_for_a_minute_only(two_models) -> None:
    first, _ = two_models
    training_lock.take("rollback by somebody", 60)
    assert "Another rollback by somebody is at work" in refused("model", first)
    training_lock.release("rollback by somebody")
    training_lock.take("rollback by somebody", 0)
    assert run("rollback", "model", first, "--yes").exit_code == 0


def test_no_training_is_planned_while_a_pointer_moves(two_models, monkeypatch: pytest.MonkeyPatch) -> None:
    flip, plans = models.flip, []

    def flip_while_a_training_begins(*given) -> None:
        plans.append(training_lock.take(execution("begins", "TRAIN_MODEL_ARN"), 600))
        flip(*given)

    monkeypatch.setattr(models, "flip", flip_while_a_training_begins)
    assert run("rollback", "model", two_models[0], "--yes").exit_code == 0
    assert plans == [None]


def test_a_champion_that_moved_while_a_person_thought_stays(two_models) -> None:
    first, second = two_models
    plan = rollback.plan_model(first)
    champion(second, previous="somebody else's")
    with pytest.raises(Exception, match="moved meanwhile"):
        rollback.carry_out(plan)
    assert pointer()["previous"] == "somebody else's" and not rollbacks("model") and not training_lock.owner()


@pytest.mark.fault("G11")
def test_the_next_publication_builds_on_the_version_gone_back_to_and_later_ones_stay(fake_service) -> None:
    deploy(fake_service)
    first, second, third = publish("a"), publish("b"), publish("c")
    done = run("rollback", "dataset", first, "--yes")
    assert done.exit_code == 0, done.output
    assert "(1 images)" in done.output and "(3 images)" in done.output and f"build on {first}" in done.output
    assert datasets.current_version() == first
    told = datasets.pointer().value["rolled_back"]
    assert rollbacks("dataset") == [{"version": first, **told}] and told["from"] == third
    after = publish("d")
    assert datasets.card_of(after)["parent"] == first
    names = [json.loads(each)["source-ref"][-1] for each in datasets.current().lines]
    assert names == ["a", "d"]
    assert {first, second, third, after} == set(datasets.versions())
    assert [len(datasets.load(version).lines) for version in (second, third)] == [2, 3]
    assert run("rollback", "dataset", third, "--yes").exit_code == 0
    assert datasets.current_version() == third


@pytest.mark.fault("G11")
def test_labels_that_were_added_again_give_the_version_that_they_gave_before(fake_service) -> None:
    deploy(fake_service)
    first, second = publish("a"), publish("b")
    run("rollback", "dataset", first, "--yes")
    assert publish("b") == second and datasets.current_version() == second


def test_a_training_does_not_first_wait_for_the_labels_that_are_gone(fake_service) -> None:
    deploy(fake_service)
    first, second = publish("a"), publish("b", "c")
    training_lock.note_training(second, 3, "job")
    run("rollback", "dataset", first, "--yes")
    assert training_lock.labels_at_last_training() == 1


def test_a_dataset_that_was_changed_is_refused(fake_service) -> None:
    deploy(fake_service)
    first, second = publish("a"), publish("b")
    storage.write(f"datasets/{first}/manifest.jsonl", b"{}\n")
    assert "not what was registered" in refused("dataset", first)
    assert datasets.current_version() == second


def test_before_the_first_model_or_dataset_there_is_nothing_to_go_back_from(fake_service) -> None:
    deploy(fake_service)
    assert "There is none yet" in refused("model", "v000001-00000000")
    assert "There is none yet" in refused("dataset", "v000001-00000000")
    first = register(1, "none")
    assert "No model serves yet" in refused("model", first)
    immutable.create_json("datasets/v000001-00000000/card.json", {"sha256": ""})
    assert "names no dataset yet" in refused("dataset", "v000001-00000000")
