import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import (
    Annotation,
    Failed,
    Labelled,
    Unlabelled,
    read_labeled,
    split_lines,
)
from labelloop.contracts.records import Box

from tests.support import strategies
from tests.support.strategies import CLASSES

GROUND_TRUTH = Path(__file__).parents[2] / "../shared/data/aws-fixtures/groundtruth"
SIDES = ("left", "top", "width", "height")
LABEL = {
    "image_size": [{"width": 640, "height": 480, "depth": 3}],
    "annotations": [{"class_id": 0, "left": 1.5, "top": 2, "width": 3, "height": 4}],
}
METADATA = {
    "objects": [{"confidence": 0}], "class-map": {"0": "head"}, "type": "groundtruth/object-detection",
    "human-annotated": "yes", "creation-date": "2026-11-20T10:00:00.000000", "job-name": "labeling-job/j",
}  # fmt: skip
BOX = Box("head", 1.5, 2, 3, 4, 0)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=6,
)
foreign_names = st.text(min_size=1).filter(
    lambda name: name not in ("source-ref", "original-ref", "provenance") and "boxes" not in name
)
annotations = st.builds(
    Annotation,
    source_ref=st.text(st.characters(exclude_categories=["Cs"])),
    original_ref=st.none() | st.just("s3://b/original k.png"),
    width=st.integers(1, 9999),
    height=st.integers(1, 9999),
    marks=strategies.boxes().map(tuple),
    task=st.just("boxes"),
    human=st.booleans(),
    creation_date=st.sampled_from(["", "2026-11-20T10:00:00.000000"]),
    job_name=st.sampled_from(["", "loop-b-r1"]),
    provenance=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.none(), max_size=3
    ),
    extra=st.dictionaries(foreign_names, json_values.map(json.dumps), max_size=3),
)


def line(value=LABEL, metadata=METADATA, name="boxes", **more):
    record = {"source-ref": "s3://b/k", name: value, f"{name}-metadata": metadata, **more}
    return json.dumps({key: value for key, value in record.items() if value is not None})


@given(annotations, st.sampled_from([(), CLASSES, CLASSES[::-1]]))
def test_an_annotation_survives_its_line(annotation, classes):
    written = annotation.to_line(classes)
    assert "\n" not in written
    again = Annotation.from_line(written)
    assert again == annotation
    assert list(again.extra) == list(annotation.extra)
    assert again.to_line(classes) == written


def test_a_line_has_the_documented_shape():
    annotation = Annotation(
        "s3://b/k", "s3://b/o", 640, 480, (Box("head", 1.5, 2.0, 3, 4, 0.25),), False, "2026-11-20", "j",
        {"batch": "b", "round": 1}, {"page": "1.50"},
    )  # fmt: skip
    assert annotation.to_line(["hand", "head"]) == (
        '{"source-ref":"s3://b/k","original-ref":"s3://b/o","boxes":{"image_size":[{"width":640,"height":480,"depth":3}],'
        '"annotations":[{"class_id":1,"left":1.5,"top":2,"width":3,"height":4}]},"boxes-metadata":{"objects":'
        '[{"confidence":0.25}],"class-map":{"0":"hand","1":"head"},"type":"groundtruth/object-detection",'
        '"human-annotated":"no","creation-date":"2026-11-20","job-name":"j"},"provenance":{"batch":"b","round":1},'
        '"page":1.50}'
    )


def test_unknown_attributes_pass_through_byte_for_byte_and_in_order():
    strange = r'"z":1.10,"big":1e5,"é":"\u00e9\ud83d\ude00","half":"\ud800","minus":-0,"n":{ "b" : [1,  2], "a":{} }'
    first, second = strange.split(',"big"')
    known = f'"boxes":{json.dumps(LABEL)},"boxes-metadata":{json.dumps(METADATA)}'
    text = f'{{ {first} , "source-ref":"s3://b/k", {known},"big"{second} }}'
    written = Annotation.from_line(text).to_line()
    assert written.endswith("," + strange + "}")
    assert Annotation.from_line(written).to_line() == written


