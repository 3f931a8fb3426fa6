"""Files that are not pictures, pictures stored in odd ways, and names that break careless code.

One batch of them all, labelled by people, teaches a model, which labels the same files in a second batch.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from forgetting import forget
from loop import Loop, Run
from PIL import Image
from served import callbacks

from tests.support.pictures import SIDE, Picture, picture, pictures

NAMES = [
    "two  spaces.png",
    "plus+plus.png",
    "percent%20%2F.png",
    'quote\'s "double".png',
    "emoji 😀 ünï.png",
    "a&b=c?#.png",
    # S3 allows these, a file system does not, which training's files lie in.
    "long " + "x" * 300 + ".png",
    "deep/" * 120 + "a.png",
    "clash.png",
    "clash.png/crop.png",
    "Case.png",
    "case.png",
    "ends with a dot.",
]
# What browsers, or readers of lines, would take for another name: people and models see these under a name of ours.
UNCARRIED = ["two//slashes.png", "up/../down.png", "line\nfeed.png"]
LEARNED_LITTLE = 0.5  # IoU that a model of a dozen pictures reaches on any


def encode(image: Image.Image, format_name: str, **options: Any) -> bytes:
    stored = io.BytesIO()
    image.save(stored, format_name, **options)
    return stored.getvalue()


def decoded(drawn: Picture) -> Image.Image:
    return Image.open(io.BytesIO(drawn.body)).convert("RGB")


def renamed(drawn: Picture, name: str, body: bytes | None = None) -> Picture:
    return Picture(name, drawn.body if body is None else body, drawn.boxes)


def rotated(drawn: Picture) -> bytes:
    """Stored lying on its side, with the note that turns it upright: orientation 6 is shown turned clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = decoded(drawn).transpose(Image.Transpose.ROTATE_90)
    return encode(lying, "JPEG", exif=exif.tobytes(), quality=95, subsampling=0)


def two_minds(drawn: Picture) -> bytes:
    """Stored upright, with two EXIF blocks: the first says nothing of it, the second that it is to be turned."""
    blocks = b""
    for tag, value in ((0x0110, "a camera"), (0x0112, 6)):
        exif = Image.Exif()
        exif[tag] = value
        body = exif.tobytes()
        blocks += b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body
    stored = encode(decoded(drawn), "JPEG", quality=95, subsampling=0)
    return stored[:2] + blocks + stored[2:]


def stated_elsewhere(drawn: Picture) -> bytes:
    """Stored upright, with an orientation in its XMP and a profile that no decoder need follow."""
    xmp = b'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="8"/>'
    return encode(decoded(drawn), "JPEG", quality=95, subsampling=0, xmp=xmp)


def deep(drawn: Picture) -> bytes:
    """16 bits in each of three channels, of which the darkest tenth and the brightest are not used."""
    values = np.asarray(decoded(drawn)).astype(np.uint16) * 200 + 6000
    done, stored = cv2.imencode(".png", values[:, :, ::-1])
    assert done
    return stored.tobytes()


def deep_gray(drawn: Picture) -> bytes:
    values = np.asarray(decoded(drawn).convert("L")).astype(np.uint16) * 200 + 6000
    return encode(Image.fromarray(values), "PNG")


def odd_files() -> list[Picture]:
    upright, plain = picture("rotated", 3), picture("plain", 0)
    huge = Image.new("1", (10_000, 9_000))
    return [
        Picture("empty.jpg", b"", ()),
        Picture("text.jpg", "not a picture, ü 😀\n".encode() * 50, ()),
        Picture("truncated.jpg", encode(Image.effect_noise((200, 200), 60), "JPEG")[:3000], ()),
        Picture("huge.png", encode(huge, "PNG"), ()),
        renamed(plain, "deep.png", deep(plain)),
        renamed(plain, "deep-gray.png", deep_gray(plain)),
        renamed(plain, "cmyk.jpg", encode(decoded(plain).convert("CMYK"), "JPEG", quality=95, subsampling=0)),
        renamed(upright, "rotated.jpg", rotated(upright)),
        renamed(upright, "two-minds.jpg", two_minds(upright)),
        renamed(upright, "stated-elsewhere.jpg", stated_elsewhere(upright)),
        renamed(picture("twins", 0), "twin-a.png"),
        renamed(picture("twins", 0), "twin-b.png"),
        *(renamed(picture("names", number), name) for number, name in enumerate([*NAMES, *UNCARRIED])),
    ]


