"""`labelloop export`: a dataset version as a folder for other tools."""

import json
from dataclasses import replace

import pytest
from commands import OUTPUTS, run
from exported_people import HEAD, label
from labelloop.contracts import settings
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.store import datasets, storage
from labelloop.store.settings_documents import body_of, key_of
from made_up_stack import SETTINGS

from cli import exports

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]
BOX = Box("head", 10, 20, 30, 40)
PERSON = Person(Box("person", 10, 20, 30, 40), tuple(KeyPoint(name, 12, 22, "visible") for name in HEAD.names))


@pytest.fixture
def stack(fake_service):
    """A function that deploys a stack with these settings on top of the usual ones."""

    def deploy(**changed):
        body = body_of({**SETTINGS, **changed})
        storage.write(key_of(body), body)
        sha256 = key_of(body).removeprefix("settings/").removesuffix(".json")
        listed = [{"OutputKey": k, "OutputValue": v} for k, v in {**OUTPUTS, "SettingsSha256": sha256}.items()]
        fake_service("cloudformation", describe_stacks={"Stacks": [{"StackName": "labelloop", "Outputs": listed}]})

    return deploy


def publish(*labels: Annotation, names=("head",)) -> str:
    told = [replace(each, provenance={**each.provenance, "sha256": str(n)}) for n, each in enumerate(labels)]
    return datasets.publish([each.to_line(names) for each in told], {})


def export(*arguments):
    settings.deployed.cache_clear()  # publishing asked for those of the tests
    return run("export", *arguments)


def own(number, **marks):
    found = label(number, **marks)
    return replace(found, source_ref=storage.uri(storage.split(found.source_ref)[1]))


def test_boxes_become_a_coco_file(stack, tmp_path):
    stack()
    version = publish(own(1, boxes=(BOX,)), own(2))
    done = export(version, "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "2 images with 1 marks" in done.output
    document = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [image["file_name"] for image in document["images"]] == [f"incoming/a/images/{n}.JPG" for n in (1, 2)]
    assert document["annotations"][0]["bbox"] == [10, 20, 30, 40] and version in document["info"]["description"]


def test_people_become_what_ultralytics_reads(stack, tmp_path):
    stack(TASK="key-points", KEY_POINTS="head")
    publish(own(1, people=(PERSON,)), own(2, people=(), role="judge"), names=HEAD.names)
    done = export("--format", "yolo", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    data = json.loads((out / "data.yaml").read_text().partition("\n")[2])
    assert data["kpt_shape"] == [5, 3]
    (train,), (val,) = ((out / name).read_text().split() for name in ("train.txt", "val.txt"))
    assert train.startswith("./images/1-") and val.startswith("./images/2-")
    texts = {path.name.partition("-")[0]: path.read_text() for path in (out / "labels").iterdir()}
    assert texts["2"] == "" and len(texts["1"].split()) == 5 + 3 * 5
    first = json.loads((out / "images.jsonl").read_text().splitlines()[0])
    assert first["source-ref"].endswith("/1.JPG") and first["image"] == train.removeprefix("./")


@pytest.mark.parametrize("form", list(exports.FORMATS))
def test_pictures_lie_where_the_files_say(stack, tmp_path, form):
    stack()
    publish(own(1, boxes=(BOX,)))
    storage.write("incoming/a/images/1.JPG", b"picture")
    done = export("--format", form, "--images", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    (picture,) = (path for path in (tmp_path / "out").rglob("*") if path.suffix.lower() == ".jpg")
    assert picture.read_bytes() == b"picture"


def test_labels_of_another_task_are_left_out_and_told(stack, tmp_path):
    stack()
    datasets.publish([own(1, boxes=(BOX,)).to_line(["head"]), own(2, people=(PERSON,)).to_line(HEAD.names)], {})
    done = export("--out", str(tmp_path / "out"))
    assert "1 images with 1 marks; 1 labels of another task were left out" in done.output


def test_nothing_is_written_over_and_what_is_unknown_is_refused(stack, tmp_path):
    stack()
    publish(own(1))
    assert export("--out", str(tmp_path)).exit_code == 2
    unknown = export("v000009-00000000", "--out", str(tmp_path / "out"))
    assert (
        unknown.exit_code == 2 and "There is no dataset 'v000009-00000000'; the newest are v000001-" in unknown.output
    )
    assert not (tmp_path / "out").exists()


def test_points_that_a_label_lacks_are_unlabelled_in_their_place(stack, tmp_path):
    stack(TASK="key-points", KEY_POINTS="head")
    publish(own(1, people=(replace(PERSON, points=PERSON.points[3:1:-1]),)), names=HEAD.names)
    assert export("--out", str(tmp_path / "out")).exit_code == 0
    (annotation,) = json.loads((tmp_path / "out" / "annotations.json").read_text())["annotations"]
    assert annotation["keypoints"][2::3] == [0, 0, 2, 2, 0] and annotation["num_keypoints"] == 2


def test_names_that_the_stack_does_not_have_are_refused_before_anything_is_written(stack, tmp_path):
    stack(TASK="key-points", KEY_POINTS="nose,left_eye")
    publish(own(1, people=(PERSON,)), names=HEAD.names)
    done = export("--out", str(tmp_path / "out"))
    assert done.exit_code == 2 and "labelled with 'left_ear', which is none of the stack's names" in done.output
    assert not (tmp_path / "out").exists()
