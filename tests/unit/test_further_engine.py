"""The seam of a further engine: one that only these tests know trains, is compared, registered, deployed and promoted,
and looks at images, while SageMaker refuses everything. What it needs of the product is in docs/house.md.
"""

import pytest
from another_engine import FORBIDDEN, AnotherEngine
from handling import THRESHOLDS, handle, registered, upload
from labelloop import engines
from labelloop.contracts.layout import Files
from labelloop.contracts.predictions import Prediction
from labelloop.engines import models
from labelloop.store import callbacks, immutable, storage, training_lock
from outside_work import ask_for_inference, ask_for_training, heard
from training_files import JOB, assembled, judge, trainer

from cli import rollback

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
TRAINED = f"training/{JOB}/output/trained.json"


@pytest.fixture
def engine(states, fake_service, monkeypatch) -> AnotherEngine:
    """Known, and the one that trains; that is all that the product has to be told."""
    for service, calls in FORBIDDEN.items():
        fake_service(service).answering(**dict.fromkeys(calls, AssertionError(f"{service} was asked")))
    fake_service("sns")
    storage.write_json(TRAINED, {"trained by": "another"})  # as the engine's service, with a role of its own
    engine, known = AnotherEngine([Prediction.from_json(each) for each in judge()], at_once=True), engines.known()
    monkeypatch.setattr(engines, "known", lambda: [*known, engine])
    monkeypatch.setattr(engines, "trainer", lambda: engine)
    return engine


def trained() -> dict[str, str]:
    """A training from its request to the comparison; what Register Model gets."""
    assembled()
    ask_for_training()
    outcome = callbacks.find("training", JOB).outcome
    places = {"dataset_uri": storage.uri(f"training/{JOB}/dataset/"), "job": JOB}
    compared = handle("compare_with_champion", champion="", **places, **outcome.output)
    assert compared["better"], compared["reason"]
    given = {name: compared[name] for name in ("model_version", "comparison_uri")}
    return {"job": JOB, "model_uri": outcome.output["model_uri"], **given}


def promoted() -> str:
    """The version, which serves."""
    version = trained_and_registered()
    owner = trainer("promotes")
    endpoint = {"model_version": version, "endpoint": f"labelloop-{version}", "thresholds_uri": storage.uri(THRESHOLDS)}
    more = {"dataset_version": "v000001-aaaaaaaa", "job": JOB, "train": 3, "fence": training_lock.take(owner, 60)}
    assert handle("promote_model", execution=owner, **endpoint, **more) == {"champion": version}
    return version


def trained_and_registered() -> str:
    given = trained()
    more = {"champion": "", "dataset_version": "v000001-aaaaaaaa", "thresholds_uri": storage.uri(THRESHOLDS)}
    assert handle("register_model", **given, **more) == {"model_package": ""}
    return given["model_version"]


def test_it_trains_and_its_model_is_compared_and_kept_as_it_keeps_models(engine, states) -> None:
    version = trained_and_registered()
    assert engine.asked == [f"train {JOB}", f"publish {version} of arn:project"]
    assert heard(states) == [("send_task_success", "t1")]
    assert callbacks.find("training", JOB).details["engine"] == "another"
    names = {key.rpartition("/")[2] for key in storage.keys(f"models/{version}/")}
    assert names == {"model.json", "metrics.json", "card.json"}
    card = immutable.read_json(f"models/{version}/card.json")
    assert (card["engine"], card["project"]) == ("another", "arn:project") and "image" not in card


def test_what_it_trained_it_deploys_and_serves_and_a_round_names_it(engine) -> None:
    version = promoted()
    endpoint = f"labelloop-{version}"
    waits = {"task_token": "t9", "execution": trainer("deploys"), "timeout_seconds": 600}
    handle("deploy_model", model_version=version, **waits)
    assert engine.asked[2:] == [f"scale {endpoint}", f"deploy {endpoint}"]
    assert models.champion().value["engine"] == "another" == engines.of_version(version).name
    immutable.create_json(THRESHOLDS, {"model": version, "accept": None})
    upload(2)
    batch = registered()["batch"]["id"]
    assert handle("begin_round", batch_id=batch, round=1)["engine"] == "another"
    assert immutable.read_json(Files(batch).round(1))["engine"] == "another"


def test_what_it_answers_at_once_nobody_waits_for(engine, states) -> None:
    asked = ask_for_inference(engine="another")
    assert heard(states) == [("send_task_success", "t1")] and callbacks.find("inference", asked).outcome.ok


def test_one_may_go_back_to_its_version_if_it_is_the_one_that_was_registered(engine) -> None:
    version = promoted()
    rollback._check_archive(version)
    storage.write(f"models/{version}/model.json", b"{}")
    with pytest.raises(Exception, match=r"model\.json"):
        rollback._check_archive(version)


def test_a_model_of_elsewhere_is_taken_in_by_the_engine_that_trains(engine) -> None:
    storage.write_json("given.tar.gz", {"trained by": "another"})  # functions may read models of such names alone
    adopted = handle("adopt_model", model_uri=storage.uri("given.tar.gz"), job=JOB)
    assert adopted["model_version"].startswith("v000001-")