REJECTED = {
    "empty.jpg": "empty",
    "text.jpg": "not-an-image",
    "truncated.jpg": "truncated",
    "huge.png": "too-many-pixels",
}
ODD = odd_files()
FILES = [*ODD, *pictures(16, seed="ordinary")]


def saved_again(drawn: Picture) -> Picture:
    """The same picture in other bytes: what people labelled is known by its bytes, and no model would be asked."""
    if drawn.name in REJECTED:
        return drawn
    if drawn.body.startswith(b"\x89PNG"):
        text = b"tEXtComment\0saved again"
        chunk = (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4)
        return renamed(drawn, drawn.name, drawn.body[:33] + chunk + drawn.body[33:])
    return renamed(drawn, drawn.name, drawn.body[:2] + b"\xff\xfe\x00\x0dsaved again" + drawn.body[2:])


@pytest.fixture(scope="module")
def by_people(deployed: Loop) -> Iterator[Run]:
    """Everything is sampled: the role of each image follows from its content alone, and people see them all."""
    with (
        deployed.settings("RegisterBatch", SAMPLE_RATE="1"),
        deployed.settings("JudgeBatch", HUMAN_BUDGET="100"),
    ):
        run = deployed.label("odd files", FILES)
        deployed.assert_sound(run)
        yield run
    forget(deployed)


@pytest.fixture(scope="module")
def by_machine(deployed: Loop, by_people: Run) -> Iterator[Run]:
    """The same pictures, saved again, in another batch: the model of the first labels all it can read."""
    assert deployed.champion() is not None
    fixed = {"ACCEPT_POLICY": "fixed", "ACCEPT_THRESHOLD": "0"}
    with (
        deployed.settings("RegisterBatch", SAMPLE_RATE="0", SAMPLE_MINIMUM="0"),
        deployed.settings("JudgeBatch", "ReportBatch", **fixed),
    ):
        run = deployed.label("odd files again", [saved_again(each) for each in FILES])
        deployed.assert_sound(run)
        yield run


