"""Store Settings: a deployment stores its settings under their hash, or fails with a sentence."""

import hashlib
import json

import pytest
from fake_service import refused
from handling import Context
from labelloop.contracts.skeletons import PRESETS
from labelloop.store import storage
from made_up_stack import SETTINGS

from tests.support.names import COCO, WHOLE_BODY

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.fixture
def deploy(aws, cloudformation):
    """`deploy(request, **changed)`: what Store Settings answers CloudFormation."""
    import store_settings

    def run(kind: str = "Create", before: dict | None = None, **changed: str) -> dict:
        event = {"RequestType": kind, "StackId": "s", "RequestId": "r", "LogicalResourceId": "SettingsDocument"}
        properties = {"ResourceProperties": {"Settings": {**SETTINGS, **changed}}}
        if before is not None:
            properties["OldResourceProperties"] = {"Settings": before}
        store_settings.handler({**event, "ResponseURL": "https://x", **properties}, Context())
        return cloudformation[-1]

    return run


def test_a_deployment_stores_the_document_under_its_hash_and_functions_verify_it(deploy, monkeypatch) -> None:
    from labelloop.store import settings_documents

    told = deploy(CLASSES=COCO)
    sha256 = told["Data"]["Sha256"]
    body = storage.read(f"settings/{sha256}.json")
    assert told["Status"] == "SUCCESS" and hashlib.sha256(body).hexdigest() == sha256
    monkeypatch.setenv("SETTINGS_SHA256", sha256)
    assert settings_documents.deployed_document()["CLASSES"] == COCO
    assert deploy(CLASSES=COCO)["Data"]["Sha256"] == sha256 != deploy(CLASSES="head")["Data"]["Sha256"]
    storage.write(f"settings/{sha256}.json", body.replace(b"person", b"parson"))
    with pytest.raises(RuntimeError, match="were changed"):
        settings_documents.deployed_document()
    monkeypatch.setenv("SETTINGS_SHA256", "0" * 64)
    with pytest.raises(RuntimeError, match=r"cannot be read .* restore the object.* another value"):
        settings_documents.deployed_document()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"CLASSES": "head,head"}, "parameter Classes lists 'head' more than once"),
        ({"CLASSES": "head, head "}, "parameter Classes lists 'head' more than once"),
        ({"CLASSES": " , "}, "CLASSES: expected a comma-separated list of names, found none"),
        ({"KEY_POINTS": "eye,eye (occluded)"}, "parameter KeyPoints has 'eye (occluded)'"),
        ({"SEED": "x"}, "SEED: "),
        ({"CLASSES": "a" * 65}, "parameter Classes has a name of 65 characters"),
        ({"CLASSES": "a\nb"}, "control character"),
    ],
)
def test_a_setting_that_cannot_work_fails_the_deployment_with_a_sentence(deploy, changed, said) -> None:
    told = deploy(**changed)
    assert told["Status"] == "FAILED" and said in told["Reason"]
    assert list(storage.keys("settings/")) == []


@pytest.mark.parametrize(
    "names",
    ['it\'s,a "quoted" one', "Gehäuse,😀,口", "</script>,<b>", "a b,c  d", "{{ x }},{% y %}", "a" * 64, "\\,/,%20"],
)
def test_names_people_use_can_be_deployed_and_read_back(deploy, monkeypatch, names) -> None:
    from labelloop.contracts.settings import Settings
    from labelloop.store import settings_documents

    monkeypatch.setenv("SETTINGS_SHA256", deploy(CLASSES=names)["Data"]["Sha256"])
    read = Settings.from_environment(settings_documents.deployed_document())
    assert list(read.classes) == [name.strip() for name in names.split(",")]


def test_more_names_than_ground_truth_takes_are_told_at_deployment_and_refused_before_a_job(deploy) -> None:
    from labelloop.contracts.errors import InvalidInputError
    from labelloop.contracts.settings import Settings
    from labelloop.people import ground_truth

    built = {"TRAINING_IMAGE": "", "INFERENCE_IMAGE": "repository@sha256:00aa"}
    assert deploy(**built)["Data"]["Notices"] == "none"
    notice = deploy(CLASSES=COCO)["Data"]["Notices"]
    assert "Classes lists 80 names" in notice and "at most 50" in notice
    storage.write("settings/task.json", b'"key-points"')
    assert "KeyPoints lists 133 names" in deploy(TASK="key-points", KEY_POINTS=WHOLE_BODY)["Data"]["Notices"]
    with pytest.raises(InvalidInputError, match="at most 50"):
        ground_truth._check_ready(Settings.from_environment({**SETTINGS, "CLASSES": COCO}))


