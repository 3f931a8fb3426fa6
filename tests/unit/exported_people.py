"""Labels of made-up images for tests of files that other tools read."""

from hypothesis import strategies as st
from labelloop.contracts.manifests import Annotation
from labelloop.contracts.records import Box, KeyPoint, Person
from labelloop.contracts.skeletons import PRESETS, Vocabulary

HEAD = PRESETS["head"]
CLASSES = ("bag", "head")
OF_BOXES, OF_PEOPLE = Vocabulary("boxes", CLASSES), Vocabulary("key-points", HEAD.names, HEAD)
WIDTH, HEIGHT = 640, 427


def label(number=1, boxes=(), people=None, role="train", key="incoming/a/images/{number}.JPG"):
    reference = f"s3://labelloop-data/{key.format(number=number)}"
    marks, task = (boxes, "boxes") if people is None else (people, "key-points")
    return Annotation(reference, None, WIDTH, HEIGHT, marks, True, "x", "j", {"role": role}, task=task)


@st.composite
def boxes(draw, names=CLASSES):
    left, top = draw(st.floats(0, WIDTH - 2)), draw(st.floats(0, HEIGHT - 2))
    right, bottom = draw(st.floats(left + 1.5, WIDTH)), draw(st.floats(top + 1.5, HEIGHT))
    return Box(draw(st.sampled_from(names)), left, top, right - left, bottom - top)


@st.composite
def people(draw, skeleton=HEAD):
    points = []
    for name in skeleton.names:
        said = draw(st.sampled_from(["visible", "occluded", "outside", "unlabelled"]))
        placed = said in ("visible", "occluded")
        x, y = draw(st.floats(0, WIDTH)), draw(st.floats(0, HEIGHT))
        points.append(KeyPoint(name, x if placed else None, y if placed else None, said))
    return Person(draw(boxes(("person",))), tuple(points), area=draw(st.none() | st.floats(1, 9999)))


def same_in_files(point):
    """Files have one word for points outside the view and unlabelled ones."""
    return "no place" if point.x is None else point.visibility
