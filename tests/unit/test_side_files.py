"""Which names are files beside the pictures, and what becomes of such files in a batch."""

import pytest
from handling import PREFIX, handle, mark, picture, registered
from hypothesis import given
from hypothesis import strategies as st
from labelloop.batch import batches
from labelloop.contracts.errors import InvalidInputError
from labelloop.store import storage

SIDE = [
    *("", "sub/", "sub_$folder$", ".DS_Store", "sub/.ds_store", "._IMG_1.jpg", "__MACOSX/IMG_1.jpg", "Thumbs.db"),
    *("THUMBS.DB", "a/Desktop.ini", "Icon\r", ".git/HEAD", ".gitignore", ".gitkeep", "x/.git/objects/ab/cdef.png"),
    *(".Trash-1000/1.jpg", "@eaDir/1.jpg/SYNOPHOTO_THUMB.jpg", "$RECYCLE.BIN/1.png", ".ipynb_checkpoints/1.png"),
    *("labels.manifest", "output.MANIFEST", "coco.json", "labels.jsonl", "1.txt", "1.xml", "train.csv", "data.yaml"),
    *("README.md", "README", "LICENSE", "classes.names", "MD5SUMS", "checksums", "1.jpg.md5", "1.jpg.sha256"),
    *("_SUCCESS", "_committed_123", "_ready.json", "sub/_Ready.JSON", "IMG_1.aae", "IMG_1.xmp"),
    *(".@__thumb/1.jpg", "@Recycle/1.jpg", "@Recently-Snapshot/a/1.jpg", "RECYCLER/S-1-5-21/1.jpg", ".cam1/0"),
    *(".picasaoriginals/1.jpg", ".stversions/1~20240101-120000.jpg", ".dropbox.cache/1.jpg", "#snapshot/1.png"),
    *(".venv/lib/python3.12/site-packages/matplotlib/mpl-data/images/home.png", "System Volume Information/1.jpg"),
    *("1.jpg:Zone.Identifier", "~$labels.xlsx", "labels.xlsx", "notes.DOCX", "paper.pdf", "slides.pptx"),
    *("labels.jsonl.gz", "all.zip", "a.tar.gz", "a.7z", "movie.mp4", "clip.MOV", "voice.m4a", "GOPR1.THM"),
    *("best.pt", "model.onnx", "a.npy", "a.npz", "a.h5", "a.parquet", "train.tfrecord", "labels.db", "train.py"),
    *("labels.manifest.bak", "voc.xml~", "coco.json.orig", "1.jpg.part", "1.jpg.crdownload", "1.jpg.tmp", "1.tfw"),
]
PICTURES = [
    *(
        "1.jpg",
        "1.JPG",
        "1.JpEg",
        "IMG_0001",
        "1",
        "no ending.",
        "1.jpg.bak",
        "a.dat",
        "x.b/1",
        "foto ü+%20.png",
        ".jpg",
    ),
    *(
        ".hidden.png",
        "1.jpg~",
        "@1.jpg",
        "~$1.png",
        "recycled/1.jpg",
        "a.b/.././1.jpg",
        "1.avif",
        ".\n.jpg",
        "1.dng",
        "1.CR2",
        "sub/.x.JPEG",
        "thumbs.db.png",
        "labels.json.png",
        "read me",
        "1.heic",
        "scan.TIFF",
    ),
    *("_READY.json.png", "..", "a/../b", "a//b.png", "success", "txt", "json"),
]


@pytest.mark.fault("K07")
@pytest.mark.parametrize("name", SIDE)
def test_a_side_file_is_known_by_its_name(name: str) -> None:
    from labelloop.batch import side_files

    assert side_files.kind(name)


@pytest.mark.parametrize("name", PICTURES)
def test_what_may_be_a_picture_is_looked_at(name: str) -> None:
    from labelloop.batch import side_files

    assert side_files.kind(name) == ""


@given(st.text(), st.sampled_from([".jpg", ".PNG", ".tiff", ".webp"]))
def test_nothing_with_the_ending_of_a_picture_is_a_side_file_but_in_folders_and_names_of_systems(stem, ending) -> None:
    from labelloop.batch import side_files

    name = stem.replace("/", "") + ending
    assert (side_files.kind(name) == "") != name.startswith("._")


