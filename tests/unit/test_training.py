"""Training jobs: a request SageMaker takes, and results read from an archive nobody has to trust."""

import io
import json
import tarfile

import pytest
from annotation_lines import line, reference
from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.settings import settings
from labelloop.contracts.skeletons import Skeleton, skeleton
from labelloop.engines import training
from labelloop.engines.training import Scores
from labelloop.store import storage
from made_up_models import model, safetensors, tensors_sha256
from training_files import JOB as ASSEMBLED
from training_files import assembled

from local.sagemaker.requests import check, service_model

JOB = "labelloop-train-3-0123abcd"
OLDER = ("calibration", "gold")  # as version 0.1 called the judge images
PREDICTION = {
    "source-ref": reference("a.jpg"),
    "status": "ok",
    "width": 100,
    "height": 60,
    "model": "challenger",
    "boxes": [{"class": "head", "left": 1, "top": 2, "width": 3, "height": 4, "confidence": 0.5}],
}


def archive(*members: tarfile.TarInfo | tuple[str, bytes]) -> str:
    """Writes an archive of files and of members of other kinds into the bucket; returns its URI."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return storage.write(f"training/{JOB}/output/output.tar.gz", body.getvalue())


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def request(**changes):
    places = {"dataset_uri": "s3://b/dataset/", "images_uri": "s3://b/images.manifest", "champion_uri": ""}
    return training.job_request(job=JOB, settings=settings(), image=settings().training_image, **{**places, **changes})


@pytest.mark.parametrize("champion", ["", "s3://data-bucket/models/v000001-aa/model.tar.gz"])
def test_the_request_is_one_sagemaker_takes(environment, champion) -> None:
    asked = request(champion_uri=champion)
    assert check(service_model("sagemaker").operation_model("CreateTrainingJob").input_shape, asked) == []
    channels = [channel["ChannelName"] for channel in asked["InputDataConfig"]]
    assert channels == ["dataset", "images", *(["champion"] if champion else [])]


def test_the_job_has_no_network_and_ends_with_the_state_that_waits_for_it(environment) -> None:
    asked = request()
    assert asked["EnableNetworkIsolation"] is True
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": settings().training_timeout_seconds}
    assert asked["RoleArn"] == settings().training_role_arn


def test_every_hyperparameter_is_text_and_the_classes_are_json(environment) -> None:
    given = request()["HyperParameters"]
    assert all(isinstance(value, str) and value for value in given.values())
    assert json.loads(given["classes"]) == ["head", "bag"] and float(given["learning-rate"]) == 0.004


def test_a_hundred_classes_fit_into_the_request(environment, change_setting) -> None:
    change_setting("CLASSES", ",".join(f"class number {number}" for number in range(100)))
    assert check(service_model("sagemaker").operation_model("CreateTrainingJob").input_shape, request()) == []


@pytest.mark.parametrize("start", ["", "./"])
def test_scores_are_read_from_the_archive_as_the_container_writes_them(aws, start) -> None:
    metrics = {"judge": {"challenger": {"map50": 0.9}, "champion": None}}
    uri = archive(
        (f"{start}metrics.json", json.dumps(metrics).encode()),
        (f"{start}scores/challenger-judge.jsonl", (json.dumps(PREDICTION) + "\n").encode()),
    )
    scores = training.read_scores(uri)
    assert scores.metrics == metrics
    assert [prediction.to_json()["source-ref"] for prediction in scores.of("challenger")] == [PREDICTION["source-ref"]]
    assert scores.of("champion") == []


def test_a_job_without_metrics_broke_its_contract(aws) -> None:
    with pytest.raises(InvalidInputError, match=r"holds no metrics\.json"):
        training.read_scores(archive(("scores/challenger-judge.jsonl", b"")))


def test_a_metric_that_is_no_number_is_missing(aws) -> None:
    stated = b'{"judge": {"challenger": {"map50": NaN, "x": -Infinity}}}'
    scores = training.read_scores(archive(("metrics.json", stated)))
    assert scores == Scores({"judge": {"challenger": {"map50": None, "x": None}}}, {})


def test_a_score_that_breaks_its_contract_names_its_file(aws) -> None:
    uri = archive(("metrics.json", b"{}"), ("scores/challenger-judge.jsonl", b'{"source-ref": 1}\n'))
    with pytest.raises(InvalidInputError, match="source-ref"):
        training.read_scores(uri)


@pytest.mark.fault("H08")
def test_hostile_members_touch_no_file_and_are_not_believed(aws, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    secret = tmp_path / "secret.json"
    secret.write_text('{"stolen": true}')
    uri = archive(
        special("metrics.json", tarfile.SYMTYPE, str(secret)),
        special("./metrics.json", tarfile.LNKTYPE, "secret.json"),
        special("metrics.json", tarfile.FIFOTYPE),
        special("scores", tarfile.DIRTYPE),
        ("../../escaped.jsonl", b""),
        ("/absolute/metrics.json", b'{"wrong": true}'),
        ("scores/../metrics.json", b'{"wrong": true}'),
        ("metrics.json", b'{"right": true}'),
    )
    assert training.read_scores(uri).metrics == {"right": True}
    assert [path.name for path in tmp_path.iterdir()] == ["secret.json"]
    assert not list(tmp_path.parent.parent.rglob("escaped.jsonl"))


@pytest.mark.fault("H08")
def test_a_member_that_would_fill_the_memory_is_refused(aws, monkeypatch) -> None:
    monkeypatch.setattr(training, "MOST_METRICS_BYTES", 1000)
    with pytest.raises(InvalidInputError, match=r"metrics.json has 1001 bytes, at most 1000 are read"):
        training.read_scores(archive(("metrics.json", b" " * 1001)))


def test_large_weights_do_not_hinder_reading_the_description(aws, monkeypatch) -> None:
    monkeypatch.setattr(training, "MOST_METRICS_BYTES", 1000)
    tensors = {"weight": ("F32", (5000,), bytes(20_000))}
    files = model(safetensors(tensors), **{"weights-sha256": None})
    description = training.read_model(archive(*((f"./{name}", body) for name, body in files.items())))[1]
    assert (description.classes, description.weights_sha256) == (("head", "bag"), tensors_sha256(tensors))
    link = special("model.json", tarfile.SYMTYPE, "/etc/passwd")
    with pytest.raises(InvalidInputError, match=r"lacks model\.json"):
        training.read_model(archive(*((name, body) for name, body in files.items() if name != "model.json"), link))


def test_truths_are_the_labels_of_one_channel(aws) -> None:
    storage.write(f"training/{JOB}/dataset/judge.jsonl", (line("a.jpg", role="judge") + "\n").encode())
    (truth,) = training.read_truths(storage.uri(f"training/{JOB}/dataset/"))
    assert truth.source_ref == reference("a.jpg")
    with pytest.raises(storage.MissingObjectError, match=r"judge\.jsonl is not there"):
        training.read_truths(storage.uri(f"training/{JOB}/other/"))


def test_what_a_job_of_version_0_1_was_given_and_wrote_judges_as_a_whole(aws) -> None:
    place = storage.uri(f"training/{JOB}/dataset/")
    for number, name in enumerate(OLDER):
        with pytest.raises(storage.MissingObjectError, match=r"judge\.jsonl is not there"):
            training.read_truths(place)
        storage.write(f"training/{JOB}/dataset/{name}.jsonl", (line(f"{name}.jpg", role=name) + "\n").encode())
        seen = {**PREDICTION, "source-ref": f"s3://b/{number}"}
        storage.write_lines(f"training/{JOB}/scores/champion-{name}.jsonl", [seen])
    assert [truth.source_ref.rpartition("/")[2] for truth in training.read_truths(place)] == [
        f"{name}.jpg" for name in OLDER
    ]
    assert [each.source_ref for each in training.stored_scores(JOB, "champion")] == ["s3://b/0", "s3://b/1"]
    assert training.stored_scores(JOB, "challenger") == []
    seen = Prediction.from_json(PREDICTION)
    scores = Scores({"gold": {"challenger": {"map50": 0.7}}}, {f"challenger-{name}": [seen] for name in OLDER})
    assert (scores.of("challenger"), scores.map50("challenger"), scores.map50("champion")) == ([seen] * 2, 0.7, None)


@pytest.mark.usefixtures("aws")
@pytest.mark.filterwarnings("ignore:No application metrics")
def test_the_truths_of_a_job_are_those_it_was_given() -> None:
    assembled()
    truths = training.read_truths(storage.uri(f"training/{ASSEMBLED}/dataset/"))
    assert [truth.source_ref for truth in truths] == [reference(f"judge ü+{number}.jpg") for number in range(2)]


def test_a_training_of_key_points_is_told_the_skeleton_and_people_are_its_only_class(environment, change_setting):
    change_setting("TASK", "key-points")
    change_setting("KEY_POINTS", "coco-17")
    given = request()["HyperParameters"]
    assert json.loads(given["classes"]) == ["person"]
    assert Skeleton.from_json(json.loads(given["key-points"])) == skeleton("coco-17")
    assert check(service_model("sagemaker").operation_model("CreateTrainingJob").input_shape, request()) == []
    long = skeletons.named([f"point {number} {'x' * 40}" for number in range(80)])
    change_setting("KEY_POINTS", json.dumps(long.to_json()))
    parts = [value for name, value in request()["HyperParameters"].items() if name.startswith("key-points")]
    assert len(parts) > 1 and Skeleton.from_json(json.loads("".join(parts))) == long