@pytest.mark.parametrize(("name", "reason"), REJECTED.items())
@pytest.mark.parametrize("labeller", ["by_people", "by_machine"])
def test_an_unusable_file_is_rejected_with_its_reason_and_the_batch_completes(
    deployed: Loop, labeller: str, name: str, reason: str, request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(labeller)
    key = f"incoming/{run.prefix}/{name}"
    assert deployed.outcomes(run.batch)[key] == ["rejected"]
    told = deployed.summary(run.batch)["rejected_reasons"][key]
    assert told.startswith(f"{reason}: ") and len(told) > len(reason) + 10
    deployed.assert_conserved(run)


def test_nothing_but_the_unusable_files_is_rejected(deployed: Loop, by_people: Run, by_machine: Run) -> None:
    for run, outcome in ((by_people, "human"), (by_machine, "auto")):
        deployed.assert_conserved(run)
        found = {key.rpartition(f"{run.prefix}/")[2]: each for key, each in deployed.outcomes(run.batch).items()}
        assert found == {each.name: ["rejected"] if each.name in REJECTED else [outcome] for each in FILES}


def test_an_image_with_an_orientation_note_is_labelled_in_upright_pixels(
    deployed: Loop, by_people: Run, by_machine: Run
) -> None:
    truth = named("rotated.jpg").boxes
    sideways = [{**box, "left": box["top"], "top": SIDE - box["left"] - box["width"]} for box in truth]
    assert overlap(truth, sideways) < 0.2, "the picture must tell upright from lying"
    for run in (by_people, by_machine):
        line = label(deployed, run, "rotated.jpg")
        assert overlap(truth, line["boxes"]["annotations"]) > LEARNED_LITTLE
        upright = Image.open(io.BytesIO(rendition(deployed, line)))
        assert upright.size == (SIDE, SIDE) and not upright.getexif()
        for box in truth:
            middle = box["left"] + box["width"] // 2, box["top"] + box["height"] // 2
            assert near(upright.convert("RGB").getpixel(middle), upright_pixel(middle))
        deployed.assert_conserved(run)


@pytest.mark.fault("K01")
@pytest.mark.parametrize("name", ["two-minds.jpg", "stated-elsewhere.jpg"])
def test_a_photograph_that_decoders_turn_differently_is_one_picture_to_people_model_and_trainer(
    deployed: Loop, by_people: Run, by_machine: Run, name: str
) -> None:
    """The labelling page, the container and the training channel all get the same stream without what turns it."""
    for run in (by_people, by_machine):
        line = label(deployed, run, name)
        shown = rendition(deployed, line)
        assert line["source-ref"].endswith(".jpg")
        assert b"Exif" not in shown and b"tiff:Orientation" not in shown
        assert shown == encode(decoded(picture("rotated", 3)), "JPEG", quality=95, subsampling=0)
        assert overlap(named(name).boxes, line["boxes"]["annotations"]) > LEARNED_LITTLE
        deployed.assert_conserved(run)
    reference = label(deployed, by_people, name)["source-ref"]
    asked = [
        each["source-ref"]
        for key in deployed.keys(f"batches/{by_people.batch}/labeling/")
        if key.endswith(".manifest") and "/output/" not in key
        for each in deployed.lines(key)
    ]
    assert reference in asked, "people were shown the rendition"
    original = reference_of(deployed, by_people, name)
    assert original not in asked
    (job,) = (row["id"].partition("#")[2] for row in callbacks(deployed, "training"))
    used = [
        each["source-ref"]
        for role in ("train", "judge")
        for each in deployed.lines(f"training/{job}/dataset/{role}.jsonl")
    ]
    assert reference in used and original not in used


def reference_of(loop: Loop, run: Run, name: str) -> str:
    return f"s3://{loop.bucket}/incoming/{run.prefix}/{name}"


@pytest.mark.parametrize("name", ["cmyk.jpg", "deep.png"])
def test_an_image_of_an_unusual_kind_is_shown_as_ordinary_colours_to_people_and_machine(
    deployed: Loop, by_people: Run, by_machine: Run, name: str
) -> None:
    """CMYK, and 16 bits in each channel."""
    for run in (by_people, by_machine):
        line = label(deployed, run, name)
        shown = Image.open(io.BytesIO(rendition(deployed, line)))
        assert (shown.mode, shown.size) == ("RGB", (SIDE, SIDE))
        assert overlap(named(name).boxes, line["boxes"]["annotations"]) > LEARNED_LITTLE
        deployed.assert_conserved(run)


def test_a_gray_image_of_16_bits_is_windowed_to_8_and_the_window_is_on_record(deployed: Loop, by_people: Run) -> None:
    line = label(deployed, by_people, "deep-gray.png")
    shown = np.asarray(Image.open(io.BytesIO(rendition(deployed, line))).convert("L"))
    assert shown.min() < 30 and shown.max() > 225, "the window is spread over all 8 bits"
    inspected = [
        record
        for shard in deployed.keys(f"batches/{by_people.batch}/inspected/")
        for record in deployed.lines(shard)
        if record["key"].endswith("deep-gray.png")
    ]
    (darkest, brightest) = inspected[0]["scale"]
    assert 6000 <= darkest < brightest <= 6000 + 255 * 200
    deployed.assert_conserved(by_people)


@pytest.mark.fault("G06")
def test_two_identical_files_are_two_images_with_one_role(deployed: Loop, by_people: Run, by_machine: Run) -> None:
    one, other = (label(deployed, by_people, name) for name in ("twin-a.png", "twin-b.png"))
    assert one["provenance"]["sha256"] == other["provenance"]["sha256"]
    assert one["provenance"]["role"] == other["provenance"]["role"]
    assert one["boxes"] == other["boxes"] and one["source-ref"] != other["source-ref"]
    first, second = (label(deployed, by_machine, name) for name in ("twin-a.png", "twin-b.png"))
    assert first["boxes"] == second["boxes"]
    deployed.assert_conserved(by_machine)


@pytest.mark.fault("A12", "A13", "K02")
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_survives_the_way_into_the_manifest_and_the_training_channel(
    deployed: Loop, by_people: Run, by_machine: Run, name: str
) -> None:
    for run in (by_people, by_machine):
        reference = f"s3://{deployed.bucket}/incoming/{run.prefix}/{name}"
        line = label(deployed, run, name)
        assert line["source-ref"] == reference and "original-ref" not in line
        assert overlap(named(name).boxes, line["boxes"]["annotations"]) > LEARNED_LITTLE
        deployed.assert_conserved(run)
    reference = f"s3://{deployed.bucket}/incoming/{by_people.prefix}/{name}"
    (job,) = (row["id"].partition("#")[2] for row in callbacks(deployed, "training"))
    role = label(deployed, by_people, name)["provenance"]["role"]
    trained = deployed.lines(f"training/{job}/dataset/{role}.jsonl")
    assert reference in [each["source-ref"] for each in trained]
    if role != "train":
        scored = {each["source-ref"]: each for each in deployed.lines(f"training/{job}/scores/challenger-{role}.jsonl")}
        assert scored[reference]["status"] == "ok" and scored[reference]["boxes"]


@pytest.mark.fault("K02")
@pytest.mark.parametrize("name", UNCARRIED)
def test_a_name_that_not_everything_can_carry_is_labelled_and_trained_on_under_a_name_of_ours(
    deployed: Loop, by_people: Run, by_machine: Run, name: str
) -> None:
    for run, stored in ((by_people, named(name)), (by_machine, saved_again(named(name)))):
        line = label(deployed, run, name)
        assert rendition(deployed, line) == stored.body
        assert overlap(named(name).boxes, line["boxes"]["annotations"]) > LEARNED_LITTLE
        deployed.assert_conserved(run)


@pytest.mark.fault("K02")
def test_the_training_job_found_every_image_it_was_given(deployed: Loop, by_people: Run) -> None:
    (training,) = by_people.trainings
    metrics = deployed.json(f"models/{training.output['comparison']['model_version']}/metrics.json")["metrics"]
    assert metrics["train"]["skipped_images"] == 0
    assert metrics["train"]["images"] == training.output["dataset"]["train"] > 0
    contents = {each.body for each in FILES if each.name not in REJECTED}
    roles = ("train", "judge")
    assert sum(training.output["dataset"][role] for role in roles) == len(contents), "twins train or judge once"
    deployed.assert_conserved(by_people)


def named(name: str) -> Picture:
    (found,) = [each for each in ODD if each.name == name]
    return found


def upright_pixel(place: tuple[int, int]) -> Any:
    return decoded(picture("rotated", 3)).getpixel(place)


def near(one: Any, other: Any) -> bool:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) < 60


