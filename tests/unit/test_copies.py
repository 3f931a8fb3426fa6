"""The same bytes again, under another name, in another batch or prefix: nobody is asked, or paid, twice."""

import itertools

import boto3
import people
import pytest
from batch_rounds import asked_in, merge, run_round
from handling import MODEL, PREFIX, crown, execution, handle, mark, picture, predict, registered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelloop.batch import batches
from labelloop.contracts.layout import Files
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.person_boxes import one_person
from labelloop.contracts.records import Box, KeyPoint
from labelloop.store import datasets, storage
from made_up_stack import BUCKET
from same_bytes import ELSEWHERE, asked, batch_of, image, labels, line, report

pytestmark = [
    pytest.mark.usefixtures("aws", "ended_labeling_jobs"),
    pytest.mark.filterwarnings("ignore:No application metrics"),
]


@pytest.fixture(autouse=True)
def everybody_is_asked(aws, change_setting) -> None:
    change_setting("HUMAN_BUDGET", "9")


@pytest.mark.fault("K07")
def test_of_copies_in_one_batch_one_is_asked_and_all_get_its_label() -> None:
    batch = batch_of({"a.png": 10, "b.png": 10, "c.png": 20, "sub/d.png": 10})
    merged = run_round(batch, 1)
    assert len(asked(batch)) == 2, "one for each content"
    assert (merged["human"], merged["deferred"]) == (4, 0)
    made = labels(batch)
    assert {len(label.boxes) for label in made.values()} == {len(people.DRAWN)}
    of = [label.provenance.get("same-as") for label in made.values()]
    looked_at = next(name for name in ("a.png", "b.png", "d.png") if "same-as" not in made[name].provenance)
    origin = {"source-ref": made[looked_at].source_ref, "batch": batch, "round": 1}
    assert sorted(map(str, of)) == sorted(map(str, [None, None, origin, origin]))
    assert len({label.provenance["role"] for name, label in made.items() if name != "c.png"}) == 1
    summary = report(batch)
    assert (summary["copies"], summary["human"]) == ({"human": 2, "auto": 0}, 4)
    assert sum(row["asked"] for row in summary["rounds"]) == 2
    assert "2 images have the bytes of another image" in storage.read(f"batches/{batch}/report.html").decode()


@pytest.mark.fault("A10")
@pytest.mark.fault("K07")
@pytest.mark.parametrize(
    ("prefix", "again"),
    [(PREFIX, {"a.png": 10, "b.png": 20}), (PREFIX, {"again.png": 10}), (ELSEWHERE, {"a.png": 10, "x y.png": 20})],
    ids=["the same keys", "another name", "another prefix"],
)
def test_what_people_labelled_before_is_neither_asked_nor_inferred_again(prefix, again) -> None:
    first = batch_of({"a.png": 10, "b.png": 20})
    run_round(first, 1)
    handle("report_batch", batch_id=first, execution=execution("report"))
    crown()
    second = batch_of({**again, "new.png": 30}, prefix, "two")
    begun = handle("begin_round", batch_id=second, round=1)
    shards = [storage.read_lines(storage.own_key(item["uri"])) for item in storage.read_lines(begun["requests_key"])]
    inferred = [line["source-ref"].rpartition("/")[2] for shard in shards for line in shard]
    assert inferred == ["new.png"]
    handle("judge_batch", batch_id=second, round=1)
    assert asked(second) == ["new.png"]
    people.answer_round(second, 1)
    assert merge(second, 1)["human"] == len(again) + 1
    before, made = labels(first), labels(second)
    shades = {10: "a.png", 20: "b.png"}
    for name, shade in again.items():
        original = before[shades[shade]]
        told = made[name].provenance
        assert (made[name].boxes, told["role"]) == (original.boxes, original.provenance["role"])
        assert told["same-as"] == {"source-ref": original.source_ref, "batch": first, "round": 1}
        assert made[name].human and made[name].job_name == original.job_name
    assert report(second)["copies"]["human"] == len(again)


