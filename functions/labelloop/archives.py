"""Archives (tar.gz) that others wrote, read in memory: nothing is extracted, so no path, link or device means anything.

What is bounded is what an archive costs: members, bytes unpacked (skipped ones, too), bytes of one read (a header that
declares gigabytes), bytes kept.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

from labelloop.errors import InvalidInputError

MOST_MEMBERS = 10_000
MOST_BLOCKS = 3 * MOST_MEMBERS  # headers, and the maps of sparse files, are read block by block; content is not
MOST_UNPACKED_BYTES = 2_000_000_000
MOST_AT_ONCE_BYTES = 1_000_000
_BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError, RecursionError)


def files(packed: BinaryIO, where: str, most_bytes: Callable[[str], int], most_together: int) -> dict[str, bytes]:
    """The plain files by name (without a leading ./), in the archive's order. `most_bytes` says by name how large a
    file may be, and 0 where it is not wanted; `most_together` how large all that are wanted may be.

    `where` names the archive. Raises InvalidInputError for what is no whole archive, or costs too much to read.
    """
    found: dict[str, bytes] = {}
    try:
        with (
            gzip.GzipFile(fileobj=packed) as unpacked,
            _Rationed(unpacked, where) as rationed,
            tarfile.open(fileobj=rationed, mode="r:") as archive,
        ):
            for number, member in enumerate(archive, start=1):
                name = member.name.removeprefix("./")
                if number > MOST_MEMBERS:
                    raise InvalidInputError(f"{where} holds more than {MOST_MEMBERS:,} members: nobody packed that")
                if not member.isfile() or not most_bytes(name):
                    continue
                _check(member, f"{where}: {name}", most_bytes(name))
                if name in found:
                    raise InvalidInputError(f"{where} holds {name} twice: pack it again with one")
                if member.size + sum(map(len, found.values())) > most_together:
                    raise InvalidInputError(f"{where} unpacks to more than {most_together:,} bytes of files")
                found[name] = _content(archive, member)
            rationed.drain()
    except _BROKEN as error:
        raise InvalidInputError(
            f"{where} is no whole tar.gz archive ({str(error)[:100] or type(error).__name__}): it was cut off, or is "
            "something else; write it again"
        ) from error
    return found


def _check(member: tarfile.TarInfo, where: str, most_bytes: int) -> None:
    if member.issparse() or member.size > most_bytes:
        holes = ", some of them holes" if member.issparse() else ""
        raise InvalidInputError(f"{where} has {member.size} bytes{holes}, at most {most_bytes} are read")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(member)
    assert content is not None, "isfile() was asked"
    body = b"".join(iter(lambda: content.read(MOST_AT_ONCE_BYTES), b""))
    if len(body) != member.size:
        raise EOFError(f"{member.name} ends after {len(body)} of {member.size} bytes")
    return body


class _Rationed(io.RawIOBase):
    """The unpacked stream as tarfile reads it. Raises InvalidInputError where it asks for more than its ration."""

    def __init__(self, unpacked: gzip.GzipFile, where: str) -> None:
        self._unpacked, self._where, self._blocks = unpacked, where, 0

    def drain(self) -> None:
        """To the end, where gzip compares its checksum."""
        while self.read(MOST_AT_ONCE_BYTES):
            pass

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE_BYTES + tarfile.BLOCKSIZE:
            raise InvalidInputError(f"{self._where} has a header of {size:,} bytes: nobody packed that")
        self._blocks += size == tarfile.BLOCKSIZE
        if self._blocks > MOST_BLOCKS:
            raise InvalidInputError(
                f"{self._where} has headers of more than {MOST_BLOCKS:,} blocks: nobody packed that"
            )
        self._ration(self.tell() + size)
        return self._unpacked.read(size)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        self._ration(position)
        while (behind := position - self.tell()) > 0 and self._unpacked.read(min(behind, MOST_AT_ONCE_BYTES)):
            pass
        return position if behind > 0 else self._unpacked.seek(position)

    def tell(self) -> int:
        return self._unpacked.tell()

    def _ration(self, position: int) -> None:
        if position > MOST_UNPACKED_BYTES + MOST_AT_ONCE_BYTES:
            raise InvalidInputError(f"{self._where} unpacks to more than {MOST_UNPACKED_BYTES:,} bytes")
