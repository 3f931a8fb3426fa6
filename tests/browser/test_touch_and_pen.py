"""Everything with fingers and pens: two fingers, palms, interruptions, small screens, no keyboard (K08)."""

from __future__ import annotations

import pytest
from hands import Hands
from painter import near, picture
from served_portal import wait_until

HEAD = {"label": "head", "left": 100, "top": 80, "width": 60, "height": 70}
BAG = {"label": "bag", "left": 300, "top": 200, "width": 90, "height": 50}
NAMES = ["nose", "left eye", "right eye"]
LABELS = [label for name in NAMES for label in (name, f"{name} (occluded)")]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
TABLET = {"viewport": {"width": 1024, "height": 768}, "has_touch": True, "is_mobile": True}
SCREENS = pytest.mark.parametrize("screen", [PHONE, TABLET], ids=["phone", "tablet"])


@pytest.fixture
def on_screen(portal, new_context, open_task):
    """Opens a task on a screen that is touched, and gives the hands to touch it."""

    def opened(screen, template="boxes", labels=("head", "bag"), initial=(HEAD, BAG), **options) -> Hands:
        kind = "adjust" if initial else "annotate"
        task = portal.add_job(template, [picture()] * 2, labels, initial, **{"kind": kind, **options})[0]
        return Hands(open_task(task, new_context(**screen)))

    return opened


def submit(portal, hands: Hands) -> None:
    """By a tap, and on to the next picture."""
    before = hands.page.url
    hands.page.get_by_role("button", name="Submit and next").tap()
    hands.page.wait_for_url(lambda url: url != before)
    assert portal.posts == 1


def middle(hands: Hands) -> tuple[float, float]:
    box = hands.painter.canvas.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@SCREENS
def test_two_fingers_zoom_and_move_and_draw_nothing(on_screen, screen) -> None:
    hands = on_screen(screen)
    painter, (x, y) = hands.painter, middle(hands)
    before = painter.view()["scale"]
    hands.two_fingers(((x - 40, y), (x + 40, y)), ((x - 120, y + 20), (x + 120, y + 20)))
    wait_until(lambda: painter.view()["scale"] > 2 * before, "zoomed in")
    assert len(painter.marks()) == 2
    assert painter.page.evaluate("[scrollX, scrollY, visualViewport.scale]") == [0, 0, 1], "the page stays"


@pytest.mark.fault("K08")
def test_a_third_finger_starts_nothing(on_screen) -> None:
    hands = on_screen(PHONE)
    hands.touch("start", (100, 300))
    hands.touch("start", (100, 300), (300, 300))
    hands.touch("start", (100, 300), (300, 300), (400, 400))
    hands.touch("move", (100, 300), (300, 300), (500, 470))
    hands.touch("end")
    assert len(hands.painter.marks()) == 2


def test_the_finger_that_stays_after_two_draws_nothing(on_screen) -> None:
    hands = on_screen(PHONE)
    hands.touch("start", (100, 300))
    hands.touch("start", (100, 300), (300, 300))
    hands.touch("end", (100, 300))
    hands.touch("move", (250, 400))
    hands.touch("end")
    assert len(hands.painter.marks()) == 2


@pytest.mark.fault("K08")
def test_an_interrupted_finger_changes_nothing_and_the_next_one_works(on_screen) -> None:
    hands = on_screen(PHONE)
    painter = hands.painter
    hands.tap(130, 115)
    hands.touch("start", (130, 115))
    hands.touch("move", (300, 300))
    hands.touch("cancel")
    assert painter.marks() == ["1: head, 60 × 70 at 100, 80", "2: bag, 90 × 50 at 300, 200"]
    hands.finger((400, 300), (500, 400))
    assert near(painter.box(2), 400, 300, 100, 100, 3)


def press_and_lose(hands: Hands, pointer: dict[str, object]) -> None:
    """A pointer comes down at (200, 300) in the window, and the browser says nothing of it any more."""
    lost = {"isPrimary": True, "button": 0, "bubbles": True, "clientX": 200, "clientY": 300} | pointer
    hands.page.evaluate(
        "lost => { const canvas = document.querySelector('.canvas'); canvas.setPointerCapture = () => {};"
        " canvas.dispatchEvent(new PointerEvent('pointerdown', lost)); delete canvas.setPointerCapture; }",
        lost,
    )


@pytest.mark.fault("K08")
@pytest.mark.parametrize("kind", ["touch", "pen", "mouse"])
def test_a_pointer_whose_end_was_never_told_is_forgotten(on_screen, kind) -> None:
    hands = on_screen(PHONE)
    press_and_lose(hands, {"pointerId": 77, "pointerType": kind})
    hands.page.wait_for_timeout(700)
    scale = hands.painter.view()["scale"]
    hands.finger((400, 300), (500, 400))
    assert len(hands.painter.marks()) == 3, "it is no second finger"
    assert near(hands.painter.box(2), 400, 300, 100, 100, 3) and hands.painter.view()["scale"] == scale


