"""What the demo says of key points: figures against the truth, and pictures with solid and hollow marks."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from labelloop.contracts.label_rules import LabelRule
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.predictions import Prediction
from labelloop.contracts.records import Box, Inspection, KeyPoint, Person, SeenPerson, SeenPoint
from labelloop.contracts.skeletons import PRESETS
from labelloop.contracts.visibility_rules import VisibilityRule
from made_up_models import model, packed
from PIL import Image
from test_demo_report import PRICES, Balance, outcome, run

from demo import gallery, page, people_figures, scores, summary, unseen
from demo.annotators import ImageTruth, Truth
from demo.people_figures import Unseen
from demo.results import Results
from local import stack

HEAD = PRESETS["head"]
SAID = ("visible", "visible", "occluded", "visible", "outside")
PREFIX = "incoming/demo/"


def places(left=100.0):
    return {name: (left + 10 * number, 60.0 + number) for number, name in enumerate(HEAD.names)}


def person(left=100.0, said=SAID):
    points = tuple(
        KeyPoint(name, None if seen in ("outside", "unlabelled") else x, None if seen == "outside" else y, seen)
        if seen != "unlabelled"
        else KeyPoint(name, None, None, seen)
        for (name, (x, y)), seen in zip(places(left).items(), said, strict=True)
    )
    return Person(Box("person", left, 40, 60, 80), points)


def seen_person(left=100.0, said=SAID, sure=0.9):
    confidences = {"visible": (0.9, 0.9), "occluded": (0.9, 0.1), "outside": (0.1, 0.1)}
    told = zip(places(left).items(), said, strict=True)
    points = tuple(SeenPoint(name, x, y, *confidences[seen]) for (name, (x, y)), seen in told)
    return SeenPerson(Box("person", left, 40, 60, 80, sure), points)


def prediction(number, *people):
    return Prediction(f"s3://b/{PREFIX}{number:04d}.jpg", "ok", 320, 240, "v2", marks=people, task="key-points")


def asked(*predictions, people=None, rule=None):
    known = people or (person(),)
    images = {each.source_ref: ImageTruth(320, 240, (), known) for each in predictions}
    return Unseen("v2", rule or LabelRule(0.5), predictions, images)


def test_a_model_that_is_right_has_full_figures():
    found = people_figures.figures(asked(prediction(1, seen_person()), prediction(2, seen_person())), HEAD)
    assert (found["oks_map50"], found["visibility_accuracy"], found["visibility_balanced"]) == (1, 1, 1)
    assert found["visibility_always_visible"] == 0.6 and found["unseen_images"] == 2


def test_people_who_are_no_label_count_for_precision_alone_and_the_points_of_the_missed_are_outside():
    found = people_figures.figures(asked(prediction(1, seen_person(sure=0.4))), HEAD)
    assert found["oks_map50"] == 1
    assert found["visibility_accuracy"] == 0.2 and found["visibility_confusion"]["visible"]["outside"] == 3


def test_visibility_is_told_by_the_models_own_thresholds():
    rule = LabelRule(0.5, visibility=VisibilityRule(t2=dict.fromkeys(HEAD.names, 0.95)))
    found = people_figures.figures(asked(prediction(1, seen_person()), rule=rule), HEAD)
    assert found["visibility_confusion"]["visible"] == {"visible": 0, "occluded": 3, "outside": 0}


def test_a_picture_without_a_prediction_is_missed_and_what_nobody_labelled_does_not_count():
    truth = person(said=("unlabelled", "visible", "occluded", "visible", "outside"))
    unseen_ones = asked(prediction(1, seen_person()), prediction(2), people=(truth,))
    found = people_figures.figures(replace(unseen_ones, predictions=unseen_ones.predictions[:1]), HEAD)
    assert sum(sum(row.values()) for row in found["visibility_confusion"].values()) == 8
    assert 0.4 < found["oks_map50"] < 0.6


def test_without_a_model_the_fields_are_there():
    found = people_figures.figures(None, HEAD)
    assert {name: found[name] for name in people_figures.FIELDS} == dict.fromkeys(people_figures.FIELDS)


# --- summary and page


def of_people(boxed):
    """The made-up batch of boxes as one of people: the machine's labels have one visibility wrong."""
    wrong = (SAID[1], "occluded", *SAID[2:])
    people = (person(said=SAID if boxed.human else wrong),)
    return replace(boxed, task="key-points", marks=people)


