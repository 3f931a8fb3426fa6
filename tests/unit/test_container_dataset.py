"""What a training job makes of its input, and how boxes become predictions; no torch needed."""

import hashlib
import json
from dataclasses import replace

import pytest
from container_fixtures import draw_heads, encoded, manifest_record, store_image, write_manifest
from dataset import read_manifest, write_yolo_dataset
from drawn_people import SKELETON, face, labelled, picture
from labelloop.contracts import skeletons
from labelloop.contracts.errors import InvalidInputError
from labelloop.contracts.records import Box
from labelloop.pictures.pixels import canonicalise
from made_up_models import detector_checkpoint, model, packed
from model_files import unpack_model
from PIL import Image
from recipe import Recipe
from scoring import Look, predictions, score

CLASSES = '["head"]'


@pytest.fixture
def job(tmp_path):
    """Adds one labelled image to the job and returns its manifest record."""

    def add(key, data, size=(160, 160), boxes=((10, 20, 30, 40),), **changes):
        store_image(tmp_path, key, data)
        return {**manifest_record(key, data, size, list(boxes)), **changes}

    def write(*records):
        write_manifest(tmp_path / "train.jsonl", list(records))
        images = tmp_path / "input" / "data" / "images"
        return write_yolo_dataset(read_manifest(tmp_path / "train.jsonl"), ("cat", "head"), images, tmp_path / "yolo")

    job.add, job.write, job.folder = add, write, tmp_path
    return job


def drawn(image_format="JPEG", **options) -> bytes:
    return encoded(draw_heads(1)[0], image_format, **options)


def test_boxes_become_shares_and_odd_keys_become_safe_names(job):
    odd = 'incoming/a b/ü "+%20" \u2028.jpg'
    dataset = job.write(job.add(odd, drawn()), job.add("empty.png", drawn("PNG"), boxes=()))
    labels = sorted((job.folder / "yolo" / "labels").iterdir())
    assert [path.name for path in labels] == ["0000000.txt", "0000001.txt"]
    assert labels[0].read_text() == "1 0.1562500 0.2500000 0.1875000 0.2500000\n"
    assert labels[1].read_text() == ""
    images = sorted((job.folder / "yolo" / "images").iterdir())
    assert [path.name for path in images] == ["0000000.jpg", "0000001.png"]
    assert not any(path.is_symlink() for path in images), "the trainer never opens a stored file"
    assert images[0].read_bytes() == drawn(), "nothing but the picture was in it: the same stream"
    assert dataset.backgrounds == 1
    assert json.loads(dataset.data_yaml.read_text())["names"] == ["class 0", "class 1"]


@pytest.mark.fault("K02")
def test_a_file_has_the_name_that_the_line_gives_it_not_the_objects(job):
    """A file cannot be a folder at the same time; objects can."""
    clashing = ("a.jpg", "a.jpg/b.jpg", "a.jpg/b.jpg/c.jpg")
    records = []
    for number, key in enumerate(clashing):
        data = encoded(draw_heads(number)[0], "PNG")
        store_image(job.folder, f"training-images/{number}.png", data)
        record = manifest_record(key, data, (160, 160), [(10, 20, 30, 40)])
        records.append({**record, "training-ref": f"s3://bucket/training-images/{number}.png"})
    dataset = job.write(*records)
    assert not dataset.skipped
    assert [image.source_ref for image in dataset.images] == [f"s3://bucket/{key}" for key in clashing]
    written = sorted((job.folder / "yolo" / "images").iterdir())
    assert [Image.open(path).tobytes() for path in written] == [draw_heads(number)[0].tobytes() for number in range(3)]


def test_a_copy_with_other_bytes_than_those_that_were_labelled_does_not_train(job):
    store_image(job.folder, "training-images/0.png", drawn("PNG"))
    record = {
        **manifest_record("a.png", b"other bytes", (160, 160), []),
        "training-ref": "s3://bucket/training-images/0.png",
    }
    (skipped,) = job.write(record).skipped
    assert skipped.startswith("s3://bucket/a.png: changed") and "SHA-256 differs" in skipped