@pytest.mark.fault("K08")
def test_a_mouse_whose_button_was_let_go_elsewhere_moves_nothing(on_screen) -> None:
    hands = on_screen(TABLET)
    before = hands.painter.view()
    press_and_lose(hands, {"pointerId": 1, "pointerType": "mouse", "button": 1, "buttons": 4})
    for x in (400, 500):
        hands.hover(x, 400, "mouse")
    assert hands.painter.view() == before


@pytest.mark.fault("K08")
@pytest.mark.parametrize("kind", ["pen", "mouse"])
def test_a_pointer_that_moves_without_a_button_has_ended_and_draws_nothing(on_screen, kind) -> None:
    hands = on_screen(TABLET)
    hands.pen("mousePressed", 400, 300, kind)
    hands.pen("mouseMoved", 430, 330, kind)
    for x in (460, 500):
        hands.hover(x, 400, kind)
    hands.pen("mouseReleased", 500, 400, kind)
    assert len(hands.painter.marks()) == 2
    hands.painter.page.wait_for_timeout(700)
    hands.finger((400, 300), (500, 400))
    assert near(hands.painter.box(2), 400, 300, 100, 100, 3)


@pytest.mark.fault("K08")
def test_a_page_that_nobody_sees_holds_no_pointer(on_screen) -> None:
    """Whoever goes to another tab in the midst of a stroke ends it there, where this page hears nothing of it."""
    hands = on_screen(TABLET)
    hands.pen("mousePressed", 400, 300)
    hands.pen("mouseMoved", 430, 330)
    for state in ("hidden", "visible"):
        hands.page.evaluate(
            f"() => {{ Object.defineProperty(document, 'visibilityState', {{value: '{state}', configurable: true}});"
            " document.dispatchEvent(new Event('visibilitychange')); }"
        )
    hands.page.wait_for_timeout(700)
    hands.finger((400, 300), (500, 400))
    assert len(hands.painter.marks()) == 3 and near(hands.painter.box(2), 400, 300, 100, 100, 3)


@pytest.mark.fault("K08")
def test_the_palm_beside_a_pen_draws_and_zooms_nothing(on_screen) -> None:
    hands = on_screen(TABLET)
    painter = hands.painter
    scale = painter.view()["scale"]
    hands.pen("mousePressed", 400, 300)
    hands.pen("mouseMoved", 430, 330)
    hands.touch("start", (600, 450))
    hands.touch("move", (560, 400))
    hands.pen("mouseMoved", 500, 400)
    hands.pen("mouseReleased", 500, 400)
    hands.touch("end")
    hands.finger((550, 440), (600, 470))
    assert len(painter.marks()) == 3 and near(painter.box(2), 400, 300, 100, 100, 2)
    assert painter.view()["scale"] == scale
    painter.page.wait_for_timeout(700)
    hands.finger((200, 300), (280, 400))
    assert len(painter.marks()) == 4, "without a pen a finger draws again"


@pytest.mark.fault("K08")
def test_the_palm_that_comes_while_the_pen_rests_draws_and_zooms_nothing(on_screen) -> None:
    hands = on_screen(TABLET)
    painter = hands.painter
    scale = painter.view()["scale"]
    hands.pen("mousePressed", 400, 300)
    hands.pen("mouseMoved", 430, 330)
    painter.page.wait_for_timeout(800)
    hands.touch("start", (600, 450))
    hands.touch("move", (560, 400))
    hands.pen("mouseMoved", 480, 380)
    hands.pen("mouseMoved", 500, 400)
    hands.pen("mouseReleased", 500, 400)
    hands.touch("end")
    assert len(painter.marks()) == 3 and near(painter.box(2), 400, 300, 100, 100, 2)
    assert painter.view()["scale"] == scale


@pytest.mark.fault("K08")
@pytest.mark.parametrize(("grip", "to", "wanted"), [
    ((400, 260), (440, 300), (300, 200, 130, 90)),
    ((290, 190), (260, 170), (270, 180, 120, 70)),
], ids=["lower right", "upper left"])  # fmt: skip
def test_a_finger_beside_a_corner_takes_it(on_screen, grip, to, wanted) -> None:
    """22 pixels of the screen around a corner are 44 across."""
    hands = on_screen(TABLET)
    scale = hands.painter.view()["scale"]
    hands.tap(345, 225)
    away = 19 / scale
    corner = (390, 250) if grip[0] > 345 else (300, 200)
    start = (corner[0] + away, corner[1] + away) if grip[0] > 345 else (corner[0] - away, corner[1] - away)
    hands.finger(start, (start[0] + to[0] - grip[0], start[1] + to[1] - grip[1]))
    assert len(hands.painter.marks()) == 2 and near(hands.painter.box(1), *wanted, 2)


