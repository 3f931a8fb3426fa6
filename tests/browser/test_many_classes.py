"""Fifty and two hundred labels: found, chosen, told apart, and on the digits when they are used (K08)."""

from __future__ import annotations

import pytest
from hands import Hands
from painter import picture

NAMES = [f"part {number:03d} of the engine" for number in range(1, 198)] + [
    "Schraube groß",
    "Écrou à ailettes",
    "ŁOŻYSKO",
]
ALIKE = [f"a very long name that many classes of this catalogue begin with, variant {end}" for end in ("red", "blue")]


@pytest.fixture
def painter(portal, new_context, open_task):
    """In a browser of its own, where no label was used before."""
    return open_task(portal.add_job("boxes", [picture()] * 3, NAMES)[0], new_context())


def search(painter):
    return painter.page.get_by_role("combobox", name="Find a label")


@pytest.mark.fault("K08")
@pytest.mark.parametrize("number", [10, 137, 200])
def test_every_label_of_two_hundred_is_reached_by_the_keyboard_alone(portal, painter, number) -> None:
    painter.drag((50, 60), (150, 140))
    painter.press("c")
    painter.page.keyboard.type(NAMES[number - 1])
    painter.press("Enter")
    painter.press("Enter")
    painter.page.wait_for_timeout(300)
    assert [mark["label"] for mark in stored(portal)] == [NAMES[number - 1]]


def stored(portal) -> list[dict]:
    for task in portal._tasks:
        if answer := portal.answer(task):
            return answer["annotatedResult"]["boundingBoxes"]
    return []


@pytest.mark.fault("K08")
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ECROU", "Écrou à ailettes"),
        ("ailettes a", "Écrou à ailettes"),
        ("GROSS", "Schraube groß"),
        ("lozysko", "ŁOŻYSKO"),
        ("E\u0301crou", "Écrou à ailettes"),
        ("199", "Écrou à ailettes"),
        ("engine 042", "part 042 of the engine"),
    ],
)
def test_names_are_found_without_accents_letter_case_and_order(painter, typed, found) -> None:
    painter.press("c")
    search(painter).fill(typed)
    options = painter.page.get_by_role("option")
    assert options.locator(".name").all_inner_texts() == [found]
    painter.press("Enter", "b")
    assert painter.marks()[0].startswith(f"1: {found},")


@pytest.mark.fault("K08")
def test_arrows_go_through_the_found_and_escape_leaves_the_marks_alone(painter) -> None:
    painter.press("b", "c")
    painter.page.keyboard.type("part 01")
    painter.press("ArrowDown", "ArrowDown", "ArrowUp")
    field = search(painter)
    active = painter.page.locator(f"#{field.get_attribute('aria-activedescendant')}")
    assert active.locator(".name").inner_text() == NAMES[10]
    painter.press("Enter")
    assert painter.marks()[0].startswith(f"1: {NAMES[10]},"), "the same control labels the selected box"
    painter.press("c", "Escape")
    assert painter.selected() == painter.marks()[0]
    assert painter.page.evaluate("document.activeElement.className") == "canvas"


@pytest.mark.fault("K08")
def test_nothing_found_is_told_and_chooses_nothing(painter) -> None:
    painter.press("b", "c")
    painter.page.keyboard.type("gasket")
    assert "None of 200" in painter.page.locator(".finder .none").inner_text()
    painter.press("Enter")
    assert painter.marks()[0].startswith(f"1: {NAMES[0]},")


@pytest.mark.fault("K08")
def test_the_list_scrolls_within_the_page_and_shows_what_is_chosen(painter) -> None:
    listbox = painter.page.get_by_role("listbox", name="All labels")
    assert painter.page.get_by_role("option").count() == 200
    last = painter.page.get_by_role("option").nth(199)
    last.scroll_into_view_if_needed()
    last.click()
    painter.press("b")
    assert painter.marks()[0].startswith("1: ŁOŻYSKO,")
    assert painter.page.get_by_role("option", selected=True).locator(".name").all_inner_texts() == ["ŁOŻYSKO"]
    assert listbox.evaluate("e => e.clientHeight") < 300 and painter.page.evaluate("scrollY") == 0
    assert painter.page.get_by_role("button", name="Submit and next").is_visible()


@pytest.mark.fault("K08")
def test_a_used_label_gets_a_digit_and_keeps_it_on_the_next_picture(portal, painter) -> None:
    painter.press("c")
    painter.page.keyboard.type("lozysko")
    painter.press("Enter", "b")
    option = painter.page.get_by_role("option", name="ŁOŻYSKO")
    digit = option.locator("kbd").inner_text()
    painter.press("1")
    assert painter.marks()[0].startswith(f"1: {NAMES[0]},"), "the others stayed on their digits"
    painter.press(digit)
    painter.submit_and_leave()
    painter.ready()
    first = painter.page.get_by_role("option").locator(".name").all_inner_texts()[:9]
    assert "ŁOŻYSKO" in first and NAMES[0] in first, "recent ones are above the others"
    painter.press(digit, "b")
    assert painter.marks()[0].startswith("1: ŁOŻYSKO,")