def test_an_image_that_may_change_under_its_name_is_told_at_deployment(deploy) -> None:
    notice = deploy(TRAINING_IMAGE="repository:latest", INFERENCE_IMAGE="repository@sha256:00aa")["Data"]["Notices"]
    assert "TrainingImage is named by a tag" in notice and "InferenceImage" not in notice
    both = deploy(TRAINING_IMAGE="a", INFERENCE_IMAGE="b:1", CLASSES=COCO)["Data"]["Notices"]
    assert "InferenceImage is named by a tag" in both and "Classes lists 80 names" in both


def test_deleting_the_stack_keeps_the_documents_and_is_never_refused(deploy) -> None:
    sha256 = deploy()["Data"]["Sha256"]
    assert deploy("Delete", CLASSES="head,head")["Status"] == "SUCCESS"
    assert storage.exists(f"settings/{sha256}.json")


def test_whatever_goes_wrong_cloudformation_hears_of_it(deploy, fake_service, monkeypatch) -> None:
    """One that is not answered is waited for, and then nobody knows why."""
    monkeypatch.setattr("store_settings.SECONDS_FOR_A_NEW_ROLE", 0)
    fake_service("s3", put_object=refused("AccessDenied", "no bucket policy lets you"))
    told = deploy()
    assert told["Status"] == "FAILED" and "no bucket policy lets you" in told["Reason"]


def test_a_role_that_was_just_made_has_a_while_until_s3_knows_it(deploy, fake_service, monkeypatch) -> None:
    monkeypatch.setattr("store_settings.SECONDS_BETWEEN_TRIES", 0)
    answers = [refused("AccessDenied"), refused("AccessDenied"), {}, {}]

    def put(**_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    fake_service("s3", put_object=put)
    assert deploy()["Status"] == "SUCCESS" and answers == []


def test_a_refusal_fits_into_what_cloudformation_reads_and_stays_a_sentence(deploy) -> None:
    """Custom resource response objects: at most 4,096 bytes, or nothing of it is seen."""
    names = [f"{'車' * 60}{number}" for number in range(10)]
    twice = ",".join(names + names)
    assert len(twice.encode()) <= 4096, "a parameter holds it"
    told = deploy(CLASSES=twice, KEY_POINTS=twice)
    assert told["Status"] == "FAILED" and "more than once" in told["Reason"]
    assert len(json.dumps(told, ensure_ascii=False).encode()) <= 4096


def test_the_task_of_a_stack_stays_and_a_deployment_that_was_refused_can_be_rolled_back(deploy) -> None:
    people = {"TASK": "key-points", "KEY_POINTS": "head"}
    assert deploy(**people)["Status"] == "SUCCESS"
    told = deploy("Update", before={**SETTINGS, **people})
    assert told["Status"] == "FAILED"
    assert "TASK is boxes, but what this stack has labelled so far is key-points" in told["Reason"]
    assert deploy("Update", before=SETTINGS, **people)["Status"] == "SUCCESS", "CloudFormation goes back"


def test_the_names_of_key_points_stay_and_what_else_a_skeleton_says_may_change(deploy) -> None:
    """Labels, models and judge images of other points would end a training after it has trained."""
    people = {"TASK": "key-points", "KEY_POINTS": "head"}
    assert deploy(**people)["Status"] == "SUCCESS"
    told = deploy("Update", before={**SETTINGS, **people}, **{**people, "KEY_POINTS": "coco-17"})
    assert told["Status"] == "FAILED"
    assert (
        "KEY_POINTS is nose, left_eye, right_eye, left_ear, right_ear, left_shoulder" in told["Reason"]
        and "labelled so far is nose, left_eye, right_eye, left_ear, right_ear: " in told["Reason"]
    )
    others = json.dumps({"names": list(PRESETS["head"].names), "sigmas": [0.05] * 5, "box_factor": 2})
    assert deploy("Update", before={**SETTINGS, **people}, **{**people, "KEY_POINTS": others})["Status"] == "SUCCESS"


def test_a_stack_of_an_older_version_has_the_points_that_it_was_deployed_with(deploy) -> None:
    people = {"TASK": "key-points", "KEY_POINTS": "nose,left-eye,right-eye"}
    told = deploy("Update", before={**SETTINGS, **people}, **{**people, "KEY_POINTS": "head"})
    assert told["Status"] == "FAILED" and "so far is nose, left-eye, right-eye" in told["Reason"]
    assert deploy("Update", before={**SETTINGS, **people}, **people)["Status"] == "SUCCESS"


def test_a_stack_of_an_older_version_is_of_the_task_that_it_was_deployed_with(deploy) -> None:
    told = deploy("Update", before=SETTINGS, TASK="key-points")
    assert told["Status"] == "FAILED" and "so far is boxes" in told["Reason"]
    assert deploy("Update", before=SETTINGS)["Status"] == "SUCCESS"