@pytest.mark.fault("K01")
@pytest.mark.parametrize("kind", ["turned", "tailed", "upright", "xmp"])
def test_the_trainer_gets_the_canonical_pixels_in_a_file_of_their_own(job, kind):
    exif = Image.Exif()
    exif[0x0112] = 6 if kind == "turned" else 1
    stored = {
        "turned": drawn(exif=exif),
        "tailed": drawn() + b"<script>",
        "upright": drawn(exif=exif),
        "xmp": drawn(xmp=b'<x tiff:Orientation="6"/>'),
    }[kind]
    job.write(job.add("a.jpg", stored))
    (written,) = (job.folder / "yolo" / "images").iterdir()
    assert not written.is_symlink()
    opened = Image.open(written)
    assert not opened.getexif() and "xmp" not in opened.info and "exif" not in opened.info
    assert opened.convert("RGB").tobytes() == canonicalise(stored).rgb.tobytes()
    assert (written.suffix, written.read_bytes() == drawn()) == (
        (".png", False) if kind == "turned" else (".jpg", True)
    )


def test_unusable_images_are_skipped_and_named(job, capsys):
    good = job.add("good.jpg", drawn())
    record = job.add("changed.jpg", drawn())
    store_image(job.folder, "changed.jpg", drawn("PNG"))
    gone = job.add("gone.jpg", drawn())
    (job.folder / "input/data/images/gone.jpg").unlink()
    cut = job.add("cut.jpg", drawn()[:900])
    size = job.add("size.jpg", drawn(), size=(640, 480))
    unknown = job.add("unknown.jpg", drawn())
    unknown["boxes-metadata"]["class-map"] = {"0": "dog"}
    outside = {**manifest_record("../../../etc/passwd", b"", (10, 10), [])}
    dataset = job.write(record, gone, cut, size, unknown, outside, good)
    assert [image.source_ref for image in dataset.images] == ["s3://bucket/good.jpg"]
    reasons = ["SHA-256 differs", "missing", "truncated", "labelled at 640 x 480", "class 'dog'", "missing"]
    assert len(dataset.skipped) == len(reasons)
    assert all(reason in skipped for reason, skipped in zip(reasons, dataset.skipped, strict=True))
    assert capsys.readouterr().out.count("warning: skipped s3://bucket/") == len(reasons)


class Everywhere:
    """An engine that finds one head in every image it is shown."""

    batch_size = 2

    def predict(self, images):
        return [[Box("head", 10, 20, 30, 40, 0.9)] for _ in images]

    def describe(self):
        return {}


def test_only_what_was_labelled_is_scored(job, tmp_path):
    same, bytes_differ = job.add("same.jpg", drawn()), job.add("bytes.jpg", drawn())
    store_image(job.folder, "bytes.jpg", drawn("PNG"))
    rendition = {"original-ref": "s3://bucket/x.tif"}  # has no sum of its own, but a size
    size_differs = job.add("canonical/x.png", drawn("PNG"), size=(640, 480), **rendition)
    write_manifest(tmp_path / "judge.jsonl", [same, bytes_differ, size_differs])
    judge, scores = read_manifest(tmp_path / "judge.jsonl"), tmp_path / "scores.jsonl"
    figures = score(Everywhere(), judge, job.folder / "input" / "data" / "images", "model", scores)
    lines = [json.loads(line) for line in scores.read_text("utf-8").splitlines()]
    assert [(line["status"], line.get("reason")) for line in lines] == [
        ("ok", None),
        ("rejected", "changed"),
        ("rejected", "changed"),
    ]
    assert figures["images"] == 3


def test_a_rendition_is_not_compared_with_the_sum_of_its_original(job):
    record = job.add("canonical/x.png", drawn("PNG"), **{"original-ref": "s3://bucket/x.tif"})
    record["provenance"]["sha256"] = hashlib.sha256(b"the original").hexdigest()
    assert not job.write(record).skipped


def test_boxes_are_clipped_to_the_image_and_vanish_outside(job):
    boxes = ((-10, -10, 30, 30), (150, 150, 100, 100), (200, 10, 20, 20))
    dataset = job.write(job.add("a.jpg", drawn(), boxes=boxes))
    assert [(box.left, box.top, box.width, box.height) for box in dataset.images[0].boxes] == [
        (0, 0, 20, 20),
        (150, 150, 10, 10),
    ]


def test_a_broken_manifest_is_an_error_that_names_the_field(job):
    record = job.add("a.jpg", drawn())
    del record["boxes-metadata"]["class-map"]
    with pytest.raises(InvalidInputError, match="class"):
        job.write(record)


def test_the_recipe_has_defaults_for_everything_but_the_classes():
    recipe = Recipe.from_hyperparameters({"classes": '["head", "face mask"]', "steps": "300", "sagemaker_program": "x"})
    assert (recipe.classes, recipe.steps, recipe.warm_steps, recipe.is_tiny) == (("head", "face mask"), 300, 150, True)
    assert recipe.architecture == "tiny, width 0.125"
    assert (
        Recipe.from_hyperparameters({"classes": CLASSES, "base-model": "yolov8n.yaml"}).architecture == "yolov8n.yaml"
    )