@SCREENS
@pytest.mark.fault("K08")
def test_everything_that_is_touched_is_large_enough_and_on_the_screen(on_screen, screen) -> None:
    hands = on_screen(screen)
    small = hands.page.evaluate(
        "[...document.querySelectorAll('button, a, label, select')].filter(e => e.checkVisibility())"
        ".map(e => [e.textContent, e.getBoundingClientRect()])"
        ".filter(([, r]) => r.height < 43.5 || r.width < 43.5 || r.left < 0 || r.right > innerWidth)"
        ".map(([text, r]) => `${text} ${r.width}x${r.height}`).filter(text => !text.startsWith('Note'))"
    )
    assert small == []
    assert hands.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"


@SCREENS
@pytest.mark.fault("K08")
def test_boxes_are_labelled_deleted_and_submitted_without_a_keyboard(portal, on_screen, screen) -> None:
    hands = on_screen(screen)
    page, painter = hands.page, hands.painter

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).tap()

    hands.tap(130, 115)
    press("Delete")
    assert len(painter.marks()) == 1
    press("Undo")
    press("Redo")
    assert len(painter.marks()) == 1
    press("Undo")
    assert len(painter.marks()) == 2
    hands.finger((400, 300), (500, 400))
    assert len(painter.marks()) == 3
    page.locator(".panel").get_by_role("button", name="Label bag").tap()
    assert painter.marks()[2].startswith("3: bag")
    press("Zoom in")
    press("Fit the picture")
    page.get_by_role("checkbox", name="Nothing here").tap()
    assert painter.marks() == []
    press("Undo")
    assert len(painter.marks()) == 3
    submit(portal, hands)


@SCREENS
@pytest.mark.fault("K08")
def test_points_are_placed_hidden_and_left_out_without_a_keyboard(portal, on_screen, screen) -> None:
    hands = on_screen(screen, "key-points", LABELS, ())
    painter = hands.painter
    visibility = hands.page.get_by_role("button", name="Visibility", exact=True)
    hands.tap(100, 120)
    visibility.tap()
    hands.tap(140, 100)
    hands.finger((140, 100), (160, 110))
    hands.page.get_by_role("button", name="right eye is not set: change to outside").tap()
    assert painter.marks()[0] == "1: nose, occluded, at 100, 120" and "outside" in painter.marks()[2]
    assert "left eye, visible, at 1" in painter.marks()[1]
    submit(portal, hands)


@pytest.mark.fault("K08")
def test_points_close_to_each_other_are_tapped_one_after_the_other(on_screen) -> None:
    hands = on_screen(TABLET, "key-points", LABELS, ())
    painter = hands.painter
    near_by = 16 / painter.view()["scale"]
    for x in (100, 100 + near_by, 100 - near_by):
        hands.tap(x, 120)
    assert all("visible" in mark for mark in painter.marks())
    hands.finger((100 - near_by, 130), (60, 200))
    assert "visible, at " in painter.marks()[2] and painter.marks()[0] == "1: nose, visible, at 100, 120"


@SCREENS
def test_a_verdict_is_given_without_a_keyboard(portal, on_screen, screen) -> None:
    hands = on_screen(screen, "verify-boxes", ["head"], [HEAD], kind="verify")
    hands.page.get_by_role("button", name="reject").tap()
    submit(portal, hands)


@pytest.mark.fault("K08")
def test_submitting_stays_in_sight_on_a_phone(on_screen) -> None:
    hands = on_screen(PHONE)
    submit = hands.page.get_by_role("button", name="Submit and next")

    def is_in_sight() -> bool:
        box = submit.bounding_box()
        return box["y"] >= 0 and box["y"] + box["height"] <= 844

    assert is_in_sight()
    hands.page.evaluate("scrollTo(0, 400)")
    assert is_in_sight()


def test_work_and_what_is_in_sight_survive_a_turned_screen(on_screen) -> None:
    hands = on_screen(PHONE)
    painter = hands.painter
    hands.finger((400, 300), (500, 400))
    before = painter.marks()
    hands.page.set_viewport_size({"width": 844, "height": 390})
    wait_until(lambda: painter.canvas.bounding_box()["width"] > 600, "turned")
    assert painter.marks() == before
    painter.canvas.scroll_into_view_if_needed()
    hands.finger((200, 200), (260, 280))
    assert near(painter.box(3), 200, 200, 60, 80, 4)


@pytest.mark.fault("K08")
def test_a_page_that_turns_during_a_drag_keeps_the_drag(on_screen) -> None:
    hands = on_screen(TABLET)
    hands.touch("start", (400, 300))
    hands.touch("move", (450, 350))
    hands.page.set_viewport_size({"width": 900, "height": 700})
    hands.page.wait_for_timeout(100)
    hands.touch("move", (500, 400))
    hands.touch("end")
    assert near(hands.painter.box(2), 400, 300, 100, 100, 3)
