"""Keys by what they type and by their place: other alphabets, other rows of digits, letters elsewhere (K08)."""

from __future__ import annotations

import pytest
from hands import CTRL, SHIFT, Hands
from painter import picture
from served_portal import wait_until

HEAD = {"label": "head", "left": 100, "top": 80, "width": 60, "height": 70}
BAG = {"label": "bag", "left": 300, "top": 200, "width": 90, "height": 50}
LABELS = ["head", "bag", "phone", "hat", "shoe", "coat", "belt", "ring", "cane"]


@pytest.fixture
def hands(portal, open_task) -> Hands:
    return Hands(open_task(portal.add_job("boxes", [picture()] * 2, LABELS, [HEAD, BAG], kind="adjust")[0]))


@pytest.fixture
def painter(hands):
    return hands.painter


# What the keys type that have B, U and N on an English keyboard.
@pytest.mark.fault("K08")
@pytest.mark.parametrize(
    ("add", "undo", "nothing"),
    [("и", "г", "т"), ("β", "θ", "ν"), ("נ", "ו", "מ"), ("ﻻ", "ع", "ى"), ("ㅠ", "ㅕ", "ㅜ"), ("И", "Г", "Т")],
    ids=["Russian", "Greek", "Hebrew", "Arabic", "Korean", "Russian with caps lock"],
)
def test_letters_of_another_alphabet_mean_the_key_at_their_place(hands, painter, add, undo, nothing) -> None:
    hands.key(add, "KeyB")
    assert len(painter.marks()) == 3
    hands.key(undo, "KeyU")
    assert len(painter.marks()) == 2
    hands.key(nothing, "KeyN")
    assert painter.marks() == []


@pytest.mark.fault("K08")
def test_control_and_a_cyrillic_letter_undoes_and_does_again(hands, painter) -> None:
    painter.press("b")
    hands.key("я", "KeyZ", CTRL)
    assert len(painter.marks()) == 2
    hands.key("Я", "KeyZ", CTRL | SHIFT)
    assert len(painter.marks()) == 3
    hands.key("я", "KeyZ", CTRL)
    hands.key("н", "KeyY", CTRL)
    assert len(painter.marks()) == 3


@pytest.mark.fault("K08")
@pytest.mark.parametrize(
    ("typed", "code", "label"),
    [
        ("é", "Digit2", "bag"),
        ('"', "Digit3", "phone"),
        ("-", "Digit6", "coat"),
        ("+", "Digit1", "head"),
        ("ě", "Digit2", "bag"),
        ("ž", "Digit6", "coat"),
        ("٣", "Digit3", "phone"),
        ("ภ", "Digit4", "hat"),
        ("٤", "Numpad4", "hat"),
    ],
    ids=["fr 2", "fr 3", "fr 6", "cs 1", "cs 2", "cs 6", "ar 3", "th 4", "ar numpad"],
)
def test_the_row_of_digits_chooses_labels_without_shift_whatever_it_types(hands, painter, typed, code, label) -> None:
    painter.press("9", "Tab", "Tab")
    scale = painter.view()["scale"]
    hands.key(typed, code)
    assert painter.marks()[1].startswith(f"2: {label},")
    assert painter.view()["scale"] == scale, "minus on the key of the 6 zooms nothing"


def test_digits_with_shift_and_on_the_numpad_choose_too(hands, painter) -> None:
    painter.press("Tab")
    hands.key("4", "Digit4", SHIFT)
    assert painter.marks()[0].startswith("1: hat,")
    hands.key("3", "Numpad3")
    assert painter.marks()[0].startswith("1: phone,")


@pytest.mark.fault("K08")
def test_the_zero_of_a_french_keyboard_fits_the_picture(hands, painter) -> None:
    fitted = painter.view()
    painter.press("+", "+")
    hands.key("à", "Digit0")
    assert painter.view() == pytest.approx(fitted)


