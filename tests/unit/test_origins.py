"""A copy has its label from an image with the same bytes, and follows what people correct there."""

from dataclasses import replace

from labelloop.contracts import origins
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box

CLASSES = ("head", "tail")
LOOKED_AT = Annotation(
    "s3://b/1",
    *(None, 64, 48, (Box("head", 1, 2, 30, 20),), True, "2026-11-20T10:00:00", "job"),
    {"batch": "one", "round": 1, "sha256": "aa", "role": "train"},
)
COPY = replace(
    LOOKED_AT, source_ref="s3://b/2", provenance={"batch": "two", "sha256": "aa", **origins.inherited(LOOKED_AT)}
)
CORRECTED = replace(LOOKED_AT, marks=(Box("tail", 5, 6, 7, 8),), provenance={**LOOKED_AT.provenance, "round": 2})


def followed(*labels: Annotation) -> dict[str, Annotation]:
    lines = origins.followed({label.source_ref: label.to_line(CLASSES) for label in labels})
    return {ref: Annotation.from_line(line) for ref, line in lines.items()}


def test_a_copy_says_whose_label_it_has_and_a_copy_of_it_says_the_same() -> None:
    assert origins.origin(COPY) == {"source-ref": "s3://b/1", "batch": "one", "round": 1}
    assert origins.inherited(COPY) == origins.inherited(LOOKED_AT) == {"role": "train", "same-as": origins.origin(COPY)}


def test_a_copy_gets_the_label_that_people_corrected() -> None:
    found = followed(CORRECTED, COPY)["s3://b/2"]
    assert [(box.label, box.left) for box in found.boxes] == [("tail", 5)]
    assert found.provenance["batch"] == "two" and found.provenance["same-as"]["round"] == 2


def test_a_copy_stays_as_it_is_while_nothing_was_corrected_or_the_image_has_other_bytes_by_now() -> None:
    assert followed(LOOKED_AT, COPY)["s3://b/2"].boxes[0].label == "head"
    other = replace(CORRECTED, provenance={**CORRECTED.provenance, "sha256": "bb"})
    assert followed(other, COPY)["s3://b/2"].boxes[0].label == "head"


def test_what_people_said_does_not_give_way_to_the_model() -> None:
    assert followed(replace(CORRECTED, human=False), COPY)["s3://b/2"].boxes[0].label == "head"


def test_what_judged_in_version_0_1_judges():
    assert [origins.role_of({"role": name}) for name in ("train", "calibration", "gold", "judge")] == [
        "train", *["judge"] * 3
    ]  # fmt: skip
    assert origins.role_of({}) == ""
    older = replace(LOOKED_AT, provenance={**LOOKED_AT.provenance, "role": "gold"})
    assert origins.inherited(older)["role"] == "judge"


def test_counts_of_version_0_1_are_counts_of_today():
    card = {"version": "v1", "train": 3, "calibration": 2, "gold": 4}
    assert origins.counts(card) == {"version": "v1", "train": 3, "judge": 6}
    today = {"train": 3, "judge": 6}
    assert origins.counts(today) == origins.counts({**today, "calibration": 0, "gold": 0}) == today
    assert origins.counts({}) == {}