def people_truth():
    images = {f"{PREFIX}{n:04d}.jpg": ImageTruth(320, 240, (), (person(),)) for n in range(38)}
    return Truth(("head",), images, skeleton=HEAD)


def built():
    labels = tuple(of_people(label) for label in outcome().labels)
    told = replace(outcome(), labels=labels, unseen=asked(prediction(1, seen_person())))
    found = summary.build(told, people_truth(), PRICES, replace(run(), skeleton=HEAD))
    judged = summary.evaluate.judge(labels, people_truth())
    return found, judged


def test_the_summary_has_the_fields_of_key_points():
    found, _ = built()
    assert found["task"] == "key-points" and found["auto_mean_iou"] is None
    assert found["accepted_quality"] == 0.8 and found["human_quality"] == 1 and found["target"] == 0.45
    assert [found[name] for name in people_figures.FIELDS] == [1, 1, 0.6, 1]
    assert found["auto_share"] > 0 and found["wall_seconds"] > 0
    json.dumps(found)


def test_boxes_have_none_of_them():
    found = summary.build(outcome(), Truth(("head",), {}), PRICES, run())
    assert found["task"] == "boxes" and not set(people_figures.FIELDS) & set(found)
    assert found["accepted_quality"] == found["auto_mean_iou"] is not None


def test_the_page_shows_people_with_solid_and_hollow_marks_and_bones():
    found, judged = built()
    data = io.BytesIO()
    Image.new("RGB", (320, 240)).save(data, "JPEG")
    text = page.render(found, gallery.examples(judged, {}, lambda _: data.getvalue()))
    reader = Balance()
    reader.feed(text)
    assert reader.open == [] and reader.figures == 16
    assert text.count("solid-human") == 8 * 3 + 1 and text.count("hollow-human") == 8 + 1  # and once in the style
    assert text.count("bone-auto'") == 8 * 4 and text.count("class='cross'") == 16 * 4
    assert "quality with the truth 0.80, 1 person" in text and "hollow'></i>occluded point" in text
    assert "OKS mAP50 <b>1.00</b>" in text and "IoU" not in text.partition("<body>")[2]


def test_the_page_of_a_batch_without_a_model_says_so():
    labels = tuple(replace(of_people(label), human=True) for label in outcome().labels)
    batch = {**outcome().batch, "auto": 0, "human": 38, "audit": [], "rounds": outcome().batch["rounds"][:1]}
    told = replace(outcome(), labels=labels, batch=batch, trainings=(), promoted=(), scores={})
    found = summary.build(told, people_truth(), PRICES, replace(run(), skeleton=HEAD))
    assert "No model was trained." in page.render(found, [])


# --- which pictures, and what the last model says of them


class Bucket(Results):
    """Results of a bucket that holds these objects."""

    def __init__(self, objects):
        self.bucket, self.root, self.objects = "b", "batches/b1", objects

    def read(self, key, version=None):
        return self.objects[key]

    def _keys(self, prefix):
        return sorted(key for key in self.objects if key.startswith(prefix))


def line(number, role):
    label = Annotation(f"s3://b/{PREFIX}{number:04d}.jpg", None, 320, 240, (), True, "x", "j", {"role": role})
    return replace(label, marks=(person(),), task="key-points").to_line(HEAD.names)


def lines(*records):
    return "".join(f"{record}\n" for record in records).encode()