@pytest.mark.fault("K07")
def test_a_copy_of_a_copy_names_the_image_that_people_looked_at() -> None:
    run_round(first := batch_of({"a.png": 10}), 1)
    run_round(batch_of({"b.png": 10}, ELSEWHERE, "two"), 1)
    run_round(third := batch_of({"c.png": 10}, "incoming/week 3/", "three"), 1)
    origin = {"source-ref": f"s3://{BUCKET}/{PREFIX}a.png", "batch": first, "round": 1}
    assert labels(third)["c.png"].provenance.get("same-as") == origin


@pytest.mark.fault("K07")
def test_each_content_trains_or_judges_once() -> None:
    run_round(batch_of({"a.png": 10, "b.png": 10, "c.png": 20}), 1)
    merged = run_round(batch_of({"d.png": 10, "e.png": 30}, ELSEWHERE, "two"), 1)
    card = storage.read_json(f"datasets/{merged['dataset_version']}/card.json")
    assert (card["images"], card["human"]) == (5, 5)
    assert card["train"] + card["judge"] == 3, "contents 10, 20 and 30"
    counts = handle("assemble_dataset", job="job", dataset_version=merged["dataset_version"])
    assert sum(counts[role] for role in ("train", "judge")) == 3
    lines = [line for role in ("train", "judge") for line in storage.read_lines(of_job(role))]
    assert all("same-as" not in line["provenance"] for line in lines)


def of_job(role: str) -> str:
    return f"training/job/dataset/{role}.jsonl"


