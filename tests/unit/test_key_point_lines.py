"""Key-point labels in manifests: written, read back, told from boxes by their value, refused by field."""

import json

import pytest
from annotation_lines import annotation, reference
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.adjustments import Adjustment
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.manifests import Annotation, Labelled, Unlabelled, read_labeled
from labelloop.contracts.person_boxes import derived_box
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.store import datasets

from tests.support import strategies
from tests.support.strategies import KEY_POINTS

NOSE = KeyPoint("nose", 12.5, 20, "visible", 0.9)
HIDDEN = KeyPoint("left eye", 3, 4, "occluded", 0.5)
OUTSIDE = KeyPoint("right eye", None, None, "outside", 1)
POINTS = (NOSE, HIDDEN, OUTSIDE)
VALUE = {
    "image_size": [{"width": 100, "height": 60, "depth": 3}],
    "annotations": [
        {"class_id": 0, "x": 12.5, "y": 20, "visibility": "visible"},
        {"class_id": 1, "x": 3, "y": 4, "visibility": "occluded"},
        {"class_id": 2, "visibility": "outside"},
    ],
}  # of one person, as earlier versions wrote it
ONE = (Person(derived_box(POINTS, (100, 60)), POINTS, derived=True),)
BOXED = {**VALUE, "people": [{"left": 1, "top": 2, "width": 30, "height": 40}]}
METADATA = {
    "objects": [{"confidence": 0.9}, {"confidence": 0.5}, {"confidence": 1}],
    "class-map": {"0": "nose", "1": "left eye", "2": "right eye"},
    "type": "groundtruth/custom",
    "human-annotated": "yes",
    "creation-date": "2026-11-20T10:00:00.000000",
    "job-name": "j",
}
adjustments = st.none() | st.builds(
    Adjustment,
    st.sampled_from(["adjusted", "unadjusted"]),
    st.dictionaries(st.sampled_from(["untouched", "moved", "added", "visibility-changed"]), st.integers(1, 9)),
)
labels = st.builds(
    Annotation,
    source_ref=st.just("s3://b/k"),
    original_ref=st.none() | st.just("s3://b/o"),
    width=st.integers(1, 999),
    height=st.integers(1, 999),
    marks=strategies.people(),
    human=st.booleans(),
    creation_date=st.sampled_from(["", "2026-11-20"]),
    job_name=st.sampled_from(["", "j"]),
    provenance=st.dictionaries(st.text("ab"), st.integers(), max_size=2),
    extra=st.dictionaries(st.sampled_from(["page", "é\u2028"]), st.sampled_from(["1.50", '{ "a" : 1 }'])),
    task=st.just("key-points"),
    adjustment=adjustments,
)


def line(value=VALUE, metadata=METADATA, name="key-points", **more):
    record = {"source-ref": reference("a.jpg"), name: value, f"{name}-metadata": metadata, **more}
    return json.dumps({key: value for key, value in record.items() if value is not None})


def changed(index, **changes):
    annotations = [dict(each) for each in VALUE["annotations"]]
    annotations[index] = {k: v for k, v in {**annotations[index], **changes}.items() if v is not None}
    return {**VALUE, "annotations": annotations}


@given(labels, st.sampled_from([(), KEY_POINTS, KEY_POINTS[::-1]]))
def test_a_key_point_label_survives_its_line(label, names):
    written = label.to_line(names)
    assert Annotation.from_line(written) == label
    assert Annotation.from_line(written).to_line(names) == written
    assert read_labeled(written, "key-points") == Labelled(label)


def test_a_key_point_line_has_the_documented_shape():
    label = Annotation(
        "s3://b/k", None, 100, 60, (Person(Box("person", 1, 2, 30.5, 40, 0.8), POINTS, area=70.0),), True,
        "2026-11-20", "j", {"round": 1}, {"page": "1.50"}, "key-points", Adjustment("adjusted", {"moved": 1}),
    )  # fmt: skip
    assert label.to_line(KEY_POINTS) == (
        '{"source-ref":"s3://b/k","key-points":{"image_size":[{"width":100,"height":60,"depth":3}],"annotations":['
        '{"class_id":0,"x":12.5,"y":20,"visibility":"visible","person":0},'
        '{"class_id":1,"x":3,"y":4,"visibility":"occluded","person":0},'
        '{"class_id":2,"visibility":"outside","person":0}],'
        '"people":[{"left":1,"top":2,"width":30.5,"height":40,"area":70,"confidence":0.8}]},"key-points-metadata":{"objects":[{"confidence":0.9},'
        '{"confidence":0.5},{"confidence":1}],"class-map":{"0":"nose","1":"left eye","2":"right eye"},'
        '"type":"groundtruth/custom","human-annotated":"yes","creation-date":"2026-11-20","job-name":"j",'
        '"adjustment-status":"adjusted","adjustments":{"moved":1}},"provenance":{"round":1},"page":1.50}'
    )


@pytest.mark.parametrize("name", ["key-points", "human-key-points", "proposed-key-points", "anything"])
def test_the_value_says_that_it_holds_key_points(name):
    result = read_labeled(line(name=name), name)
    assert result.annotation.people == ONE
    assert result.annotation.boxes == () and result.annotation.extra == {}