def inspected():
    found = [
        Inspection(f"{PREFIX}{n:04d}.jpg", "ok", f"s3://b/{PREFIX}{n:04d}.jpg", sha256="0", width=320, height=240)
        for n in range(3)
    ]
    key, rendition = f"{PREFIX}0003.jpg", "s3://b/canonical/3.png"
    turned = Inspection(key, "ok", rendition, f"s3://b/{key}", sha256="0", width=240, height=320)
    bad = Inspection(f"{PREFIX}0004.jpg", "rejected", "s3://b/x", reason="empty")
    return lines(*(json.dumps(each.to_json()) for each in (*found, turned, bad)))


def test_the_model_is_asked_about_all_pictures_that_nobody_learned_from():
    dataset = lines(line(0, "train"), line(1, "judge"))
    bucket = Bucket({"datasets/v1/manifest.jsonl": dataset, "batches/b1/inspected/a.jsonl": inspected()})
    found = unseen.images(bucket, people_truth(), "v1")
    assert sorted(found) == ["s3://b/canonical/3.png", f"s3://b/{PREFIX}0001.jpg", f"s3://b/{PREFIX}0002.jpg"]
    rendition, known = found["s3://b/canonical/3.png"]
    assert (rendition.width, rendition.height) == (240, 320) and known.people == (person(),)
    assert Annotation.from_line(rendition.to_line()).people == ()


def test_the_last_model_is_the_one_that_serves_at_the_end():
    assert unseen.last_model(["v1", "v2", "v3"], ["v1", "v2"]) == "v2"
    assert unseen.last_model(["v1"], []) == "v1" and unseen.last_model([], []) == ""


def test_its_rule_is_the_newest_that_was_fitted():
    old, new = LabelRule(0.3), LabelRule(0.4, visibility=VisibilityRule({"nose": 0.5}, {"nose": 0.7}))
    fitted = {
        f"models/v2/thresholds/v00000{n}-a.json": json.dumps({"label_rule": rule.to_json()}).encode()
        for n, rule in ((1, old), (2, new))
    }
    assert Bucket(fitted).label_rule("v2") == new
    assert 0 < Bucket({}).label_rule("v2").keep_confidence < 1


ENGINE = """
from labelloop.contracts.records import Box, SeenPerson, SeenPoint
from labelloop.contracts.skeletons import PRESETS
class Engine:
    batch_size, skeleton = 2, PRESETS["head"]
    def predict(self, images):
        points = tuple(SeenPoint(name, 5.0, 5.0, 0.9, 0.9) for name in self.skeleton.names)
        return [[SeenPerson(Box("person", 1, 1, 20, 20, 0.9), points)] for _ in images]
def load(model_dir): return Engine()
"""


def test_the_containers_code_looks_at_the_unseen_pictures(tmp_path, monkeypatch):
    (tmp_path / "stand_in.py").write_text(ENGINE)
    data = io.BytesIO()
    Image.new("RGB", (320, 240)).save(data, "PNG")
    weights = packed(model(classes=["person"], engine="stand_in") | {"architecture.yaml": b"x"})
    keys = [f"{PREFIX}{n:04d}.jpg" for n in range(3)]
    objects = {"models/v2/model.tar.gz": weights, **dict.fromkeys(keys, data.getvalue())}
    monkeypatch.setattr(scores, "subprocess", SimpleNamespace(run=lambda command, **rest: _here(command, tmp_path)))
    asked_about = [Annotation(f"s3://b/{key}", None, 320, 240, (), True, "", "t", task="key-points") for key in keys]
    found = scores.score_models(Bucket(objects), ["v2"], [line(0, "judge")], tmp_path / "work", "v2", asked_about)
    assert [each.source_ref for each in found.predictions] == [each.source_ref for each in asked_about]
    assert found.predictions[0].people[0].points[0].main == 0.9
    assert found.judge["v2"] == pytest.approx(0, abs=1e-9), "of people it is that of their points"


def _here(command, folder):
    """The script in this interpreter, with the stand-in engine."""
    path = os.pathsep.join([str(stack.REPO_ROOT / "containers" / "yolo"), str(folder)])
    environment = {**os.environ, "PYTHONPATH": path, "ENGINE": "stand_in"}
    return subprocess.run([sys.executable, *command[1:]], env=environment, capture_output=True, text=True, check=False)