def test_the_audit_takes_no_copy_for_evidence(change_setting) -> None:
    change_setting("JUDGE_IMAGES", "100")
    change_setting("SAMPLE_RATE", "1")
    crown()
    batch = batch_of({f"{number}.png": 10 + number // 4 for number in range(8)})
    handle("begin_round", batch_id=batch, round=1)
    predict(batch, 1, dict.fromkeys((image.source_ref for image in batches.images(batch)), 0.9))
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1)
    merge(batch, 1)
    (estimate,) = report(batch)["audit"]
    assert estimate["images"] == 2, "two contents"


@pytest.mark.fault("K07")
def test_the_audit_is_of_images_one_that_was_looked_at_stands_for_its_copies(change_setting) -> None:
    """Of 12 images 6 are drawn, so one of the 8 copies certainly is; the others have one chance in two."""
    change_setting("JUDGE_IMAGES", "100")
    change_setting("SAMPLE_RATE", "0.5")
    change_setting("SAMPLE_MINIMUM", "0")
    crown()
    batch = batch_of({f"copy {n}.png": 10 for n in range(8)} | {f"{n}.png": 20 + n for n in range(4)})
    handle("begin_round", batch_id=batch, round=1)
    predict(batch, 1, dict.fromkeys((image.source_ref for image in batches.images(batch)), 0.9))
    handle("judge_batch", batch_id=batch, round=1)
    right, wrong = people.boxes((Box("head", 1, 2, 30, 20),)), people.boxes((Box("head", 40, 30, 10, 10),))
    people.answer_round(batch, 1, lambda line: right if "copy" in line["source-ref"] else wrong)
    merge(batch, 1)
    sampled = [image.item.key for image in batches.images(batch) if image.item.sampled]
    others = sum("copy" not in key for key in sampled)
    assert len(sampled) == 6 and others > 0
    (estimate,) = report(batch)["audit"]
    assert estimate["mean_iou"] == pytest.approx(8 / (8 + others * 2))


@pytest.mark.fault("K07")
@pytest.mark.parametrize("confidence", [0.9, 0.1])
def test_copies_in_one_batch_end_as_the_one_that_is_looked_at(confidence, change_setting) -> None:
    change_setting("SAMPLE_RATE", "0")
    change_setting("SAMPLE_MINIMUM", "0")
    change_setting("HUMAN_BUDGET", "0")
    crown()
    batch = batch_of({"a.png": 10, "b.png": 10})
    begun = handle("begin_round", batch_id=batch, round=1)
    shards = [storage.read_lines(storage.own_key(item["uri"])) for item in storage.read_lines(begun["requests_key"])]
    assert [line["source-ref"].rpartition("/")[2] for shard in shards for line in shard] == ["a.png"]
    predict(batch, 1, {f"s3://{BUCKET}/{PREFIX}a.png": confidence})
    handle("judge_batch", batch_id=batch, round=1)
    outcome = "auto" if confidence > 0.5 else "deferred"
    merged = merge(batch, 1)
    assert merged[outcome] == 2
    if outcome == "auto":
        made = labels(batch)
        assert made["a.png"].boxes == made["b.png"].boxes and not made["b.png"].human
        assert made["b.png"].provenance["model"] == MODEL and "role" not in made["b.png"].provenance


def test_a_copy_of_one_that_nobody_answered_stays_open_and_is_asked_with_it_again() -> None:
    batch = batch_of({"a.png": 10, "b.png": 10})
    assert run_round(batch, 1, answered=0)["deferred"] == 2
    assert run_round(batch, 2)["human"] == 2
    assert len(asked(batch, 1)) == len(asked(batch, 2)) == 1


def test_a_copy_whose_bytes_changed_waits_and_one_of_changed_bytes_too() -> None:
    batch = batch_of({"a.png": 10, "b.png": 10, "c.png": 10})
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    (looked_at,) = asked(batch)
    other = next(name for name in ("a.png", "b.png", "c.png") if name != looked_at)
    storage.write(PREFIX + other, picture(99))
    people.answer_round(batch, 1)
    merged = merge(batch, 1)
    assert (merged["human"], merged["deferred"]) == (2, 1), "the label is not made on what lies there now"
    assert run_round(batch, 2)["human"] == 3, "the registered version has the known content"
    assert asked(batch, 2) == []


def test_a_copy_whose_original_is_gone_when_the_round_is_started_again_is_looked_at_itself() -> None:
    batch = batch_of({"a.png": 10, "b.png": 10})
    handle("begin_round", batch_id=batch, round=1)
    (copy,) = storage.read_lines(Files(batch).copies(1))
    pinned = next(item for item in storage.read_lines(Files(batch).inventory) if item["key"] == copy["of"])
    client = boto3.client("s3")
    client.delete_object(Bucket=BUCKET, Key=pinned["key"], VersionId=pinned["version-id"])
    handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=batch, round=1)
    assert asked(batch) == [copy["key"].rpartition("/")[2]]
    people.answer_round(batch, 1)
    merged = merge(batch, 1)
    assert merged["human"] == 1 and report(batch)["rejected"] == 1


def test_labels_that_do_not_fit_any_more_are_asked_again(change_setting) -> None:
    run_round(batch_of({"a.png": 10}), 1)
    change_setting("CLASSES", "bag,cup")
    second = batch_of({"b.png": 10}, ELSEWHERE, "two")
    handle("begin_round", batch_id=second, round=1)
    handle("judge_batch", batch_id=second, round=1)
    assert asked(second) == ["b.png"]


@pytest.mark.fault("K07")
@pytest.mark.parametrize(("before", "drawn"), [("head,bag", people.DRAWN), ("head", ()), ("cup", ())])
def test_nobody_looked_for_a_class_that_the_stack_had_not(before, drawn, change_setting) -> None:
    change_setting("CLASSES", before)
    first = batch_of({"a.png": 10})
    handle("begin_round", batch_id=first, round=1)
    handle("judge_batch", batch_id=first, round=1)
    people.answer_round(first, 1, lambda line: people.boxes(drawn))
    assert merge(first, 1)["human"] == 1
    change_setting("CLASSES", "head,bag,cup")
    second = batch_of({"b.png": 10}, ELSEWHERE, "two")
    run_round(second, 1)
    assert asked(second) == ["b.png"]
    change_setting("CLASSES", "head,bag")
    third = batch_of({"c.png": 10}, "incoming/week 3/", "three")
    assert run_round(third, 1)["human"] == 1
    assert asked(third) == [], "they looked for more"


