"""Base weights in the image: by name and SHA-256, converted, or not at all."""

import hashlib
import io

import bake
import paths  # noqa: F401  first: the container's modules
import pytest
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import model_archives
from made_up_models import detector_checkpoint

BODY = detector_checkpoint(architecture={"nc": 2})
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "stock.pt").write_bytes(BODY)
    (tmp_path / "elsewhere.pt").write_bytes(BODY)
    return tmp_path / "given"


def test_without_a_name_the_image_has_none(folder, tmp_path) -> None:
    assert bake.bake(folder, "", "", tmp_path / "out" / "model.tar.gz").startswith("no base weights")
    assert not (tmp_path / "out").exists()


def test_weights_of_the_hash_are_laid_where_a_training_looks(folder, tmp_path) -> None:
    target = tmp_path / "out" / "model.tar.gz"
    assert SHA256 in bake.bake(folder, "stock.pt", SHA256.upper(), target)
    files = model_archives.read(io.BytesIO(target.read_bytes()), "baked")
    assert model_archives.describe(files, "baked").classes == ("head", "bag")


@pytest.mark.parametrize(
    ("name", "sha256", "said"),
    [
        ("other.pt", SHA256, "put a file of that name"),
        ("../elsewhere.pt", SHA256, "put a file of that name"),
        ("stock.pt", "", "BASE_WEIGHTS_SHA256 says nothing"),
        ("stock.pt", "0" * 64, f"has the SHA-256 {SHA256}"),
    ],
    ids=[
        "not there",
        "elsewhere",
        "no hash",
        "another hash",
    ],  # its hash changes with the clock
)
def test_other_weights_end_the_build(folder, tmp_path, name, sha256, said) -> None:
    with pytest.raises(InvalidInputError, match=said):
        bake.bake(folder, name, sha256, tmp_path / "model.tar.gz")
    assert not (tmp_path / "model.tar.gz").exists()
