"""Labels that people bring along, as they really are: imported, or refused with a reason; never silently."""

import json

import people
import pytest
from batch_rounds import merge, refs, run_round
from handling import PREFIX, crown, handle, mark, picture, predict, registered, upload
from labelloop.contracts.layout import Files
from labelloop.store import ledger, storage
from made_up_stack import BUCKET
from supplied_labels import NAMES, boxes, imported, lines, record

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
loop = pytest.mark.usefixtures("aws", "ended_labeling_jobs")


def test_many_words_for_one_reason_are_one_row() -> None:
    from labelloop.people import supplied

    names = ("it's me.png", "Zoë's cat.png", "a.png", 'b"c.png', "12.png", "123456.png")
    errors = [f"no readable image of this batch has that source-ref: {name!r}" for name in names]
    assert len({supplied.kind_of(error) for error in errors}) == 1


# --- who is told


@loop
def test_people_hear_what_was_refused_and_why_before_they_answer_and_at_the_end(fake_service) -> None:
    sns = fake_service("sns", publish={})
    fake_service("sagemaker", create_labeling_job={})
    told = imported(lines(record(NAMES[0]), record(NAMES[1], human=False)))
    batch = told["batch"]
    merge(batch, 0)
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    request = {"batch_id": batch, "round": 1, "task_token": "token", "timeout_seconds": 600}
    handle("request_labels", **request, job=1, execution=ledger.owner_of(batch))
    people.answer_round(batch, 1)
    merge(batch, 1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    waits, labelled = [call["Message"] for name, call in sns.calls if name == "publish"]
    for message in (waits, labelled):
        assert "1 supplied labels were imported, 1 lines were refused: a machine made this label" in message
    assert "Estimate for the whole batch: 3 images: at most 3 go to people" in waits


# --- whose labels


@loop
def test_a_machines_label_is_never_imported_as_a_persons() -> None:
    told = imported(lines(record(NAMES[0]), record(NAMES[1], human=False)))
    assert told["labels"] == 1 and "a machine made this label" in told["errors"][0]
    assert [line["source-ref"] for line in told["made"]] == [f"s3://{BUCKET}/{PREFIX}{NAMES[0]}"]


@loop
def test_the_machine_lines_of_an_earlier_batch_are_not_people() -> None:
    upload(5)
    batch = registered()["batch"]["id"]
    crown()
    predict(batch, 1, dict.fromkeys(refs(batch), 0.9))
    run_round(batch, 1)
    handle("report_batch", batch_id=batch, execution=ledger.owner_of(batch))
    shipped = storage.read(Files(batch).annotations).decode()
    machine = shipped.count('"human-annotated":"no"')
    for number in range(5):
        storage.write(f"incoming/moved/{number:02d} ü+%20.png", picture(10 + number))
    storage.write("incoming/moved/labels.manifest", shipped.replace("incoming/week 1/", "incoming/moved/").encode())
    state = registered(mark(b'{"labels": "labels.manifest"}', prefix="incoming/moved/"), "two")
    told = handle("import_labels", batch_id=state["batch"]["id"], labels_uri=state["batch"]["labels_uri"])
    assert machine > 0 and told == {"labels": 5 - machine, "refused": machine}
    merge(state["batch"]["id"], 0)
    handle("report_batch", batch_id=state["batch"]["id"], execution=ledger.owner_of(state["batch"]["id"]))
    summary = storage.read_json(f"{Files(state['batch']['id']).root}/summary.json")
    assert summary["imported"]["refused"] == machine
    (row,) = summary["imported"]["reasons"]
    assert row["count"] == machine and "a machine made this label" in row["reason"] and len(row["lines"]) == machine
    page = storage.read(f"{Files(state['batch']['id']).root}/report.html").decode()
    assert f"{machine} lines were refused" in page and "a machine made this label" in page


# --- what is drawn


@loop
@pytest.mark.parametrize(
    ("box", "said"),
    [
        ({"left": 50, "width": 20}, "a box inside the image"),
        ({"left": 5000, "top": 9000}, "a box inside the image"),
        ({"left": -5}, "inside the image"),
        ({"width": 0}, "greater than 0"),
        ({"height": 0}, "greater than 0"),
        ({"width": 1e6}, "a box inside the image"),
        ({"top": 47, "height": 9}, "a box inside the image"),
        ({"width": 1e-9}, "at least a pixel"),
        ({"left": 63.9, "width": 1}, "at least a pixel"),
        ({"label": "person"}, "must be one of head, bag"),
    ],
)
def test_a_box_that_cannot_be_costs_its_line(box, said) -> None:
    told = imported(lines(record(NAMES[0], box=box), record(NAMES[1])))
    assert told["labels"] == 1 and said in told["errors"][0], told


@loop
@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"7"', "null", "-3"])
def test_a_number_that_is_none_costs_its_line(value) -> None:
    broken = json.dumps(record(NAMES[0])).replace('"width": 30', f'"width": {value}')
    told = imported(broken.encode() + b"\n" + lines(record(NAMES[1])))
    assert told["labels"] == 1 and len(told["errors"]) == 1


IMPOSSIBLE = {
    "without area": ('"width": 0', "left out"),
    "negative": ('"width": -3', "left out"),
    "not a number": ('"width": NaN', "left out"),
    "endless": ('"width": Infinity', "left out"),
    "null": ('"width": null', "left out"),
    "text": ('"width": "7"', "left out"),
    "enormous": ('"width": 1e999', "left out"),
    "over the edge": ('"width": 300', "cut at the edge"),
    "outside": ('"width": 30, "left": 500', "left out"),
}


@loop
@pytest.mark.fault("K06")
@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_one_impossible_box_does_not_cost_the_others_of_its_line_and_is_told(kind) -> None:
    written, said = IMPOSSIBLE[kind]
    whole = record(NAMES[0])
    (box,) = whole["boxes"]["annotations"]
    whole["boxes"]["annotations"] = [{**box, "left": 2}, box, {**box, "left": 3}]
    whole["boxes-metadata"]["objects"] = [{"confidence": 0.1}, {"confidence": 0.2}, {"confidence": 0.3}]
    parts = json.dumps(whole).split('"width": 30')
    assert len(parts) == 4
    text = parts[0] + '"width": 30' + parts[1] + written + parts[2] + '"width": 30' + parts[3]
    told = imported(text.encode() + b"\n" + lines(record(NAMES[1])))
    assert told["labels"] == 2, told
    (line,) = [each for each in told["made"] if each["source-ref"].endswith(NAMES[0])]
    lefts = [each["left"] for each in line["human-boxes"]["annotations"]]
    assert lefts == ([2, box["left"], 3] if said == "cut at the edge" else [2, 3])
    (row,) = storage.read_json(Files(told["batch"]).imported)["mended"]
    assert row["count"] == 1 and row["lines"] == [1] and row["reason"].endswith(f"it was {said}")
    assert "box 1: field '" in row["reason"]
    merge(told["batch"], 0)
    handle("report_batch", batch_id=told["batch"], execution=ledger.owner_of(told["batch"]))
    assert "what was mended" in storage.read(f"{Files(told['batch']).root}/report.html").decode()


@loop
def test_a_line_most_of_whose_boxes_are_impossible_is_of_something_else() -> None:
    whole = record(NAMES[0])
    (box,) = whole["boxes"]["annotations"]
    whole["boxes"]["annotations"] = [box, {**box, "left": 500}, {**box, "top": 400}]
    whole["boxes-metadata"]["objects"] = [{"confidence": 0}] * 3
    told = imported(lines(whole, record(NAMES[1])))
    assert told["labels"] == 1 and "box 1: field" in told["errors"][0]


@loop
def test_a_pixel_over_the_edge_is_cut_and_names_are_spelled_as_the_stack_does() -> None:
    told = imported(lines(record(box={"label": " Head", "left": -0.5, "top": 28, "height": 20.8})))
    (box,) = boxes(told)
    assert (box["left"], box["width"], box["top"] + box["height"]) == (0, 29.5, 48)


@loop
@pytest.mark.fault("K06")
@pytest.mark.parametrize(
    "written",
    [" head", "head\t", "\ufeffhead", "he\u200bad", "HEAD", "white\u00a0 cell", " White  Cell ", "MU\u0308CKE"],
)
def test_a_class_name_means_the_stacks_whatever_blanks_and_unicode_form_it_has(written, change_setting) -> None:
    change_setting("CLASSES", "head,white cell,M\u00fccke")
    told = imported(lines(*(record(name, box={"label": written}) for name in NAMES)))
    assert (told["labels"], told["errors"]) == (3, [])
    meant = {"h": 0, "w": 1, "m": 2}[written.strip(" \ufeff").casefold()[0]]
    assert {box["class_id"] for box in boxes(told)} == {meant}


@loop
@pytest.mark.parametrize("written", ["", " ", "\u200b", "hea d", "cell", "head,white cell"])
def test_a_class_name_that_is_none_of_the_stacks_is_refused(written, change_setting) -> None:
    change_setting("CLASSES", "head,white cell")
    told = imported(lines(*(record(name, box={"label": written}) for name in NAMES)))
    assert told["labels"] == 0 and told["errors"]


@loop
def test_a_label_on_turned_pixels_says_so() -> None:
    told = imported(lines(record(size=(48, 64), box={"width": 9, "height": 9}), record(NAMES[1])))
    assert told["labels"] == 1 and "48 x 64" in told["errors"][0] and "upright" in told["errors"][0]


# --- which label of a line


def chained(**metadata) -> dict:
    first = record()
    adjusted = {"left": 5, "top": 6, "width": 7, "height": 8, "class_id": 0}
    value = {**first["boxes"], "annotations": [adjusted]}
    told = {
        **first["boxes-metadata"],
        "adjustment-status": "adjusted",
        "creation-date": "2026-11-21T10:00:00",
        **metadata,
    }
    return {**first, "adjusted-boxes": value, "adjusted-boxes-metadata": told}


@loop
def test_of_a_chain_of_jobs_the_last_adjustment_is_the_label() -> None:
    told = imported(lines(chained(), {**chained(), "source-ref": NAMES[1]}))
    assert told["labels"] == 2 and {box["left"] for box in boxes(told)} == {5}


@loop
def test_two_labels_that_do_not_tell_which_is_newer_are_refused_and_the_marker_may_say(change_setting) -> None:
    unclear = chained()
    del unclear["adjusted-boxes-metadata"]["adjustment-status"]
    told = imported(lines(unclear, record(NAMES[1])))
    assert told["labels"] == 1 and "boxes, adjusted-boxes" in told["errors"][0] and '"attribute"' in told["errors"][0]


@loop
@pytest.mark.parametrize(("attribute", "left"), [("boxes", 1), ("adjusted-boxes", 5)])
def test_the_marker_names_the_label_to_read(attribute, left) -> None:
    told = imported(lines(chained()), attribute=attribute)
    assert [box["left"] for box in boxes(told)] == [left]


VERIFIED = {"type": "groundtruth/label-verification", "human-annotated": "yes", "creation-date": "2026-11-20T12:00:00"}


@loop
@pytest.mark.parametrize(("said", "labels"), [("bad", 0), ("Needs work", 0), ("", 0), ("good", 1), (" Accept", 1)])
def test_a_label_that_people_verified_as_wrong_is_no_truth(said, labels) -> None:
    checked = {**record(), "checked": "0", "checked-metadata": {**VERIFIED, "class-name": said}}
    told = imported(lines(checked, record(NAMES[1])))
    assert told["labels"] == 1 + labels and len(told["errors"]) == 1 - labels
    assert all("people verified this label as" in error for error in told["errors"])


@loop
def test_what_was_adjusted_after_it_was_verified_as_wrong_counts() -> None:
    told = imported(lines({**chained(), "checked": "0", "checked-metadata": {**VERIFIED, "class-name": "bad"}}))
    assert [box["left"] for box in boxes(told)] == [5]


@loop
@pytest.mark.parametrize("class_map", [None, {}, {"1": "bag"}])
def test_a_class_id_that_the_lines_own_map_does_not_name_means_nothing(class_map) -> None:
    unnamed = record()
    unnamed["boxes-metadata"].pop("class-map")
    unnamed["boxes-metadata"] |= {} if class_map is None else {"class-map": class_map}
    told = imported(lines(unnamed, record(NAMES[1])))
    assert told["labels"] == 1 and "which no class map names" in told["errors"][0]


@loop
def test_a_line_whose_labelling_failed_says_why() -> None:
    failed = {"source-ref": NAMES[0], "boxes-metadata": {**record()["boxes-metadata"], "failure-reason": "Timed out"}}
    assert imported(lines(failed, record(NAMES[1])))["errors"] == ["its labelling failed: Timed out"]


@loop
def test_of_several_different_labels_of_an_image_the_last_counts_and_the_others_are_told() -> None:
    again = [record(box={"left": left}) for left in (5, 5, 7)]
    told = imported(lines(*again, {**again[0], "source-ref": f"s3://{BUCKET}/{PREFIX}{NAMES[0]}"}, record(NAMES[1])))
    assert [box["left"] for box in boxes(told)] == [5, 1]
    assert told["errors"] == [f"line {n} labels the same image again, and the last label counts" for n in (3, 4)]


# --- of one image


@loop
@pytest.mark.fault("K07")
@pytest.mark.parametrize(("left", "labels"), [(9, 2), (1, 3)], ids=["they disagree", "they agree"])
def test_labels_that_disagree_about_the_same_bytes_are_told_and_the_first_counts(left, labels) -> None:
    for name, shade in (("a.png", 10), ("b.png", 20), ("c.png", 10)):
        storage.write(PREFIX + name, picture(shade))
    told = imported(lines(record("c.png"), record("b.png", box={"left": 5}), record("a.png", box={"left": left})), 0)
    assert told["labels"] == labels
    refused = f"line 1 labels an image with the same bytes, 's3://{BUCKET}/{PREFIX}c.png', otherwise, and that counts"
    assert told["errors"] == ([refused] if labels == 2 else [])
    merge(told["batch"], 0)
    assert run_round(told["batch"], 1)["human"] == 3
    made = [
        line for number in (0, 1) for line in storage.find_text_lines(Files(told["batch"]).round_annotations(number))
    ]
    lefts = {record["source-ref"][-5:]: record["boxes"]["annotations"][0]["left"] for record in map(json.loads, made)}
    assert lefts == {"a.png": 1, "b.png": 5, "c.png": 1}