@pytest.mark.fault("K07")
def test_nobody_looked_for_a_key_point_that_the_stack_had_not() -> None:
    from labelloop.batch import copies

    people = one_person([KeyPoint("nose", 1.0, 1.0, "visible")], (64, 48))
    told = {"sha256": "a"}
    label = Annotation("s3://b/o", None, 64, 48, people, True, "2026-01-01T00:00:00", "job", told, {}, "key-points")
    images, lines = [image("new.png", "a", False)], [label.to_line(("nose", "tail"))]
    for names, known in ((("nose",), 1), (("nose", "tail"), 1), (("nose", "tail", "ear"), 0)):
        assert len(copies.find(images, lines, names, "key-points")) == known


@pytest.mark.fault("K07")
@pytest.mark.parametrize("again", [False, True], ids=["at once", "going on after a round"])
def test_copies_cost_at_most_what_was_estimated(again, change_setting) -> None:
    run_round(batch_of({"a.png": 10, "b.png": 20}), 1)
    change_setting("HUMAN_BUDGET", "2")
    change_setting("MAX_ROUNDS", "2")
    files = {"a.png": 10, "b.png": 20, "c.png": 30, "d.png": 30, "e.png": 40, "f.png": 50, "g.png": 50}
    batch = batch_of(files, ELSEWHERE, "two")
    run_round(batch, 1)
    if again:
        trigger = {"bucket": {"name": BUCKET}, "object": {"key": f"{ELSEWHERE}_READY.json"}}
        states = boto3.client("stepfunctions")
        states.stop_execution(executionArn=execution("two"), error="x", cause="y")
        assert registered(trigger, "three")["batch"]["id"] == batch
    estimated = storage.read_json(Files(batch).estimate)
    run_round(batch, 2)
    questions = len(asked(batch, 1)) + len(asked(batch, 2))
    assert 0 < questions <= estimated["labelled_by_people"] <= len(files)


def test_what_a_machine_labelled_before_is_judged_anew() -> None:
    crown()
    first = batch_of({f"{number}.png": 10 + number for number in range(4)})
    handle("begin_round", batch_id=first, round=1)
    predict(first, 1, dict.fromkeys((image.source_ref for image in batches.images(first)), 0.9))
    handle("judge_batch", batch_id=first, round=1)
    people.answer_round(first, 1)
    merge(first, 1)
    machines = next(label for label in labels(first).values() if not label.human)
    number = int(machines.source_ref.rpartition("/")[2].removesuffix(".png"))
    second = batch_of({"again.png": 10 + number}, ELSEWHERE, "two")
    assert handle("begin_round", batch_id=second, round=1)["infer"]


def test_a_round_that_began_keeps_its_copies_whatever_is_published_meanwhile() -> None:
    """Two batches at the same time ask twice: neither waits days for the other's people."""
    first, second = batch_of({"a.png": 10}), batch_of({"b.png": 10}, ELSEWHERE, "two")
    for batch in (first, second):
        handle("begin_round", batch_id=batch, round=1)
    handle("judge_batch", batch_id=first, round=1)
    people.answer_round(first, 1)
    merge(first, 1)
    handle("begin_round", batch_id=second, round=1)  # started again
    handle("judge_batch", batch_id=second, round=1)
    assert asked(second) == ["b.png"]
    people.answer_round(second, 1)
    version = merge(second, 1)["dataset_version"]
    counts = datasets.count_labels(datasets.load(version).lines)
    assert (counts["human"], counts["train"] + counts["judge"]) == (2, 1)