def test_a_class_that_the_list_lacks_and_a_missing_confidence():
    annotation = Annotation.from_line(line(metadata={**METADATA, "objects": []}))
    assert annotation.boxes[0].confidence is None
    assert '"objects":[{"confidence":1}]' in annotation.to_line()
    with pytest.raises(InvalidInputError, match="label"):
        annotation.to_line(["hand"])


@pytest.mark.parametrize(
    "metadata",
    [
        {**{k: v for k, v in METADATA.items() if k not in ("job-name", "creation-date")},
         "job_name": METADATA["job-name"], "creation_date": METADATA["creation-date"], "type": "groundtruth/custom"},
        {**METADATA, "objects": [{}]},
        {k: v for k, v in METADATA.items() if k != "objects"},
        dict(reversed(METADATA.items())),
    ],
    ids=["underscores", "empty-object", "no-objects", "order"],
)  # fmt: skip
def test_what_real_files_vary_in_is_read_alike(metadata):
    annotation = Annotation.from_line(line(metadata=metadata))
    assert (annotation.boxes[0].label, annotation.boxes[0].left) == ("head", 1.5)
    assert annotation.human
    assert (annotation.job_name, annotation.creation_date) == ("labeling-job/j", "2026-11-20T10:00:00.000000")


@pytest.mark.parametrize("class_id", [0, 0.0, "0"])
def test_class_ids_are_found_in_the_map_by_their_text(class_id):
    value = {**LABEL, "annotations": [{**LABEL["annotations"][0], "class_id": class_id}]}
    assert Annotation.from_line(line(value)).boxes == (BOX,)


def test_class_names_come_from_the_line_or_else_from_the_list():
    without = {k: v for k, v in METADATA.items() if k != "class-map"}
    assert Annotation.from_line(line(metadata=without), classes=["hand"]).boxes[0].label == "hand"
    assert (
        Annotation.from_line(line({**LABEL, "class-map": {"0": "bottle"}}, without), classes=["hand"]).boxes[0].label
        == "bottle"
    )
    assert Annotation.from_line(line(), classes=["hand"]).boxes[0].label == "head"


def test_three_ways_to_end():
    assert isinstance(read_labeled(line(), "boxes"), Labelled)
    assert isinstance(read_labeled(line({**LABEL, "annotations": []}), "boxes"), Labelled)
    failure = {"failure-reason": "ClientError: gone", "human-annotated": "yes"}
    assert read_labeled(line(None, failure), "boxes") == Failed("s3://b/k", "ClientError: gone")
    assert read_labeled(line(None, failure), None) == Failed("s3://b/k", "ClientError: gone")
    assert read_labeled(line({"error": "no usable answer"}), "boxes") == Failed("s3://b/k", "no usable answer")
    assert read_labeled(line(None, None), "boxes") == Unlabelled("s3://b/k")
    assert read_labeled(line(None, None), None) == Unlabelled("s3://b/k")
    with pytest.raises(InvalidInputError, match="nobody labelled it"):
        Annotation.from_line(line(None, None))
    with pytest.raises(InvalidInputError, match="gone"):
        Annotation.from_line(line(None, failure))


