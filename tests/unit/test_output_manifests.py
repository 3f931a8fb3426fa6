"""Output manifests as they arrive: untidy ones (F11, F12), and every recorded line of Ground Truth."""

import json
from pathlib import Path

import people
import pytest
from annotation_lines import CLASSES
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.manifests import Annotation, Labelled, Unlabelled, read_labeled, split_lines
from labelloop.contracts.records import Box, dump_line
from labelloop.people.collected import collect
from labelloop.tasks.proposals import proposal_line

GROUND_TRUTH = Path(__file__).parents[2] / "../shared/data/aws-fixtures/groundtruth"
REFS = [f"s3://bucket/{name} \u2028ü.png" for name in "abcdef"]
ASKED = [dump_line(proposal_line(ref, *people.SIZE, None, CLASSES, "")) for ref in REFS]
FAILURE = {"human-boxes-metadata": {"failure-reason": "ClientError: tasks expired", "human-annotated": "yes"}}
ANSWERS = {
    "labelled": people.boxes([Box("head", 1, 2, 3, 4)]),
    "nothing there": people.boxes([]),
    "failed": FAILURE,
    "unlabelled": {},
}


@pytest.mark.fault("F11")
@given(
    st.lists(st.sampled_from(sorted(ANSWERS)), min_size=len(REFS), max_size=len(REFS)),
    st.sets(st.sampled_from(range(len(REFS)))),
    st.sets(st.sampled_from(range(len(REFS)))),
    st.integers(0, 3),
    st.randoms(),
)
def test_f11_lines_are_matched_by_source_ref_however_many_are_absent_cut_off_extra_or_moved(
    answers, absent, cut, extra, random
) -> None:
    lines = [dump_line({**json.loads(line), **ANSWERS[how]}) for line, how in zip(ASKED, answers, strict=True)]
    output = [line[: random.randrange(2, len(line))] if n in cut else line for n, line in enumerate(lines)]
    output = [line for n, line in enumerate(output) if n not in absent]
    stranger = dump_line({"source-ref": "s3://bucket/uninvited.png", **people.boxes()})
    output += [stranger] * extra
    random.shuffle(output)
    found = collect("job", "annotate", "human-boxes", ASKED, split_lines("\n".join(output)), CLASSES)
    expected = {
        ref: how
        for n, (ref, how) in enumerate(zip(REFS, answers, strict=True))
        if how in ("labelled", "nothing there") and n not in absent | cut
    }
    assert {ref: len(label.annotation.boxes) for ref, label in found.labels.items()} == {
        ref: int(how == "labelled") for ref, how in expected.items()
    }
    assert found.unusable == len(cut - absent), "one image for each line that names none"
    assert found.unanswered == len(REFS) - len(expected) - found.unusable and found.strange_lines == extra
    failed_and_whole = any(how == "failed" and n not in absent | cut for n, how in enumerate(answers))
    assert any(why.startswith("ClientError: tasks expired") for why in found.problems) == failed_and_whole


@pytest.mark.fault("F12")
def test_f12_a_failure_reason_is_an_image_without_a_label_and_its_reason_is_kept() -> None:
    lines = [dump_line({**json.loads(ASKED[0]), **FAILURE}), dump_line({**json.loads(ASKED[1]), **people.boxes()})]
    found = collect("job", "annotate", "human-boxes", ASKED[:2], lines, CLASSES)
    assert list(found.labels) == [REFS[1]] and found.unanswered == 1
    assert found.problems == ("ClientError: tasks expired",)


def recorded(*folders: str) -> list[str]:
    paths = [path for folder in folders for path in sorted((GROUND_TRUTH / folder).glob("*output.manifest"))]
    if not paths:
        pytest.skip("the shared AWS fixtures are not here (../shared/data/aws-fixtures)")
    return [line for path in paths for line in split_lines(path.read_text(encoding="utf-8"))]


def meaning(line: str, attribute: str) -> dict[str, object]:
    """Everything a box line says: its boxes with names and confidences, its metadata, and all else as it is."""
    record = json.loads(line)
    value, metadata = record.pop(attribute), record.pop(f"{attribute}-metadata")
    boxes = [
        (metadata["class-map"][str(box["class_id"])], box["left"], box["top"], box["width"], box["height"], stated)
        for box, stated in zip(value["annotations"], metadata["objects"], strict=True)
    ]
    told = {name: said for name, said in metadata.items() if name not in ("class-map", "objects")}
    return {"boxes": boxes, "size": value["image_size"], "metadata": told, "others": record}


def test_every_recorded_box_line_is_read_and_written_without_loss() -> None:
    lines = recorded("od-birds-public-workforce", "od-cats-with-images", "od-single-worker-adjustment")
    assert len(lines) == 154
    for line in lines:
        record = json.loads(line)
        (attribute,) = [name for name, value in record.items() if isinstance(value, dict) and "annotations" in value]
        result = read_labeled(line, None)
        assert isinstance(result, Labelled)
        written = result.annotation.to_line()
        assert meaning(written, "boxes") == meaning(line, attribute)
        assert Annotation.from_line(written).to_line() == written


def test_every_recorded_line_of_another_task_is_passed_through_as_it_is() -> None:
    lines = recorded("ic-birds-2", "ic-birds-worker-responses")
    assert len(lines) == 477 + 302
    ours = {"image_size": [{"width": 9, "height": 9, "depth": 3}], "annotations": []}
    for line in lines:
        source_ref = json.loads(line)["source-ref"]
        assert read_labeled(line, None) == Unlabelled(source_ref)
        labelled = (
            f'{line.rstrip()[:-1]}, "boxes": {json.dumps(ours)}, "boxes-metadata": {{"human-annotated": "yes"}}}}'
        )
        result = read_labeled(labelled, "boxes")
        assert isinstance(result, Labelled)
        assert result.annotation.extra and all(text in line for text in result.annotation.extra.values())
        written = json.loads(result.annotation.to_line())
        assert {name: written[name] for name in json.loads(line)} == json.loads(line)
