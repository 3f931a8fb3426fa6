"""Several people with points and boxes on one page in Chromium; coordinates are pixels of the picture."""

from __future__ import annotations

import pytest
from hands import Hands
from labelloop.tasks import people_labels
from painter import picture
from served_portal import wait_until

NAMES = ["nose", "left eye", "right eye"]
LABELS = people_labels.offered(NAMES, 3)
SKELETON = {"bones": [["nose", "left eye"], ["nose", "right eye"]], "box_factor": 1.5}
ONE = [{"label": "nose", "x": 100, "y": 120}, {"label": "left eye (occluded)", "x": 130, "y": 90}]
BOX = [{"label": "top-left", "x": 60, "y": 60}, {"label": "bottom-right", "x": 180, "y": 180}]
TWO = [{"label": "right eye #2", "x": 400, "y": 300}, {"label": "nose #2 (occluded)", "x": 420, "y": 330}]
PROPOSED = [*ONE, *BOX, *TWO]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


def points(portal, task: str) -> list[tuple[str, int, int]]:
    given = portal.answer(task)["annotatedKeyPoints"]["keypoints"]
    return [(point["label"], point["x"], point["y"]) for point in given]


@pytest.fixture
def task(portal) -> str:
    return portal.add_job("key-points", [picture()], LABELS, header="Place the points", skeleton=SKELETON)[0]


@pytest.fixture
def adjusted(portal) -> str:
    return portal.add_job("key-points", [picture()], LABELS, PROPOSED, kind="adjust", skeleton=SKELETON)[0]


def place(painter, *places: tuple[float, float]) -> None:
    for x, y in places:
        painter.click(x, y)


def test_two_people_are_placed_one_after_the_other(portal, open_task, task) -> None:
    painter = open_task(task)
    place(painter, (100, 120), (130, 90), (70, 90))
    painter.press("a")
    assert painter.person().startswith("Person 2: 3 to place")
    place(painter, (400, 320), (430, 290))
    painter.press("v", "o")
    assert painter.people() == ["Person 1: 3 placed, no box", "Person 2: 2 placed, 1 outside, no box"]
    painter.submit_and_leave()
    first = [("nose", 100, 120), ("left eye", 130, 90), ("right eye", 70, 90)]
    assert points(portal, task) == [*first, ("nose #2", 400, 320), ("left eye #2 (occluded)", 430, 290)]


@pytest.mark.parametrize(
    "initial",
    [
        PROPOSED,
        [*reversed(PROPOSED)],
        [*ONE, {"label": "nose #3", "x": 10.5, "y": 20.25}],
        [*ONE, {"label": "top-left", "x": 180, "y": 180}, {"label": "bottom-right", "x": 60, "y": 60}],
        [*ONE, {"label": "bottom-right #2", "x": 60, "y": 60}],
        [{**mark, "more": "kept"} for mark in PROPOSED],
    ],
    ids=["usual", "backwards", "a gap and fractions", "corners exchanged", "one corner", "more members"],
)
def test_an_untouched_pre_label_comes_back_to_the_byte(portal, open_task, initial) -> None:
    task = portal.add_job("key-points", [picture()], LABELS, initial, kind="adjust", skeleton=SKELETON)[0]
    painter = open_task(task)
    painter.press("p", "1", "Delete", "u", "Escape")
    painter.submit_and_leave()
    assert portal.answer(task)["annotatedKeyPoints"]["keypoints"] == initial


