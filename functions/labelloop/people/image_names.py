"""Which image of a batch a name means, in whatever spelling people and tools wrote it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping

from labelloop.contracts.errors import InvalidInputError

_PERCENT = re.compile("(?:%[0-9A-Fa-f]{2})+")
INVISIBLE = re.compile("[\u200b\u2060\ufeff]")  # of zero width; editors and exports leave them


class Names:
    """Finds the image that a source-ref means: by its exact names, else by the same name in another spelling or place.

    Letter case, `./`, percent-encoding and Unicode form do not matter, nor does another bucket or folder above the
    batch's files, as long as exactly one image fits. A folder between the batch's prefix and a file does matter. A
    URI of the data bucket names one object and no other, to the letter; blanks around it do not matter.
    """

    def __init__(self, exact: Mapping[str, str], relative: Mapping[str, str], home: str = "") -> None:
        """`exact`: every full name of an image -> its id; `relative`: its name below the batch's prefix -> its id;
        `home`: what every URI of the data bucket begins with.
        """
        self._exact, self._home = exact, home
        self._whole: dict[str, set[str]] = defaultdict(set)
        self._ends: dict[str, set[str]] = defaultdict(set)
        for name, image in relative.items():
            parts = normal(name).split("/")
            self._whole["/".join(parts)].add(image)
            for start in range(len(parts)):
                self._ends["/".join(parts[start:])].add(image)

    def is_exact(self, source_ref: str) -> bool:
        return source_ref in self._exact

    def find(self, source_ref: str) -> str:
        """The image's id. Raises InvalidInputError where none or several fit."""
        fitting = self.fitting(source_ref)
        if len(fitting) > 1:
            raise InvalidInputError(f"{len(fitting)} images of this batch fit {source_ref!r}: name its whole key")
        if not fitting:
            raise InvalidInputError(f"no readable image of this batch has that source-ref: {source_ref!r}")
        return next(iter(fitting))

    def fitting(self, source_ref: str) -> set[str]:
        """The ids of the images that this name fits best: none, the one, or several."""
        if source_ref in self._exact:
            return {self._exact[source_ref]}
        plain = INVISIBLE.sub("", source_ref).strip()
        if self._home and plain.casefold().startswith(self._home):
            image = self._exact.get(self._home + plain[len(self._home) :])
            return set() if image is None else {image}
        return next(filter(None, self._fitting(source_ref)), set())

    def _fitting(self, source_ref: str) -> Iterator[set[str]]:
        """The images that fit, the best match first."""
        path = source_ref.removeprefix("s3://").partition("/")[2] if source_ref.startswith("s3://") else source_ref
        parts = normal(path).split("/")
        yield self._ends.get("/".join(parts), set())
        for start in range(1, len(parts)):
            yield self._whole.get("/".join(parts[start:]), set())


def normal(name: str) -> str:
    """A file or class name without what people and tools write differently and mean the same."""
    decoded = _PERCENT.sub(lambda codes: bytes.fromhex(codes[0].replace("%", "")).decode("utf-8", "replace"), name)
    plain = unicodedata.normalize("NFC", INVISIBLE.sub("", decoded).replace("\\", "/")).casefold().strip()
    return "/".join(part for part in plain.split("/") if part not in ("", "."))