@pytest.mark.fault("K08")
def test_labels_beyond_the_colours_have_lines_of_their_own(painter) -> None:
    looks = painter.page.get_by_role("option").evaluate_all(
        "options => options.map(option => { const look = getComputedStyle(option.querySelector('.swatch'));"
        " return look.backgroundColor + look.backgroundImage; })"
    )
    assert len(set(looks[:28])) == 28


@pytest.mark.fault("K08")
def test_boxes_of_labels_that_share_a_colour_are_drawn_differently(portal, open_task) -> None:
    def row(label: str) -> list[tuple[int, int, int]]:
        box = {"label": label, "left": 100, "top": 100, "width": 400, "height": 300}
        painter = open_task(portal.add_job("boxes", [picture()], NAMES, [box], kind="adjust")[0])
        shot, view = painter.screenshot(), painter.view()
        y = round(view["y"] + 400 * view["scale"])
        return [shot.getpixel((round(view["x"] + x * view["scale"]), y)) for x in range(150, 450)]

    assert len(set(row(NAMES[0]))) < len(set(row(NAMES[7])))


@pytest.mark.fault("K08")
@pytest.mark.parametrize("count", [2, 12])
def test_long_names_that_begin_alike_are_told_apart_wherever_they_are_shown(portal, open_task, count) -> None:
    labels = [*ALIKE, *NAMES[: count - 2]]
    boxes = [
        {"label": label, "left": 100 + 200 * i, "top": 100, "width": 90, "height": 80} for i, label in enumerate(ALIKE)
    ]
    painter = open_task(portal.add_job("boxes", [picture()], labels, boxes, kind="adjust")[0])
    rows = painter.page.locator(".marks .name").all_inner_texts()
    assert rows[0].endswith("variant red") and rows[1].endswith("variant blue")
    tag = painter.page.evaluate("[...document.querySelector('crowd-bounding-box').short.values()].slice(0, 2)")
    assert tag[0].endswith("variant red") and tag[1].endswith("variant blue") and max(map(len, tag)) < 32
    shown = painter.page.locator(".chip .name, .finder .name").first
    assert shown.evaluate("e => e.scrollWidth <= e.clientWidth"), "no name is cut off to the right"


@pytest.mark.fault("K08")
def test_names_that_would_be_shortened_to_the_same_have_their_number(portal, open_task) -> None:
    labels = [f"{'the same beginning ' * 3}{end}{' and the same end' * 3}" for end in ("A", "B")]
    painter = open_task(portal.add_job("boxes", [picture()], labels)[0])
    tags = painter.page.evaluate("[...document.querySelector('crowd-bounding-box').short.values()]")
    assert tags[0].endswith("#1") and tags[1].endswith("#2")


@pytest.mark.fault("K08")
def test_a_right_to_left_name_keeps_its_numbers_in_order(portal, open_task) -> None:
    box = {"label": "ראש 2", "left": 100, "top": 80, "width": 60, "height": 70}
    painter = open_task(portal.add_job("boxes", [picture()], ["ראש 2", "תיק"], [box], kind="adjust")[0])
    assert painter.marks() == ["1: \u2068ראש 2\u2069, 60 × 70 at 100, 80"]
    assert painter.page.locator(".chip bdi").first.inner_text() == "ראש 2"
    painter.submit_and_leave()


@pytest.mark.fault("K08")
def test_many_points_are_found_by_name_too(portal, open_task) -> None:
    names = [f"vertebra {number}" for number in range(1, 34)]
    labels = [label for name in names for label in (name, f"{name} (occluded)")]
    painter = open_task(portal.add_job("key-points", [picture()], labels)[0])
    painter.press("c")
    painter.page.keyboard.type("bra 29")
    painter.press("Enter")
    painter.click(100, 120)
    assert painter.marks()[28] == "29: vertebra 29, visible, at 100, 120"


@pytest.mark.fault("K08")
def test_on_a_phone_the_label_is_chosen_at_the_picture(portal, new_context, open_task) -> None:
    phone = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    painter = open_task(portal.add_job("boxes", [picture()], NAMES)[0], phone)
    hands = Hands(painter)
    hands.finger((50, 60), (350, 300))
    painter.page.get_by_role("button", name="choose another one").tap()
    option = painter.page.get_by_role("dialog").get_by_role("option").nth(120)
    option.scroll_into_view_if_needed()
    option.tap()
    assert painter.marks()[0].startswith(f"1: {NAMES[120]},")