@pytest.mark.usefixtures("aws")
@pytest.mark.filterwarnings("ignore:No application metrics")
class TestBatch:
    @pytest.fixture(autouse=True)
    def folder_of_a_mac(self, aws) -> None:
        """Three pictures, one of them without an ending, a file that only says it is one, and what lies about."""
        for number, name in enumerate(("IMG_1.jpg", "IMG_2", "sub/IMG_3.JPG")):
            storage.write(f"{PREFIX}{name}", picture(20 + number, format="JPEG"))
        storage.write(f"{PREFIX}not.jpg", b"no picture")
        for name in (".DS_Store", "._IMG_1.jpg", "Thumbs.db", "sub/", "labels.json", "__MACOSX/._IMG_1.jpg", "n.txt"):
            storage.write(f"{PREFIX}{name}", b"\0\5\x16\7")

    @pytest.mark.fault("A14")
    @pytest.mark.fault("K07")
    def test_side_files_do_not_count_and_are_not_sampled(self) -> None:
        state = registered()
        everything = batches.images(state["batch"]["id"])
        names = [image.item.key.removeprefix(PREFIX) for image in everything]
        assert names == ["IMG_1.jpg", "IMG_2", "not.jpg", "sub/IMG_3.JPG"]
        assert [image.inspection.status for image in everything] == ["ok", "ok", "rejected", "ok"]
        assert everything[2].inspection.reason == "not-an-image"

    def test_a_count_of_the_pictures_is_right(self) -> None:
        assert registered(mark(b'{"count": 4}'))["batch"]["objects"] == 4

    @pytest.mark.fault("K07")
    def test_they_are_told_in_summary_and_report(self) -> None:
        batch = registered()["batch"]["id"]
        handle("report_batch", batch_id=batch, execution="e")
        told = storage.read_json(f"batches/{batch}/summary.json").get("side_files", {})
        assert told.get("count") == 7
        assert f"{PREFIX}.DS_Store" in told["first"] and sum(told["kinds"].values()) == 7
        page = storage.read(f"batches/{batch}/report.html").decode()
        assert "7 files" in page and "Thumbs.db" in page
        listed = storage.read_lines(f"batches/{batch}/side-files.jsonl")
        assert {line["key"].removeprefix(PREFIX) for line in listed} >= {"._IMG_1.jpg", "sub/", "n.txt"}

    @pytest.mark.fault("K07")
    def test_thumbnails_deleted_pictures_and_labels_of_an_office_do_not_count_and_are_told(self) -> None:
        for name in (".@__thumb/IMG_1.jpg", "@Recycle/IMG_0.jpg", "sub/.picasaoriginals/IMG_3.JPG"):
            storage.write(f"{PREFIX}{name}", picture(60, format="JPEG"))
        storage.write(f"{PREFIX}labels.xlsx", b"PK\x03\x04")
        state = registered(mark(b'{"count": 4}'))
        batch = state["batch"]["id"]
        handle("report_batch", batch_id=batch, execution="e")
        told = storage.read_json(f"batches/{batch}/summary.json")["side_files"]
        assert told["count"] == 11 and told["kinds"]["office file"] == 1
        assert "labels.xlsx" in storage.read(f"batches/{batch}/report.html").decode()

    def test_a_count_that_counted_them_too_is_refused_and_says_so(self) -> None:
        with pytest.raises(InvalidInputError, match="announces 11 images, 4 are there beside 7 files that are not pic"):
            registered(mark(b'{"count": 11}'))

    def test_a_marker_that_names_a_file_means_it(self) -> None:
        batch = registered(mark(b'["IMG_1.jpg", "n.txt"]'))["batch"]["id"]
        found = {image.item.key.removeprefix(PREFIX): image.inspection for image in batches.images(batch)}
        assert {name: each.status for name, each in found.items()} == {"IMG_1.jpg": "ok", "n.txt": "rejected"}

    @pytest.mark.fault("K07")
    def test_a_marker_with_another_letter_case_is_no_picture_and_its_right_name_is_told(self) -> None:
        storage.write(f"{PREFIX}sub/_ready.json", b"{}")
        state = registered()
        assert state["batch"]["objects"] == 4
        batch = state["batch"]["id"]
        handle("report_batch", batch_id=batch, execution="e")
        page = storage.read(f"batches/{batch}/report.html").decode()
        assert f"{PREFIX}sub/_ready.json" in page and "_READY.json" in page