def test_latin_letters_mean_what_they_type_wherever_they_are(hands, painter) -> None:
    painter.press("b")
    hands.key("z", "KeyY", CTRL)  # German
    assert len(painter.marks()) == 2
    hands.key("y", "KeyZ", CTRL)
    assert len(painter.marks()) == 3
    hands.key("u", "KeyF")  # Dvorak
    assert len(painter.marks()) == 2
    hands.key("g", "KeyU")  # Dvorak: the U of QWERTY types a g
    hands.key("ç", "KeyB")  # Turkish F
    assert len(painter.marks()) == 2


@pytest.mark.fault("K08")
@pytest.mark.parametrize(("typed", "code"), [("؟", "Slash"), ("?", "Digit7"), ("?", "Comma"), ("?", "Minus")])
def test_the_question_mark_of_every_keyboard_shows_the_help(hands, painter, typed, code) -> None:
    hands.key(typed, code, SHIFT)
    assert painter.page.get_by_role("dialog", name="Keys").is_visible()


@pytest.mark.fault("K08")
def test_the_help_names_keys_as_this_keyboard_has_them(portal, new_context, open_task) -> None:
    context = new_context()
    context.add_init_script(
        "Object.defineProperty(navigator, 'keyboard', {value: {getLayoutMap: async () =>"
        " new Map([['KeyU', 'г'], ['KeyN', 'т'], ['KeyB', 'b']])}})"
    )
    painter = open_task(portal.add_job("boxes", [picture()], ["head"])[0], context)
    painter.press("?")
    dialog = painter.page.get_by_role("dialog", name="Keys")
    wait_until(lambda: "U, Ctrl + Z (Г)" in dialog.inner_text(), "the help has the keyboard's own letters")
    assert "N (Т)" in dialog.inner_text() and "B (" not in dialog.inner_text()


@pytest.mark.fault("K08")
@pytest.mark.parametrize(
    "composing", [{"key": "Process", "windowsVirtualKeyCode": 229}, {"windowsVirtualKeyCode": 229}]
)
def test_a_key_that_an_input_method_takes_is_no_shortcut(hands, painter, composing) -> None:
    hands.key(composing.pop("key", "n"), "KeyN", **composing)
    assert len(painter.marks()) == 2


def test_keys_of_the_browser_stay_the_browsers(hands, painter) -> None:
    for code, key in (("KeyN", "n"), ("KeyU", "u"), ("KeyD", "d"), ("Digit2", "é"), ("KeyB", "и"), ("KeyC", "c")):
        hands.key(key, code, CTRL)
        hands.key(key, code, 1)  # Alt
    assert painter.marks() == ["1: head, 60 × 70 at 100, 80", "2: bag, 90 × 50 at 300, 200"]
    assert painter.page.get_by_role("dialog").count() == 0


@pytest.mark.fault("K08")
def test_a_key_that_is_held_does_once_what_is_done_once(hands, painter) -> None:
    for key in ("b", "n", "n"):
        painter.page.keyboard.down(key)
    assert painter.marks() == [], "a held N is one N"
    painter.page.keyboard.up("n")
    painter.page.keyboard.up("b")


def test_no_shortcut_works_in_fields_whatever_the_keyboard(hands, painter) -> None:
    painter.page.get_by_label("Note").focus()
    for key, code in (("и", "KeyB"), ("т", "KeyN"), ("é", "Digit2"), ("ו", "KeyU"), ("c", "KeyC")):
        hands.key(key, code)
    assert painter.marks() == ["1: head, 60 × 70 at 100, 80", "2: bag, 90 × 50 at 300, 200"]


def test_the_picture_is_given_back_with_shift_and_g_only(portal, hands, painter) -> None:
    painter.press("g")
    assert portal.released == []
    hands.key("П", "KeyG", SHIFT)
    painter.page.wait_for_url(f"{portal.url}/")
    assert len(portal.released) == 1