def test_the_answer_of_a_custom_task_is_read_with_the_names_of_the_task():
    value = {**VALUE, "objects": METADATA["objects"], "workers": 2, "agreement": 0.9}
    metadata = {"type": "groundtruth/custom", "human-annotated": "yes", "job_name": "j", "creation_date": "2026"}
    result = read_labeled(line(value, metadata, "human-key-points"), "human-key-points", KEY_POINTS)
    assert result.annotation.people == ONE


def test_the_key_point_attribute_of_a_line_from_elsewhere_is_found():
    proposed = {"proposed-key-points": VALUE, "proposed-key-points-metadata": METADATA}
    verdict = {"verified": {"verdict": "accept"}, "verified-metadata": {"type": "groundtruth/custom"}}
    result = read_labeled(line(name="face", **proposed, **verdict), None)
    assert result.annotation.people == ONE
    assert list(result.annotation.extra) == list(verdict)
    assert read_labeled(line(None, None, **proposed), None) == Unlabelled(reference("a.jpg"))
    with pytest.raises(InvalidInputError, match="face, boxes"):
        boxes = json.loads(annotation().to_line())
        read_labeled(line(name="face", **{name: boxes[name] for name in ("boxes", "boxes-metadata")}), None)


def test_a_dataset_of_key_points_is_counted_and_merged():
    human = Annotation.from_line(line(provenance={"role": "train"})).to_line()
    machine = line(metadata={**METADATA, "human-annotated": "no"})
    assert datasets.is_human(human) and not datasets.is_human(machine)
    assert datasets.merge([human], [machine]) == [human]
    assert datasets.count_labels([human]) == {**dict.fromkeys(("auto", "judge"), 0),
                                              "images": 1, "human": 1, "train": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (changed(0, visibility="hidden"), "visibility"), (changed(1, visibility=None), "visibility"),
        (changed(0, x=None), "x"), (changed(0, y="20"), "y"), (changed(0, x=True), "x"), (changed(2, x=1), "x"),
        (changed(2, y=1), "y"), (changed(0, class_id=7), "class_id"), (changed(1, class_id=0), "class_id"),
        ({**VALUE, "image_size": []}, "image_size"), ({**VALUE, "annotations": [VALUE["annotations"][0], 1]}, "annot"),
        ({**VALUE, "class-map": []}, "class-map"), (changed(0, x=1e300), "x"), (changed(1, person=1), "people"),
        (changed(1, person=-1), "person"), (changed(1, person="x"), "person"), ({**BOXED, "people": 1}, "people"),
        ({**BOXED, "people": []}, "person"), ({**BOXED, "people": [1]}, "people"),
        ({**BOXED, "people": [{"left": 1, "top": 2, "width": 30}]}, "height"),
        ({**BOXED, "people": [{**BOXED["people"][0], "derived": 1}]}, "derived"),
        ({**BOXED, "people": [{**BOXED["people"][0], "area": -1}]}, "area"),
        ({**BOXED, "people": [{**BOXED["people"][0], "confidence": 2}]}, "confidence"),
    ],
)  # fmt: skip
def test_a_wrong_field_of_a_key_point_is_named(value, field):
    if value.get("class-map") == []:
        value = {**value, "class-map": [1]}
    with pytest.raises(InvalidInputError, match=f"field '{field}|fields '{field}"):
        Annotation.from_line(line(value))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=6,
)


@given(
    json_values,
    st.sampled_from(
        ["class_id", "x", "y", "visibility", "annotations", "image_size", "key-points", "people", "person"]
    ),
)
def test_any_json_in_a_key_point_line_is_read_or_refused_cleanly(value, field):
    if field == "key-points":
        text = line(value)
    else:
        text = line({**BOXED, field: value} if field in BOXED else changed(0, **{field: value}))
    for attribute in ("key-points", None):
        try:
            read_labeled(text, attribute)
        except InvalidInputError as error:
            assert "field" in str(error)


@pytest.mark.parametrize(
    "point",
    [KeyPoint("nose", 1, 2, "outside"), KeyPoint("nose", 1, None, "visible"), KeyPoint("nose", None, None, "occluded")],
)
def test_a_point_that_contradicts_itself_is_not_written(point):
    with pytest.raises(InvalidInputError, match="'x', 'y'"):
        label_of(point).to_line()


def test_names_that_are_unknown_or_repeated_are_not_written():
    with pytest.raises(InvalidInputError, match="label"):
        label_of(NOSE).to_line(["ear"])
    with pytest.raises(InvalidInputError, match="'nose' twice"):
        label_of(NOSE, NOSE).to_line()


def label_of(*points):
    return Annotation(
        "s3://b/k", None, 9, 9, (Person(Box("person", 1, 1, 5, 5), points),), True, "", "", task="key-points"
    )


def test_a_line_of_earlier_versions_is_of_one_person_whose_box_is_derived():
    assert Annotation.from_line(line()).people == ONE
    nobody = {**VALUE, "annotations": [{"class_id": number, "visibility": "outside"} for number in range(3)]}
    assert Annotation.from_line(line(nobody)).people == ()
    assert Annotation.from_line(line({**VALUE, "annotations": []})).people == ()


def test_a_person_may_be_of_another_class_and_a_point_nobody_labelled():
    person = Person(Box("driver", 1, 2, 3, 4), (KeyPoint("nose", None, None, "unlabelled", 1.0),), derived=True)
    label = Annotation("s3://b/k", None, 9, 9, (person,), True, "", "", task="key-points")
    assert Annotation.from_line(label.to_line()) == label and '"class":"driver","derived":true' in label.to_line()