@pytest.mark.parametrize(
    ("images", "batch_size", "steps", "epochs"),
    [(40, 8, 250, 50), (12, 8, 250, 125), (3, 8, 250, 250), (4000, 8, 250, 1), (40, 8, 100, 20)],
)
def test_epochs_give_the_wanted_optimiser_steps(images, batch_size, steps, epochs):
    values = {"classes": CLASSES, "batch-size": str(batch_size)}
    assert Recipe.from_hyperparameters(values).epochs(images, steps) == epochs


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"classes": "head"}, "classes"),
        ({"classes": "[]"}, "classes"),
        ({"classes": '["a", "a"]'}, "classes"),
        ({"steps": "0"}, "steps"),
        ({"steps": "1.5"}, "steps"),
        ({"learning-rate": "nan"}, "learning-rate"),
        ({"image-size": "100"}, "image-size"),
        ({"batch-size": "many"}, "batch-size"),
        ({"base-model": "../../etc/model.yaml"}, "base-model"),
        ({"base-model": "yolov8n.pt"}, "base-model"),
        ({"base-steps": "-1"}, "base-steps"),
        ({"base-learning-rate": "0"}, "base-learning-rate"),
        ({"start": "anew"}, "start"),
    ],
)
def test_a_hyperparameter_that_cannot_be_meant_is_named(changes, name):
    with pytest.raises(InvalidInputError, match=f"'{name}'"):
        Recipe.from_hyperparameters({"classes": CLASSES, **changes})


def test_a_skeleton_may_be_longer_than_a_hyperparameter():
    assert Recipe.from_hyperparameters({"classes": CLASSES}).skeleton is None
    wanted = skeletons.skeleton("coco-17")
    document = json.dumps(wanted.to_json())
    values = {"classes": CLASSES, "key-points": document[:200], "key-points-2": document[200:]}
    assert Recipe.from_hyperparameters(values).skeleton == wanted
    with pytest.raises(InvalidInputError, match="hyperparameter 'key-points'"):
        Recipe.from_hyperparameters({**values, "key-points-2": "?"})


def test_missing_classes_are_asked_for():
    with pytest.raises(InvalidInputError, match="'classes' is missing"):
        Recipe.from_hyperparameters({})


def test_a_model_archive_gives_up_its_files_and_no_others(tmp_path):
    (tmp_path / "target").mkdir()
    files = model()
    given = {f"./{name}": body for name, body in files.items()} | {"../evil": b"x", "more": b"y"}
    (tmp_path / "model.tar.gz").write_bytes(packed(given))
    unpack_model(tmp_path / "model.tar.gz", tmp_path / "target")
    assert {path.name: path.read_bytes() for path in (tmp_path / "target").iterdir()} == files
    assert not (tmp_path / "evil").exists()


def test_an_old_model_archive_gives_up_its_checkpoint(tmp_path):
    old = {"weights.pt": detector_checkpoint(), "model.json": model()["model.json"]}
    (tmp_path / "model.tar.gz").write_bytes(packed(old))
    (tmp_path / "target").mkdir()
    unpack_model(tmp_path / "model.tar.gz", tmp_path / "target")
    assert sorted(path.name for path in (tmp_path / "target").iterdir()) == ["model.json", "weights.pt"]