def test_who_is_not_touched_is_stored_as_proposed(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.drag((400, 300), (410, 280))
    painter.submit_and_leave()
    assert points(portal, adjusted)[:4] == [tuple(mark.values()) for mark in [*ONE, *BOX]]
    assert points(portal, adjusted)[4:] == [("nose #2 (occluded)", 420, 330), ("right eye #2", 410, 280)]


def test_a_person_is_chosen_on_the_picture_in_the_list_and_by_a_key(open_task, adjusted) -> None:
    painter = open_task(adjusted)
    assert painter.person() == "Person 1: 2 placed, 1 outside, box" and len(painter.marks()) == 4
    painter.click(420, 330)
    assert painter.person().startswith("Person 2")
    assert painter.selected() == "1: nose of person 2, occluded, at 420, 330"
    painter.click(75, 165)
    assert painter.person().startswith("Person 1") and painter.selected() is None
    painter.page.get_by_role("button", name="Person 2: 2 placed").click()
    assert painter.person().startswith("Person 2")
    painter.press("p")
    assert painter.person().startswith("Person 1")
    painter.press("Shift+P")
    assert painter.person().startswith("Person 2")


def test_people_who_lie_on_each_other_are_chosen_by_clicking_again(portal, open_task) -> None:
    inner = [{"label": "nose #2", "x": 120, "y": 150}, {"label": "top-left #2", "x": 80, "y": 80}]
    initial = [*ONE, *BOX, *inner, {"label": "bottom-right #2", "x": 160, "y": 160}]
    painter = open_task(portal.add_job("key-points", [picture()], LABELS, initial, kind="adjust")[0])
    chosen = []
    for _ in range(3):
        painter.click(95, 140)
        chosen.append(painter.person()[:8])
    assert chosen == ["Person 2", "Person 1", "Person 2"]


def test_a_box_is_drawn_moved_resized_and_deleted(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.press("d")
    painter.drag((50, 60), (150, 200))
    assert painter.selected() == "4: box, 100 × 140 at 50, 60"
    place(painter, (100, 120), (130, 90), (70, 90))
    assert "at 70, 90" in painter.selected()
    painter.press("4")
    painter.drag((110, 170), (130, 190))
    assert painter.marks()[3] == "4: box, 100 × 140 at 70, 80"
    painter.drag((170, 220), (200, 240))
    assert painter.marks()[3] == "4: box, 130 × 160 at 70, 80"
    painter.press("ArrowLeft", "Control+Shift+ArrowRight")
    assert painter.marks()[3] == "4: box, 140 × 160 at 69, 80"
    painter.press("Delete")
    assert painter.marks()[3] == "4: box, not drawn: a square round the points is stored"
    painter.press("u")
    painter.submit_and_leave()
    assert points(portal, task)[3:] == [("top-left", 69, 80), ("bottom-right", 209, 240)]


def test_shift_draws_the_box_anew_over_points_and_a_click_on_its_line_selects_it(open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.page.keyboard.down("Shift")
    painter.drag((100, 120), (220, 240))
    painter.page.keyboard.up("Shift")
    assert painter.selected() == "4: box of person 1, 120 × 120 at 100, 120"
    painter.press("Escape")
    painter.click(160, 240)
    assert painter.selected() == "4: box of person 1, 120 × 120 at 100, 120"


def test_b_makes_a_box_of_the_square_that_would_be_stored(open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.press("p", "d", "b")
    assert painter.selected() == "4: box of person 2, 64 × 64 at 378, 283"


def test_a_click_where_a_box_is_awaited_draws_none_and_places_nothing(open_task, task) -> None:
    painter = open_task(task)
    painter.press("d")
    painter.click(100, 120)
    assert painter.marks()[0] == "1: nose, not set" and "Drag" in painter.page.locator(".status").inner_text()


def test_a_person_without_points_has_a_box(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.press("o", "d")
    painter.drag((50, 60), (150, 200))
    painter.submit_and_leave()
    assert points(portal, task) == [("top-left", 50, 60), ("bottom-right", 150, 200)]


def test_a_person_is_deleted_and_undone_and_the_number_is_free_again(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.press("Shift+Delete")
    assert painter.people() == ["Person 2: 2 placed, 1 outside, no box"]
    painter.press("u")
    assert len(painter.people()) == 2
    painter.page.get_by_role("button", name="Delete person 1").click()
    painter.press("a")
    assert [person[:8] for person in painter.people()] == ["Person 1", "Person 2"]
    place(painter, (500, 100), (520, 90), (480, 90))
    painter.submit_and_leave()
    assert [label for label, _, _ in points(portal, adjusted)] == [*NAMES, "nose #2 (occluded)", "right eye #2"]


def test_who_was_deleted_last_leaves_an_empty_person(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.click(100, 120)
    painter.press("Shift+Delete")
    assert painter.people() == ["Person 1: 3 to place, no box"]
    painter.submit()
    assert "Nobody is marked" in painter.message() and portal.posts == 0


def test_there_are_no_more_people_than_labels(open_task, task) -> None:
    painter = open_task(task)
    for x in (100, 200, 300):
        painter.click(x, 120)
        painter.press("a")
    assert len(painter.people()) == 3
    assert "3 people, and not more" in painter.page.locator(".status").inner_text()


def test_an_empty_person_is_not_added_twice_and_not_stored(portal, open_task, task) -> None:
    painter = open_task(task)
    painter.press("a", "a")
    assert len(painter.people()) == 1
    place(painter, (100, 120), (130, 90), (70, 90))
    painter.press("a", "a")
    assert len(painter.people()) == 2
    painter.submit_and_leave()
    assert [label for label, _, _ in points(portal, task)] == NAMES


def test_open_points_and_people_who_are_nowhere_are_named(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.press("a")
    painter.click(500, 100)
    painter.submit()
    assert "of person 3" in painter.message() and "left eye, right eye" in painter.message()
    painter.press("o", "1", "v", "v")
    painter.submit()
    assert "All points of person 3 are outside" in painter.message() and portal.posts == 0
    painter.press("Shift+Delete")
    painter.submit_and_leave()
    assert portal.answer(adjusted)["annotatedKeyPoints"]["keypoints"] == PROPOSED


def test_who_is_there_twice_is_told_once(portal, open_task) -> None:
    again = [{**ONE[0], "label": "nose #2"}, {**ONE[1], "label": "left eye #2 (occluded)"}]
    task = portal.add_job("key-points", [picture()], LABELS, [*ONE, *again], kind="adjust")[0]
    painter = open_task(task)
    painter.submit()
    assert "Person 2 is where person 1 is" in painter.message() and portal.posts == 0
    painter.page.get_by_role("button", name="Delete person 2").last.click()
    painter.submit_and_leave()
    assert [label for label, _, _ in points(portal, task)] == ["nose", "left eye (occluded)"]


def test_everything_is_undone_and_done_again(open_task, adjusted) -> None:
    painter = open_task(adjusted)
    before, steps = painter.people(), 5
    painter.press("a")
    painter.click(500, 100)
    painter.press("v", "d")
    painter.drag((480, 60), (560, 140))
    painter.press("o")
    after = painter.people()
    assert after[2] == "Person 3: 1 placed, 2 outside, box"
    painter.press(*["u"] * steps)
    assert painter.people() == before
    painter.press(*["Control+y"] * steps)
    assert painter.people() == after


def test_a_draft_keeps_everybody(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.press("a")
    painter.click(500, 100)
    painter.press("o")
    people, page = painter.people(), painter.page
    page.locator(".saved", has_text="Draft kept").wait_for()
    page.goto(page.url)
    painter.ready()
    assert painter.people() == people
    painter.submit_and_leave()
    assert ("nose #3", 500, 100) in points(portal, adjusted)


def test_a_draft_of_an_earlier_version_is_read_as_the_first_person(portal, open_task, adjusted) -> None:
    kept = [
        {"id": "nose", "label": "nose", "x": 11, "y": 12, "visibility": "occluded"},
        {"id": "left eye", "label": "left eye", "x": None, "y": None, "visibility": "outside"},
        {"id": "right eye", "label": "right eye", "x": 13, "y": 14, "visibility": "visible"},
    ]
    painter = open_task(adjusted)
    page = painter.page
    worker = page.request.get(f"{portal.url}/api/jobs").json()["worker"]
    page.evaluate(
        "([worker, task, marks]) => localStorage.setItem('labelloop/draft/' + JSON.stringify([worker, task]),"
        " JSON.stringify({fields: {annotatedKeyPoints: {marks, nothing: false}}, written: Date.now()}))",
        [worker, adjusted, kept],
    )
    page.goto(page.url)
    painter.ready()
    assert painter.people() == ["Person 1: 2 placed, 1 outside, box", "Person 2: 2 placed, 1 outside, no box"]
    painter.submit_and_leave()
    assert points(portal, adjusted)[:2] == [("nose (occluded)", 11, 12), ("right eye", 13, 14)]
    assert len(points(portal, adjusted)) == 6


def test_nobody_here_takes_everybody_away_and_undo_brings_them_back(portal, open_task, adjusted) -> None:
    painter = open_task(adjusted)
    painter.press("n")
    assert painter.people() == ["Person 1: 3 outside, no box"]
    painter.press("u")
    assert len(painter.people()) == 2
    painter.press("n")
    painter.submit_and_leave()
    assert points(portal, adjusted) == [] and portal.answer(adjusted)["nothing-here"] == {"nothing-here": True}


def hue(painter, x: float, y: float) -> str:
    """Whose colour is on the screen at an image point: "first", "second", or "" for nobody's, light or dark."""
    seen, view = painter.screenshot(), painter.view()
    red, _, blue = seen.getpixel((round(view["x"] + x * view["scale"]), round(view["y"] + y * view["scale"])))
    return "first" if red > blue + 40 else "second" if blue > red + 40 else ""


@pytest.mark.parametrize("template", ["key-points", "verify-key-points"])
def test_visible_is_solid_occluded_hollow_and_bones_and_the_square_are_drawn(portal, open_task, template) -> None:
    """The second person's points are 100 apart, and the square's side is 1.5 times as long."""
    initial = [*ONE, {"label": "nose #2", "x": 400, "y": 300}, {"label": "right eye #2", "x": 500, "y": 300}]
    task = portal.add_job(template, [picture()], LABELS, initial, "adjust", skeleton=SKELETON)[0]
    painter = open_task(task)
    assert hue(painter, 100, 120) == "first" and hue(painter, 130, 90) == "", "solid, hollow"
    assert hue(painter, 115, 105) == "first" and hue(painter, 450, 300) == "second", "bones"
    side = [hue(painter, 375, y) for y in range(240, 360, 3)]
    assert 0 < side.count("second") < len(side), "dashed"


@pytest.mark.fault("K08")
def test_two_fingers_zoom_and_place_nothing(new_context, open_task, task) -> None:
    hands = Hands(open_task(task, new_context(**PHONE)))
    painter, box = hands.painter, hands.painter.canvas.bounding_box()
    x, y, before = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, painter.view()["scale"]
    hands.two_fingers(((x - 40, y), (x + 40, y)), ((x - 120, y), (x + 120, y)))
    wait_until(lambda: painter.view()["scale"] > 2 * before, "zoomed in")
    assert painter.people() == ["Person 1: 3 to place, no box"]


def test_two_people_are_placed_with_fingers(portal, new_context, open_task, task) -> None:
    hands = Hands(open_task(task, new_context(**PHONE)))
    painter, page = hands.painter, hands.page

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).tap()

    hands.tap(100, 120)
    press("Rest outside")
    press("Add person")
    hands.tap(400, 320)
    press("Visibility")
    hands.finger((400, 320), (420, 340))
    press("Rest outside")
    press("Box")
    hands.finger((350, 280), (480, 400))
    assert painter.people() == ["Person 1: 1 placed, 2 outside, no box", "Person 2: 1 placed, 2 outside, box"]
    hands.tap(100, 120)
    assert painter.person().startswith("Person 1")
    page.get_by_role("button", name="Submit and next").tap()
    page.wait_for_url(f"{portal.url}/")
    assert [label for label, _, _ in points(portal, task)] == [
        "nose", "nose #2 (occluded)", "top-left #2", "bottom-right #2"
    ]  # fmt: skip