def label(loop: Loop, run: Run, name: str) -> dict[str, Any]:
    """The manifest line of a file of the batch, whatever stands for it."""
    original = f"s3://{loop.bucket}/incoming/{run.prefix}/{name}"
    (line,) = [line for line in loop.manifest(run.batch) if line.get("original-ref", line["source-ref"]) == original]
    return line


def rendition(loop: Loop, line: dict[str, Any]) -> bytes:
    assert "/canonical/" in line["source-ref"] and line["original-ref"] != line["source-ref"]
    return loop.get(line["source-ref"].removeprefix(f"s3://{loop.bucket}/"))


def overlap(truths: Any, drawn: Any) -> float:
    """The smallest IoU of a true box with its best drawn one; 0 where their numbers differ."""
    if len(truths) != len(drawn):
        return 0.0
    return min(max(iou(truth, box) for box in drawn) for truth in truths)


def iou(one: dict[str, Any], other: dict[str, Any]) -> float:
    width = min(one["left"] + one["width"], other["left"] + other["width"]) - max(one["left"], other["left"])
    height = min(one["top"] + one["height"], other["top"] + other["height"]) - max(one["top"], other["top"])
    shared = max(0.0, width) * max(0.0, height)
    return float(shared / (one["width"] * one["height"] + other["width"] * other["height"] - shared))
