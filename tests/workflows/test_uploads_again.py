"""The same bytes uploaded again, markers in folders of one another, and what lies about beside pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from loop import Loop, Run

from tests.support.pictures import Picture, pictures


@pytest.fixture(autouse=True)
def no_training(loop: Loop):
    with loop.settings("MergeAnnotations", RETRAIN_MINIMUM="1000"):
        yield


def asked(loop: Loop, run: Run) -> list[str]:
    """The images of all labelling jobs of the batch, by the end of their keys."""
    rounds = [row["round"] for row in loop.summary(run.batch)["rounds"] if row["round"]]
    return sorted(line["source-ref"].rpartition("/")[2] for number in rounds for line in loop.asked(run.batch, number))


def renamed(drawn: list[Picture], stem: str) -> list[Picture]:
    return [replace(each, name=f"{stem}-{each.name}") for each in drawn]


@pytest.mark.fault("A10")
@pytest.mark.fault("K07")
def test_a_folder_that_is_synchronised_anew_costs_only_its_new_pictures(loop: Loop) -> None:
    """As `aws s3 sync` does after the folder was unzipped again: the same keys and bytes, two more, and the marker."""
    drawn = pictures(8, seed="again")
    first = loop.label("again", drawn[:6])
    loop.assert_sound(first)
    second = loop.label("again", drawn)
    loop.assert_sound(second)
    assert asked(loop, first) == sorted(each.name for each in drawn[:6])
    assert asked(loop, second) == sorted(each.name for each in drawn[6:])
    assert loop.summary(second.batch)["copies"] == {"human": 6, "auto": 0}
    assert len(loop.dataset()) == 8
    assert "6 images have the bytes of another image" in loop.get(f"batches/{second.batch}/report.html").decode()


@pytest.mark.fault("K07")
def test_the_same_bytes_under_other_names_and_prefixes_are_asked_once(loop: Loop) -> None:
    drawn = pictures(5, seed="names")
    first = loop.label("names", [*drawn, *renamed(drawn[:3], "copy")])
    loop.assert_sound(first)
    assert len(asked(loop, first)) == 5
    second = loop.label("other names", [*renamed(drawn, "other"), *pictures(2, seed="new ones", first=10)])
    loop.assert_sound(second)
    assert asked(loop, second) == ["00010.png", "00011.png"]
    assert loop.summary(second.batch)["human"] == 7 and len(loop.control("GET", "state")["labeling_jobs"]) == 2
    boxes = [line["boxes"]["annotations"] for line in loop.dataset() if line["source-ref"].endswith(drawn[0].name)]
    assert len(boxes) == 3 and boxes[0] == boxes[1] == boxes[2]
    roles = {line["provenance"]["role"] for line in loop.dataset() if line["source-ref"].endswith(drawn[0].name)}
    assert len(roles) == 1


@pytest.mark.fault("K07")
@pytest.mark.parametrize("order", [("day", "day/cam1"), ("day/cam1", "day")], ids=["above first", "below first"])
def test_a_marker_in_a_folder_and_above_it_pay_for_every_picture_once(loop: Loop, order: tuple[str, str]) -> None:
    drawn = pictures(6, seed="nested")
    below, beside = drawn[:4], [replace(each, name=f"cam2/{each.name}") for each in drawn[4:]]
    loop.upload("day/cam1", below)
    loop.upload("day", beside)
    runs = [loop.label(prefix, [], {}) for prefix in order]
    for run in runs:
        loop.assert_sound(run)
    sizes = [len(loop.inventory(run.batch)) for run in runs]
    assert sizes == ([6, 0] if order[0] == "day" else [4, 2])
    assert sum(len(asked(loop, run)) for run in runs) == 6 == len(loop.dataset())


@pytest.mark.fault("K07")
def test_markers_in_a_folder_and_above_it_at_the_same_time_share_the_pictures(loop: Loop) -> None:
    drawn = pictures(9, seed="at once")
    for number in range(3):
        loop.upload(f"week/{number}", drawn[number * 3 : number * 3 + 3])
    for prefix in ("week", "week/0", "week/1", "week/2"):
        loop.mark(prefix, {})
    runs = [loop.wait(prefix) for prefix in ("week", "week/0", "week/1", "week/2")]
    for run in runs:
        loop.assert_sound(run)
    keys = [item["key"] for run in runs for item in loop.inventory(run.batch)]
    assert len(keys) == len(set(keys)) == 9
    assert sum(len(asked(loop, run)) for run in runs) == 9 == len(loop.dataset())


@pytest.mark.fault("A14")
@pytest.mark.fault("K07")
def test_a_folder_of_a_mac_has_as_many_pictures_as_it_shows(loop: Loop) -> None:
    drawn = pictures(4, seed="mac")
    beside = ("._00000.png", ".DS_Store", "Thumbs.db", "labels.json", "sub/", "__MACOSX/._00001.png")
    for name in beside:
        loop.put(f"incoming/mac/{name}", b"\0\5\x16\7\0\2\0\0Mac OS X")
    loop.put("incoming/mac/no picture.jpg", b"text")
    run = loop.label("mac", drawn, {"count": 5})
    loop.assert_sound(run)
    summary = loop.summary(run.batch)
    assert (summary["images"], summary["human"], summary["rejected"]) == (5, 4, 1)
    assert summary["side_files"]["count"] == len(beside)
    assert list(summary["rejected_reasons"]) == ["incoming/mac/no picture.jpg"]
