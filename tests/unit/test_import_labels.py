"""Import Labels: the labels that a marker names become round 0, once, or the batch stops before people are asked."""

import json

import boto3
import pytest
from batch_rounds import merge
from handling import PREFIX, handle, mark, registered, upload
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box
from labelloop.store import storage
from made_up_stack import BUCKET
from supplied_labels import NAMES, imported, lines, record

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


def test_supplied_labels_become_round_zero_and_a_bad_line_costs_one_line() -> None:
    upload(3)
    names = [f"{number:02d} ü+%20.png" for number in range(3)]
    lines = [Annotation(name, None, 64, 48, (Box("head", 1, 2, 3, 4),), True, "", "").to_line() for name in names[:2]]
    lines += [Annotation(names[2], None, 640, 480, (), True, "", "").to_line(), "not json", lines[0]]
    storage.write(f"{PREFIX}labels.manifest", "\n".join(lines).encode())
    state = registered(mark(b'{"labels": "labels.manifest"}'))
    batch = state["batch"]["id"]
    imported = handle("import_labels", batch_id=batch, labels_uri=state["batch"]["labels_uri"])
    assert imported == {"labels": 2, "refused": 2}
    refused = storage.read_lines(f"batches/{batch}/labeling/0/import-errors.jsonl")
    assert [each["line"] for each in refused] == [3, 4] and "640 x 480" in refused[0]["error"]
    merged = merge(batch, 0)
    assert (merged["human"], merged["deferred"], merged["another_round"]) == (2, 1, True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"\x1f\x8b\x08rest", "is compressed"),
        (b"PK\x03\x04rest", "is compressed"),
        (b"\x89PNG\r\n\x1a\n\xff", "not UTF-8 text"),
        (json.dumps({"images": [], "annotations": []}).encode(), "is COCO JSON without 'categories'"),
        (json.dumps({"images": [], "annotations": [], "categories": []}).encode(), "the file is empty"),
        (json.dumps({"shapes": [], "imagePath": "x"}).encode(), "LabelMe JSON"),
        (b"<annotation></annotation>", "not JSON"),
        (lines(record("elsewhere.png")), "no readable image of this batch has that source-ref"),
        (lines(record(human=False)), "a machine made this label"),
    ],
)
def test_where_nothing_can_be_imported_the_batch_stops_before_people_are_asked(body, said) -> None:
    told = imported(body)
    assert said in told.get("error", "") and "Nobody was asked" in told["error"], told
    assert storage.find_lines(Files(told["batch"]).decisions(0)) is None


def test_a_batch_that_goes_on_later_does_not_need_its_manifest_any_more() -> None:
    told = imported(lines(record(NAMES[0]), record("elsewhere.png")))
    batch, uri = told["batch"], f"s3://{BUCKET}/{PREFIX}labels.manifest"
    merge(batch, 0)
    before = storage.read_json(Files(batch).imported)
    storage.write(f"{PREFIX}labels.manifest", lines(record("elsewhere.png")))
    assert handle("import_labels", batch_id=batch, labels_uri=uri) == {"labels": 1, "refused": 1}
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=f"{PREFIX}labels.manifest")
    assert handle("import_labels", batch_id=batch, labels_uri=uri) == {"labels": 1, "refused": 1}
    assert storage.read_json(Files(batch).imported) == before


def test_more_labels_than_can_be_merged_in_time_are_refused_before_people_are_asked(monkeypatch) -> None:
    monkeypatch.setattr("labelloop.contracts.limits.MOST_LABELS_IMPORTED", 2)
    told = imported(lines(*(record(name) for name in NAMES[:3])))
    assert "labels.manifest: it has 3 labels, and one batch takes at most 2: name a part" in told["error"]
    assert not told["made"] and "Nobody was asked" in told["error"]


def test_a_restart_goes_on_with_what_was_imported_and_says_so() -> None:
    upload(3)
    storage.write(f"{PREFIX}labels.manifest", lines(record()))
    state = registered(mark(b'{"labels": "labels.manifest"}'))
    given = {"batch_id": state["batch"]["id"], "labels_uri": state["batch"]["labels_uri"]}
    first = handle("import_labels", **given)
    storage.write(f"{PREFIX}labels.manifest", lines(*map(record, NAMES)))
    assert handle("import_labels", **given) == first == {"labels": 1, "refused": 0}
    assert handle("merge_annotations", batch_id=given["batch_id"], round=0)["human"] == 1
    assert storage.read_json(Files(given["batch_id"]).imported)["labels"] == 1


def test_a_coco_file_is_imported_as_a_manifest_is_and_an_odd_image_costs_one_image() -> None:
    images = [{"id": n, "file_name": name, "width": 64, "height": 48} for n, name in enumerate(NAMES[:3])]
    marks = [
        {"id": 1, "image_id": 0, "category_id": 7, "bbox": [1, 2, 30, 40]},
        {"id": 2, "image_id": 1, "category_id": 8, "bbox": [1, 2, 30, 40]},
        {"id": 3, "image_id": 0, "category_id": 7, "bbox": [5, 6, 20, 20], "iscrowd": 1},
    ]
    document = {"images": images, "annotations": marks, "categories": [{"id": 7, "name": "head"}]}
    told = imported(json.dumps(document).encode())
    assert (told["labels"], told["refused"]) == (2, 1)
    (refused,) = storage.read_lines(f"batches/{told['batch']}/labeling/0/import-errors.jsonl")
    assert refused["line"] == 2 and "'category_id' is 8" in refused["error"]
