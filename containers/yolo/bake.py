"""Part of the image build: base weights are checked, converted and laid where a training looks for them.

bake.py <folder> <name> <SHA-256>       without a name: none
"""

import hashlib
import sys
from pathlib import Path

import paths  # noqa: F401  first: makes labelloop importable
import starts
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import base_weights


def main() -> None:
    folder, name, sha256 = sys.argv[1:]
    try:
        print(bake(Path(folder), name, sha256))
    except InvalidInputError as error:
        sys.exit(str(error))


def bake(folder: Path, name: str, sha256: str, target: Path = starts.BAKED) -> str:
    """What was done, as a sentence. Raises InvalidInputError where the file is missing, another one, or no weights."""
    if not name:
        return "no base weights: models start from random weights unless a training job brings some"
    given = folder / name
    if given.parent != folder or not given.is_file():
        raise InvalidInputError(f"BASE_WEIGHTS names {name!r}: put a file of that name into containers/yolo/weights")
    body = given.read_bytes()
    found = hashlib.sha256(body).hexdigest()
    if found != sha256.lower():
        raise InvalidInputError(
            f"{name} has the SHA-256 {found}, BASE_WEIGHTS_SHA256 says {sha256 or 'nothing'}: take the file from who "
            "published it, and its hash with it"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(base_weights.packed(body, name))
    return f"models start from {name} ({found})"
