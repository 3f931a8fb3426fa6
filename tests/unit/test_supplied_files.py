"""The file of a label manifest: read in every form people save one in, or refused with what to give instead."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelloop.contracts.errors import InvalidInputError
from labelloop.people import supplied, supplied_files
from supplied_labels import NAMES, imported, lines, record

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "aws-fixtures"
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
loop = pytest.mark.usefixtures("aws", "ended_labeling_jobs")
simple = st.dictionaries(
    st.text(max_size=4), st.text(max_size=4) | st.integers() | st.lists(st.integers(), max_size=3), max_size=4
)


@loop
@pytest.mark.fault("G10")
@pytest.mark.parametrize(
    "body",
    [
        json.dumps([record(name) for name in NAMES]).encode(),
        json.dumps([record(name) for name in NAMES], indent=2).encode(),
        "\n".join(json.dumps(record(name), indent=1) for name in NAMES).encode(),
        b"\xef\xbb\xbf" + lines(*map(record, NAMES)),
        lines(*map(record, NAMES)).decode().encode("utf-16"),
        b"\xfe\xff" + lines(*map(record, NAMES)).decode().encode("utf-16-be"),
        lines(*map(record, NAMES)).replace(b"\n", b"\r\n"),
        lines(*map(record, NAMES)).replace(b"\n", b",\n"),
        b"\n\n" + lines(*map(record, NAMES)).replace(b"\n", b"\n\n"),
        lines(*map(record, NAMES)).rstrip(b"\n"),
        lines(*map(record, NAMES)).decode().encode("utf-16-le"),
        lines(*map(record, NAMES)).decode().encode("utf-16-be"),
        lines(*map(record, NAMES)).decode().encode("utf-32"),
    ],
    ids=[
        *("array", "pretty array", "pretty", "BOM", "UTF-16", "UTF-16 BE", "CRLF", "commas", "blank lines", "no end"),
        *("UTF-16 LE, no BOM", "UTF-16 BE, no BOM", "UTF-32"),
    ],
)
def test_the_same_labels_in_every_form_people_save_them_in(body) -> None:
    told = imported(body)
    assert (told["labels"], told["errors"]) == (3, [])


@loop
def test_what_is_no_object_in_an_array_costs_itself_only() -> None:
    told = imported(json.dumps([record(name) for name in NAMES] + [None]).encode())
    assert told["labels"] == 3 and len(told["errors"]) == 1


@given(
    st.lists(simple, min_size=2, max_size=5),
    st.sampled_from([None, 1]),
    st.sampled_from(["utf-8-sig", "utf-16", "utf-8"]),
)
def test_lines_an_array_and_pretty_objects_mean_the_same_objects_in_the_same_order(objects, indent, encoding) -> None:
    forms = [
        "\n".join(json.dumps(each) for each in objects),
        json.dumps(objects, indent=indent),
        "\n".join(json.dumps(each, indent=indent) for each in objects),
        ",\n".join(json.dumps(each, ensure_ascii=False) for each in objects),
    ]
    for form in forms:
        found = supplied_files.objects(form.encode(encoding))
        assert [json.loads(line) for _, line in found] == objects
        assert all("\n" not in line for _, line in found)


def test_an_object_is_found_on_the_line_where_it_begins() -> None:
    pretty = b'\n{\n "a": 1\n}\n\n{"b": 2}\n{\n"c":\n3}\n'
    assert supplied_files.objects(pretty) == [(2, '{"a": 1}'), (6, '{"b": 2}'), (7, '{"c": 3}')]
    broken = b'{"a": 1}\n\nnot JSON\n{"b": 2}'
    assert supplied_files.objects(broken) == [(1, '{"a": 1}'), (3, "not JSON"), (4, '{"b": 2}')], "costs its line only"


def test_a_file_that_is_too_large_is_refused_with_both_figures(monkeypatch) -> None:
    monkeypatch.setattr(supplied_files, "MOST_BYTES", 1_000)
    assert supplied_files.objects(b" " * 1_000) == []
    with pytest.raises(InvalidInputError, match="has 1,001 bytes, at most 1,000 are read"):
        supplied_files.objects(b" " * 1_001)


@pytest.mark.parametrize(
    ("record_of_others", "said"),
    [
        ({"images": [], "annotations": []}, "COCO JSON"),
        ({"shapes": [], "imagePath": "1.png"}, "LabelMe JSON"),
        ({"annotations": [], "file": "1.png"}, "no object with source-ref"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_file_of_another_tool_is_named_and_what_to_give_instead(record_of_others, said, indent) -> None:
    with pytest.raises(InvalidInputError, match=said) as refusal:
        supplied_files.objects(json.dumps(record_of_others, indent=indent).encode())
    assert supplied_files.INSTEAD in str(refusal.value)


# --- independent files


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared AWS fixtures are not here (../shared/data/aws-fixtures)")
def test_real_manifests_of_ground_truth_are_read_or_refused_with_a_reason() -> None:
    read, refused = 0, []
    for path in sorted(SHARED.glob("groundtruth/*/*output.manifest")):
        for _, line in supplied_files.objects(path.read_bytes()):
            try:
                supplied.read(line, "", _names_in(line))
                read += 1
            except InvalidInputError as error:
                refused.append(str(error))
    assert read > 100, read
    assert all(len(error) > 10 for error in refused)


def _names_in(line: str) -> tuple[str, ...]:
    found = json.loads(line)
    maps = [value.get("class-map", {}) for value in found.values() if isinstance(value, dict)]
    return tuple(dict.fromkeys(str(name) for each in maps for name in each.values()))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared AWS fixtures are not here (../shared/data/aws-fixtures)")
def test_a_real_adjustment_job_of_a_single_worker_is_imported_as_people_left_it() -> None:
    (path,) = SHARED.glob("groundtruth/od-single-worker-adjustment/*.manifest")
    lines_read = supplied_files.objects(path.read_bytes())
    read = [supplied.read(line, "", _names_in(line)) for _, line in lines_read if "adjust" in line or "boxes" in line]
    assert read and all(label.human for label in read)


@given(st.binary(max_size=200))
def test_no_file_breaks_the_reader(body) -> None:
    try:
        for number, line in supplied_files.objects(body):
            assert number >= 1 and "\n" not in line
            try:
                supplied.read(line, "", ("head",))
            except InvalidInputError as error:
                assert str(error)
    except InvalidInputError as error:
        assert str(error)