def test_an_archive_without_a_model_and_a_file_that_is_none(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(packed({}))
    with pytest.raises(InvalidInputError, match=r"lacks weights\.safetensors, architecture\.yaml and model\.json"):
        unpack_model(tmp_path / "model.tar.gz", tmp_path)
    (tmp_path / "model.tar.gz").write_bytes(b"not a tar")
    with pytest.raises(InvalidInputError, match=r"not a whole tar\.gz archive"):
        unpack_model(tmp_path / "model.tar.gz", tmp_path)


def test_a_description_is_read_as_it_was_written_and_needs_no_history(tmp_path):
    from labelloop.engines.model_descriptions import ModelDescription
    from model_files import read_description, write_description

    description = ModelDescription(("head",), 640, "detector", "tiny, width 0.125", "ab" * 32)
    write_description(tmp_path, description, {"training": {"steps": 3}})
    assert read_description(tmp_path) == description and description.short_name == "abababababab"
    (tmp_path / "model.json").write_text('{"classes":["head"],"image_size":640,"engine":"detector"}')
    assert read_description(tmp_path).short_name == "unnamed"
    (tmp_path / "model.json").write_text('{"classes":["head"],"engine":"detector"}')
    with pytest.raises(InvalidInputError, match="image_size"):
        read_description(tmp_path)


class GivenBoxes:
    batch_size = 2

    def __init__(self, *boxes):
        self.boxes = boxes

    def predict(self, images):
        return [list(self.boxes) for _ in images]

    def describe(self):
        return {}


def test_predictions_are_clipped_rounded_filtered_and_sorted():
    engine = GivenBoxes(
        Box("b", 90.456, 10, 20, 5, 0.30004),
        Box("a", 3, 4, 5, 6, 0.0499),
        Box("a", 3, 4, 5, 0.004, 0.9),
        Box("a", -5, 0, 4, 4, 0.9),
        Box("a", 8, 4, 5, 6, 0.7),
        Box("a", 3, 4, 5, 6, 0.7),
        Box("c", 1, 1, 1, 1, 0.95006),
    )
    seen = Look("s3://b/1", Image.new("RGB", (100, 50)))
    first, refused = predictions(engine, [seen, Look("s3://b/2", None, "empty")], "m")
    assert [(box.label, box.left, box.width, box.confidence) for box in first.boxes] == [
        ("c", 1, 1, 0.9501),
        ("a", 3, 5, 0.7),
        ("a", 8, 5, 0.7),
        ("b", 90.46, 9.54, 0.3),
    ]
    assert (first.status, first.width, first.height, refused.status, refused.reason) == (
        "ok",
        100,
        50,
        "rejected",
        "empty",
    )


class People:
    """Writes the dataset of a job of people from labels."""

    def __init__(self, folder) -> None:
        self.folder = folder

    def write(self, *labels, skeleton=SKELETON):
        images = self.folder / "input" / "data" / "images"
        return write_yolo_dataset(list(labels), ("person",), images, self.folder / "yolo", skeleton)

    def labelled(self, key, people):
        data = encoded(picture(people), "PNG")
        store_image(self.folder, key, data)
        return labelled(key, people, data)

    def rows(self, name="0000000"):
        return [row.split() for row in (self.folder / "yolo" / "labels" / f"{name}.txt").read_text().splitlines()]


@pytest.fixture
def people(tmp_path):
    return People(tmp_path)


def test_people_become_rows_of_a_box_and_points_and_the_trainer_is_told_the_skeleton(people):
    person = face(8, 16, 32, {"left-eye": "occluded", "nose": "outside"})
    dataset = people.write(people.labelled("a.png", [person]), people.labelled("nobody.png", []))
    (row,) = people.rows()
    assert row[:5] == ["0", "0.3750000", "0.5000000", "0.5000000", "0.5000000"] and row[7::3] == ["1", "2", "0"]
    assert people.rows("0000001") == [] and dataset.backgrounds == 1
    told = json.loads(dataset.data_yaml.read_text())
    assert (told["names"], told["kpt_shape"], told["flip_idx"]) == (["class 0"], [3, 3], [1, 0, 2])


def test_a_person_who_reaches_out_of_the_picture_keeps_the_part_inside(people):
    reaching, gone = face(48, 0, 32), face(70, 0, 10)
    dataset = people.write(people.labelled("a.png", [reaching, gone]))
    (row,) = people.rows()
    assert row[1:5] == ["0.8750000", "0.2500000", "0.2500000", "0.5000000"]
    assert row[7::3] == ["0", "2", "2"], "the left eye is beyond the edge"
    assert [person.box.width for person in dataset.images[0].people] == [16]


def test_labels_of_another_kind_or_of_other_points_are_skipped_and_say_so(people, capsys):
    of_boxes = replace(people.labelled("boxes.png", []), task="boxes", marks=(Box("person", 1, 1, 9, 9),))
    others = replace(face(8, 8, 20), points=face(8, 8, 20).points[:2])
    of_a_dog = replace(face(8, 8, 20), box=Box("dog", 8, 8, 20, 20))
    labels = [of_boxes, people.labelled("others.png", [others]), people.labelled("dog.png", [of_a_dog])]
    skipped = people.write(*labels).skipped
    reasons = ["labelled with boxes", "key points left-eye, right-eye, and", "class 'dog'"]
    assert all(reason in said for reason, said in zip(reasons, skipped, strict=True))
    assert capsys.readouterr().out.count("warning: skipped") == 3


def test_people_do_not_train_a_network_of_boxes(people):
    (said,) = people.write(people.labelled("a.png", [face(8, 8, 20)]), skeleton=None).skipped
    assert "'key-points' is missing" in said