def test_the_one_bounding_box_attribute_is_found_and_renamed():
    proposed = {"proposed-boxes": LABEL, "proposed-boxes-metadata": {**METADATA, "human-annotated": "no"}}
    classified = {"kind": 1, "kind-metadata": {"type": "groundtruth/image-classification"}}
    result = read_labeled(line(name="cats", **proposed, **classified), None)
    assert result.annotation.boxes == (BOX,)
    assert list(result.annotation.extra) == ["kind", "kind-metadata"]
    with pytest.raises(InvalidInputError, match="cats, dogs"):
        read_labeled(line(name="cats", **{"dogs": LABEL, "dogs-metadata": METADATA}), None)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("nonsense", "JSON"), ("[]", "line"), ("{}", "source-ref"), ('{"source-ref":\n"s3://b/k"}', "several"),
        (line({**LABEL, "image_size": []}), "image_size"), (line({**LABEL, "image_size": [1]}), "image_size"),
        (line({**LABEL, "image_size": [{"width": 0, "height": 1}]}), "width"), (line([]), "boxes"),
        (line({**LABEL, "annotations": None}), "annotations"), (line({**LABEL, "annotations": [1]}), "annotations"),
        (line({**LABEL, "annotations": [{**LABEL["annotations"][0], "class_id": 3}]}), "class_id"),
        (line({**LABEL, "annotations": [{**LABEL["annotations"][0], "class_id": True}]}), "class_id"),
        (line({**LABEL, "annotations": [{**LABEL["annotations"][0], "width": -1}]}), "width"),
        (line(metadata={**METADATA, "objects": [{"confidence": 7}]}), "confidence"),
        (line(metadata={**METADATA, "class-map": {"0": 1}}), "class-map"),
        (line(metadata={**METADATA, "human-annotated": True}), "human-annotated"),
        (line(metadata=[1]), "boxes-metadata"), (line(provenance=[1]), "provenance"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(text, field):
    with pytest.raises(InvalidInputError, match=field):
        Annotation.from_line(text)


@given(json_values, st.sampled_from(["boxes", "boxes-metadata", "source-ref", "provenance", "original-ref"]))
def test_any_json_in_a_line_is_read_or_refused_cleanly(value, field):
    record = {**json.loads(line()), field: value}
    for attribute in ("boxes", None):
        try:
            read_labeled(json.dumps(record), attribute)
        except InvalidInputError as error:
            assert "field" in str(error)


def test_lines_are_split_at_line_feeds_only():
    strange = Annotation("s3://b/a\u2028b\x85.png", None, 1, 1, (), True, "", "").to_line()
    assert split_lines(f"{strange}\n\n{strange}\r\n") == [strange, strange + "\r"]
    assert Annotation.from_line(split_lines(strange + "\r\n")[0]).source_ref == "s3://b/a\u2028b\x85.png"


# --- files that Ground Truth wrote


def recorded_lines():
    names = ("od-birds-public-workforce/output.manifest", "od-cats-with-images/output.manifest")
    paths = [GROUND_TRUTH / name for name in names] + sorted(
        (GROUND_TRUTH / "od-single-worker-adjustment").glob("*.manifest")
    )
    return [text for path in paths if path.exists() for text in split_lines(path.read_text())]


def test_every_recorded_bounding_box_line_parses_and_survives():
    lines = recorded_lines()
    if not lines:
        pytest.skip("the shared AWS fixtures are not here (../shared/data/aws-fixtures)")
    for text in lines:
        result = read_labeled(text, None)
        assert isinstance(result, Labelled), text[:120]
        annotation = result.annotation
        raw = json.loads(text)
        (attribute,) = [name for name, value in raw.items() if isinstance(value, dict) and "annotations" in value]
        metadata = raw[f"{attribute}-metadata"]
        expected = [
            Box(metadata["class-map"][str(entry["class_id"])], *(entry[side] for side in SIDES), stated["confidence"])
            for entry, stated in zip(raw[attribute]["annotations"], metadata["objects"], strict=True)
        ]
        assert list(annotation.boxes) == expected
        others = {name for name in raw if name not in ("source-ref", attribute, f"{attribute}-metadata")}
        assert {name: json.loads(value) for name, value in annotation.extra.items()} == {n: raw[n] for n in others}
        compact = text.replace('": ', '":')
        assert all(f"{json.dumps(name)}:{value}" in compact for name, value in annotation.extra.items())
        assert Annotation.from_line(annotation.to_line()) == annotation
    assert len(lines) == 154
    assert any(not Annotation.from_line(read_labeled(text, None).annotation.to_line()).boxes for text in lines)
