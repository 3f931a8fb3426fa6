"""Every key of the help, in Chromium."""

from __future__ import annotations

import pytest
from painter import picture

HEAD = {"label": "head", "left": 100, "top": 80, "width": 60, "height": 70}
BAG = {"label": "bag", "left": 300, "top": 200, "width": 90, "height": 50}


@pytest.fixture
def painter(portal, open_task):
    return open_task(portal.add_job("boxes", [picture()] * 2, ["head", "bag"], [HEAD, BAG], kind="adjust")[0])


def test_digits_label_the_selected_box_or_the_next(painter) -> None:
    painter.press("2", "b")
    assert painter.marks()[2].startswith("3: bag")
    painter.press("1")
    assert painter.marks()[2].startswith("3: head")
    painter.press("9")
    assert painter.marks()[2].startswith("3: head")


def test_arrows_move_and_ctrl_arrows_resize(painter) -> None:
    painter.press("Tab", "ArrowRight", "ArrowDown", "Shift+ArrowLeft", "Shift+ArrowUp")
    assert painter.box(0) == {"left": 91, "top": 71, "width": 60, "height": 70}
    painter.press("Control+ArrowRight", "Control+Shift+ArrowDown", "Control+ArrowUp")
    assert painter.box(0) == {"left": 91, "top": 71, "width": 61, "height": 79}


def test_nudges_of_one_kind_are_undone_together(painter) -> None:
    painter.press("Tab", "ArrowRight", "ArrowRight", "ArrowRight", "Control+ArrowRight", "u")
    assert painter.box(0) == {**_sides(HEAD), "left": 103}
    painter.press("Control+z")
    assert painter.box(0) == _sides(HEAD)
    painter.press("Control+y")
    assert painter.box(0)["left"] == 103
    painter.press("u", "u", "u")
    assert painter.box(0) == _sides(HEAD)


def test_tab_goes_through_the_marks_and_on(painter) -> None:
    painter.press("Tab")
    assert painter.selected() == painter.marks()[0]
    painter.press("Tab")
    assert painter.selected() == painter.marks()[1]
    painter.press("Shift+Tab")
    assert painter.selected() == painter.marks()[0]
    painter.press("Tab", "Tab")
    assert painter.selected() is None
    assert painter.page.evaluate("document.activeElement.localName") in ("button", "a"), "no keyboard trap"


def test_escape_deselects(painter) -> None:
    painter.press("Tab", "Escape")
    assert painter.selected() is None


@pytest.mark.parametrize("key", ["Delete", "Backspace"])
def test_delete_removes_the_selected_box_only(painter, key) -> None:
    painter.press(key)
    assert len(painter.marks()) == 2
    painter.press("Tab", key)
    assert painter.marks() == ["1: bag, 90 × 50 at 300, 200"]


def test_plus_minus_and_zero_zoom(painter) -> None:
    fitted = painter.view()
    painter.press("+", "+")
    assert painter.view()["scale"] > 1.5 * fitted["scale"]
    painter.press("-")
    assert painter.view()["scale"] < 1.5 * fitted["scale"]
    painter.press("0")
    assert painter.view() == pytest.approx(fitted)


def test_question_mark_shows_the_keys_and_escape_closes_them(painter) -> None:
    painter.press("?")
    dialog = painter.page.get_by_role("dialog", name="Keys")
    assert "undo" in dialog.inner_text()
    painter.press("Delete", "n", "Escape")
    assert not dialog.is_visible() and len(painter.marks()) == 2, "keys rest while the help is open"


def test_enter_submits_and_opens_the_next_picture(portal, painter) -> None:
    first = painter.page.url
    painter.page.keyboard.down("Enter")
    painter.page.wait_for_url(lambda url: url != first)
    painter.ready()
    painter.page.keyboard.down("Enter")
    painter.page.keyboard.up("Enter")
    assert portal.posts == 1, "a held Enter answers one picture"
    painter.press("Enter")
    painter.page.wait_for_url(f"{portal.url}/")
    assert portal.posts == 2


def test_letters_in_the_note_are_only_letters(painter) -> None:
    note = painter.page.get_by_label("Note")
    note.focus()
    painter.page.keyboard.type("unbv12?")
    assert note.input_value() == "unbv12?" and len(painter.marks()) == 2
    painter.press("Escape")
    painter.press("b")
    assert len(painter.marks()) == 3


def test_after_a_click_on_a_button_keys_no_longer_go_into_the_note(painter) -> None:
    note = painter.page.get_by_label("Note")
    note.fill("ok")
    painter.page.get_by_role("button", name="1: head, 60 × 70 at 100, 80").click()
    painter.press("ArrowRight", "b")
    assert note.input_value() == "ok" and painter.box(0)["left"] == 101 and len(painter.marks()) == 3


def test_escape_leads_past_the_marks_to_the_panel(painter) -> None:
    painter.press("Tab", "Escape", "Escape")
    assert painter.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Label head"
    painter.press("Escape")
    assert painter.page.evaluate("document.activeElement.className") == "canvas"


def _sides(box: dict) -> dict:
    return {side: box[side] for side in ("left", "top", "width", "height")}