def test_a_round_of_an_older_version_knows_no_copies() -> None:
    batch = batch_of({"a.png": 10, "b.png": 10})
    handle("begin_round", batch_id=batch, round=1)
    boto3.resource("s3").Bucket(BUCKET).object_versions.filter(Prefix=Files(batch).copies(1)).delete()
    handle("judge_batch", batch_id=batch, round=1)
    people.answer_round(batch, 1)
    assert merge(batch, 1)["human"] == 2


def test_imported_labels_serve_the_copies_that_the_manifest_does_not_name() -> None:
    for name in ("a.png", "b.png"):
        storage.write(PREFIX + name, picture(10))
    drawn = Annotation("a.png", None, *people.SIZE, (Box("head", 1, 2, 30, 20),), True, "2026-01-01T00:00:00", "job")
    storage.write(f"{PREFIX}labels.manifest", drawn.to_line(("head", "bag")).encode())
    batch = registered(mark(b'{"labels": "labels.manifest"}'))["batch"]["id"]
    handle("import_labels", batch_id=batch, labels_uri=f"s3://{BUCKET}/{PREFIX}labels.manifest")
    merge(batch, 0)
    assert run_round(batch, 1)["human"] == 2
    assert asked(batch) == [] and [box.width for box in labels(batch)["b.png"].boxes] == [30]


CONTENTS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=8)


@given(CONTENTS, st.sets(st.sampled_from("abc")))
def test_every_content_is_looked_at_once_at_most_and_never_where_it_is_known(open_images, known) -> None:
    from labelloop.batch import copies

    images = [image(f"{number}.png", content, sampled) for number, (content, sampled) in enumerate(open_images)]
    found = copies.find(images, [line(content) for content in sorted(known)], ("head",), "boxes")
    copied = {copy.key: copy for copy in found}
    left = [each for each in images if each.item.key not in copied]
    assert sorted(each.inspection.sha256 for each in left) == sorted({each[0] for each in open_images} - known)
    by_key = {each.item.key: each for each in images}
    for key, copy in copied.items():
        content = by_key[key].inspection.sha256
        assert (content in known) == bool(copy.label)
        assert copy.label or (by_key[copy.of] in left and by_key[copy.of].inspection.sha256 == content)
    drawn = {each.inspection.sha256 for each in images if each.item.sampled}
    assert all(each.item.sampled for each in left if each.inspection.sha256 in drawn), "the sample is looked at"


EXAMPLES = map(str, itertools.count())  # each has a folder and contents of its own: they share one account
UPLOADS = st.lists(
    st.tuples(
        st.sampled_from(["", "a/", "a/b/"]),
        st.lists(st.tuples(st.sampled_from(["", "a/", "a/b/"]), st.sampled_from("xyz"), st.integers(0, 3)), max_size=4),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.fault("K07")
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches_marked=UPLOADS)
def test_however_uploads_and_markers_overlap_every_object_has_one_batch_and_every_content_one_question(
    batches_marked,
) -> None:
    """Batches one after the other: (folder of the marker, files that were put before as (folder, name, shade))."""
    example = next(EXAMPLES)
    day, questions, seen = f"incoming/day {example}/", [], []
    for number, (folder, files) in enumerate(batches_marked):
        for place, name, shade in files:
            storage.write(f"{day}{place}{name}.png", picture(10 + shade) + example.encode())
        batch = registered(mark(prefix=day + folder), f"e{example}-{number}")["batch"]["id"]
        everything = batches.images(batch)
        seen += [(image.item.key, image.item.version_id) for image in everything]
        if everything:
            assert run_round(batch, 1)["human"] == len(everything)
            contents = {image.source_ref: image.inspection.sha256 for image in everything}
            questions += [contents[line["source-ref"]] for line in asked_in(batch, 1)]
        handle("report_batch", batch_id=batch, execution=execution(f"r{example}-{number}"))
    assert len(seen) == len(set(seen)), "no object has two batches"
    assert len(questions) == len(set(questions)), "nobody is asked twice about the same content"
