"""The demo's figures and page, from a made-up but complete batch of 40 uploads."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from random import Random

import pytest
from labelloop.contracts.errors import ConservationError
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from PIL import Image

from demo import gallery, page, summary
from demo.annotators import Box as TrueBox
from demo.annotators import ImageTruth, Truth
from demo.costs import Prices
from demo.follow import FailedPart
from demo.progress import Training

PREFIX = "incoming/demo/"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICES = Prices(0.08, 0.04, 0.01, 0.0, 0.72, 20.0, 900.0, 15.0)
FIELDS = [
    "images",
    "auto",
    "human",
    "rejected",
    "deferred",
    "sampled",
    "rounds",
    "models_promoted",
    "auto_mean_iou",
    "auto_share",
    "cost",
    "cost_all_human",
    "saving",
    "label_batch",
    "train_model",
    "wall_seconds",
    "peak_memory_mib",
]


def key(number):
    return f"{PREFIX}{number:04d}.jpg"


def label(number, human, boxes, round_number, **provenance):
    told = {"round": round_number, "sampled": human, "model": "" if round_number == 1 else "v000001-aa", **provenance}
    return Annotation(f"s3://b/{key(number)}", None, 320, 240, boxes, human, "2026-11-20T10:00:00.000000", "j", told)


def truth():
    return Truth(("head",), {key(n): ImageTruth(320, 240, (TrueBox("head", 100, 80, 60, 80),)) for n in range(38)})


def outcome():
    """Uploads 0..39: 15 by people in round 1, 5 in round 2, 18 by the model in round 2, the last two are rejected."""
    human = [label(n, True, (Box("head", 100, 80, 60, 80),), 1, role="judge" if n < 5 else "train") for n in range(15)]
    human += [label(n, True, (Box("head", 100, 80, 60, 80),), 2, role="train") for n in range(15, 20)]
    # Half as wide: an overlap of exactly one half.
    auto = [label(n, False, (Box("head", 100, 80, 30, 80, 0.9),), 2) for n in range(20, 37)]
    auto.append(label(37, False, (), 2))
    rows = [
        {
            "round": 1,
            "model_version": "",
            "auto": 0,
            "human": 15,
            "rejected": 0,
            "deferred": 23,
            "inferred": 0,
        },
        {
            "round": 2,
            "model_version": "v000001-aa",
            "auto": 18,
            "human": 5,
            "rejected": 0,
            "deferred": 0,
            "inferred": 23,
            "audited": 10,
            "corrected": 1,
        },
    ]
    batch = {
        "batch": "demo-1",
        "images": 40,
        "auto": 18,
        "human": 20,
        "rejected": 2,
        "deferred": 0,
        "sampled": 15,
        "rounds": rows,
        "jobs": [
            {"kind": "annotate", "labelled": 15, "rejected": 0, "double-labelled": 2},
            {"kind": "adjust", "labelled": 5, "rejected": 0, "unusable": 1},
            {"kind": "verify", "labelled": 9, "rejected": 1},
        ],
        "promises": [
            {"round": 2, "promise": "Accepted labels reach 0.45.", "missing": "", "attainable": [[0.45, 0.5]]}
        ],
        "people_agreement": {"images": 2, "quality": 0.91},
        "rejected_reasons": {key(38): "empty: no bytes", key(39): "not-an-image: <b>text</b>"},
        "audit": [
            {
                "model": "v000001-aa",
                "auto_labels": 18,
                "images": 12,
                "mean_iou": 0.5,
                "low": 0.4,
                "high": 0.6,
                "sentence": "auto labels: mean quality 0.50 [0.40, 0.60] at 95%, from 12 audited images",
            }
        ],
    }
    trainings = (
        Training("arn:t1", "SUCCEEDED", 1, "Model Promoted", "v000001-aa", True, "the first model", 5, 10, NOON),
        Training("arn:t2", "SUCCEEDED", 2, "Champion Kept", "v000002-bb", False, "not surely better", 5, 15, None),
    )
    return summary.Outcome(
        execution="arn:x",
        status="SUCCEEDED",
        uploaded=tuple(key(n) for n in range(40)),
        batch=batch,
        labels=tuple(human + auto),
        trainings=trainings,
        promoted=("v000001-aa",),
        judge=5,
        scores={"v000001-aa": 0.71234},
        failed_parts=(),
    )


def run():
    files = {"build/demo/summary.json": "every figure"}
    return summary.Run("40 drawn scenes", 0.45, 1, 2, {"loop": 61.2}, 20.04, 123.44, 2222.4, files)


def build(**changed):
    return summary.build(replace(outcome(), **changed), truth(), PRICES, run())


def picture(size=(320, 240)):
    data = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(data, "JPEG")
    return data.getvalue()


def test_what_a_person_did_by_hand_is_told():
    work = {"asked": 12, "answered": 9, "handed_over": 2, "expired": 1, "stopped": 0}
    found = summary.build(outcome(), truth(), PRICES, replace(run(), by_hand=work))
    assert found["by_hand"] == work
    assert page.by_hand(work) == "9 of 12 images labelled, 2 handed over, 1 not in time"
    assert "a person worked by hand (9 of 12 images labelled" in page.render(found, [])
    assert "people were simulated" in page.render(build(), [])


def test_the_summary_has_the_documented_fields_first_and_adds_up():
    found = build()
    assert list(found)[: len(FIELDS)] == FIELDS
    assert found["auto"] + found["human"] + found["rejected"] + found["deferred"] == found["images"] == 40
    assert (found["auto"], found["human"], found["rejected"], found["deferred"]) == (18, 20, 2, 0)
    assert found["auto_share"] == pytest.approx(18 / 38, abs=1e-4)
    assert found["models_promoted"] == 1
    assert found["label_batch"] == {"arn": "arn:x", "status": "SUCCEEDED"}
    assert found["train_model"] == [{"arn": f"arn:t{n}", "status": "SUCCEEDED"} for n in (1, 2)]
    assert [row["judge_map50"] for row in found["rounds"]] == [None, 0.7123]
    assert [row["model_version"] for row in found["rounds"]] == [None, "v000001-aa"]
    json.dumps(found)


def test_the_quality_of_machine_labels_counts_halves_and_misses():
    found = build()
    # 17 labels overlap by one half, one misses the only box.
    assert found["auto_mean_iou"] == pytest.approx(17 * 0.5 / 18, abs=1e-4)
    assert found["human_quality"] == 1
    assert found["auto_quality_histogram"] == [1, 0, 0, 0, 0, 17, 0, 0, 0, 0]
    assert found["audit"][0]["known_quality"] == found["auto_mean_iou"]


def test_an_estimate_of_a_round_stands_beside_the_truth_of_that_rounds_labels():
    row = outcome().batch["audit"][0]
    found = build(batch={**outcome().batch, "audit": [{**row, "round": 2}, {**row, "round": 3}]})["audit"]
    assert found[0]["known_quality"] == build()["auto_mean_iou"] and found[1]["known_quality"] is None


def test_an_empty_label_of_an_empty_picture_is_perfect():
    labels = [*outcome().labels[:-1], label(37, False, (), 2)]
    empty = Truth(("head",), {**truth().images, key(37): ImageTruth(320, 240, ())})
    found = summary.build(replace(outcome(), labels=tuple(labels)), empty, PRICES, run())
    assert found["auto_mean_iou"] == pytest.approx((17 * 0.5 + 1) / 18, abs=1e-4)


def test_a_rendition_is_judged_by_the_truth_of_its_original():
    shown = replace(outcome().labels[20], source_ref="s3://b/canonical/demo/x.png", original_ref=f"s3://b/{key(20)}")
    found = build(labels=(*outcome().labels[:20], shown, *outcome().labels[21:]))
    assert found["auto_mean_iou"] == build()["auto_mean_iou"]


def test_the_cost_is_people_plus_machines_and_all_human_the_same_images():
    found = build()
    # 21 drawings at 0.12, one of no use; two second opinions at 0.04; ten verdicts at 0.09; 23 images in one wake-up;
    # two trainings of a quarter of an hour at 0.72 an hour.
    people = 21 * 0.12 + 2 * 0.04 + 10 * 0.09
    inference, training = (23 / 20 + 900) / 3600 * 0.72, 2 * 0.25 * 0.72
    assert found["cost"] == pytest.approx(people + inference + training, abs=0.006)
    assert found["cost_all_human"] == pytest.approx(38 * 0.12)
    assert found["saving"] == pytest.approx(1 - (people + inference + training) / 4.56, abs=1e-4)
    assert sum(part["amount"] for part in found["cost_parts"]) == pytest.approx(found["cost"], abs=0.006)


def test_where_several_people_label_everything_no_opinion_is_a_second_one():
    twice = build()["cost_parts"][1]
    assert (twice["what"], twice["amount"]) == ("second opinions", 0.08)
    found = summary.build(outcome(), truth(), PRICES, replace(run(), workers=3))
    assert found["cost_parts"][1]["amount"] == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"labels": outcome().labels[1:]},
        {"labels": (*outcome().labels, outcome().labels[0])},
        {"uploaded": outcome().uploaded[1:]},
        {"batch": {**outcome().batch, "deferred": 1}, "labels": outcome().labels[2:]},
    ],
    ids=["label lost", "label twice", "label of nothing", "more left than deferred"],
)
def test_a_batch_that_does_not_add_up_is_refused(broken):
    with pytest.raises(ConservationError):
        build(**broken)


def test_deferred_images_count_and_are_a_problem():
    found = build(batch={**outcome().batch, "deferred": 1, "human": 19}, labels=outcome().labels[1:])
    assert found["deferred"] == 1
    assert found["auto"] + found["human"] + found["rejected"] + found["deferred"] == found["images"]
    assert any("deferred" in problem for problem in found["problems"])


def test_a_report_of_the_batch_that_disagrees_is_a_problem():
    assert build()["problems"] == []
    assert build(batch={**outcome().batch, "auto": 17})["problems"]
    assert build(status="FAILED")["problems"]


def rendered(**changed):
    judged = summary.evaluate.judge(outcome().labels, truth())
    read = {f"s3://b/{key(n)}": picture() for n in range(38)} | {key(38): b"", key(39): b"hello"}
    return page.render(
        build(**changed), gallery.examples(judged, outcome().batch["rejected_reasons"], read.__getitem__)
    )


class Balance(HTMLParser):
    """Tags that must be closed, in order; and every address the page refers to."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.figures = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        self.figures += tag == "figure"
        if tag in ("div", "figure", "table", "svg", "ul", "main", "tbody", "figcaption", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and tag in ("div", "figure", "table", "svg", "ul", "main", "tbody", "figcaption", "rect"):
            assert self.open.pop() == tag


def test_the_page_is_well_formed_and_holds_everything_itself():
    text = rendered()
    reader = Balance()
    reader.feed(text)
    assert reader.open == []
    assert reader.figures == 8 + 8 + 2
    assert all(address.startswith("data:image/jpeg;base64,") for address in reader.addresses)
    assert "http" not in text and "@import" not in text and "url(" not in text


def test_the_page_says_the_claim_and_shows_what_was_asked_for():
    text = rendered()
    assert "Of 40 images, people labelled 20 and the model 18, saving" in text
    assert "auto labels: mean quality 0.50 [0.40, 0.60] at 95%, from 12 audited images" in text
    assert "inside the interval" in text
    assert "not-an-image: &lt;b&gt;text&lt;/b&gt;" in text and "<b>text" not in text
    assert "prefers-color-scheme: dark" in text
    assert "v000002-bb not promoted. not surely better" in text
    assert "What was promised: Accepted labels reach 0.45." in text
    assert "from 10 of the accepted labels" in text and "they corrected 1 of these" in text
    assert "agree at 0.91" in text


def test_failures_and_problems_stand_at_the_top():
    text = rendered(status="FAILED", failed_parts=(FailedPart("Map child", "arn:c", "Lambda.Unknown", "died"),))
    assert re.search(r"<h1>.*ended FAILED.*Map child failed: Lambda.Unknown died.*class=tiles", text, re.DOTALL)


def test_a_batch_without_any_model_is_told_plainly():
    labels = tuple(label(n, True, (), 1, role="train") for n in range(38))
    batch = {**outcome().batch, "auto": 0, "human": 38, "audit": [], "rounds": outcome().batch["rounds"][:1]}
    found = build(labels=labels, batch=batch, trainings=(), promoted=(), scores={})
    assert found["auto_mean_iou"] is None and found["rounds"][0]["judge_map50"] is None
    text = page.render(found, [])
    assert "no machine label was accepted" in text and "No model was trained" in text


def test_examples_are_spread_from_worst_to_best_and_cover_the_reasons():
    random = Random(3)
    labels = [label(n, False, (Box("head", 100, 80, random.uniform(5, 60), 80, 0.9),), 2) for n in range(38)]
    judged = summary.evaluate.judge(labels, truth())
    reasons = {f"{PREFIX}z{n}": f"{reason}: x" for n, reason in enumerate(["empty"] * 10 + ["truncated", "too-small"])}
    shown = gallery.examples(judged, reasons, lambda _: picture((64, 48)))
    values = [float(re.search(r"truth (\d\.\d\d)", each.caption)[1]) for each in shown if each.outcome == "auto"]
    assert len(values) == 8 and values == sorted(values)
    assert values[0] == pytest.approx(min(j.quality for j in judged), abs=0.006)
    assert values[-1] == pytest.approx(max(j.quality for j in judged), abs=0.006)
    rejected = [each.caption for each in shown if each.outcome == "rejected"]
    assert len(rejected) == 8 and {text.partition(":")[0] for text in rejected} == {"empty", "truncated", "too-small"}


def test_files_that_are_no_pictures_or_too_big_get_no_picture():
    big = io.BytesIO()
    Image.new("1", (6000, 4000)).save(big, "PNG")
    assert gallery._data_uri(b"") is None
    assert gallery._data_uri(b"plain text") is None
    assert gallery._data_uri(picture()[:300]) is None
    assert gallery._data_uri(big.getvalue()) is None
    assert gallery._data_uri(picture()).startswith("data:image/jpeg;base64,")
