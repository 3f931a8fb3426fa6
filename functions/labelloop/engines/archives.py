"""Archives (tar.gz) that others wrote, read in memory: nothing is extracted, so no path, link or device means anything.

What is bounded is what an archive costs: members, bytes unpacked (skipped ones, too), bytes of headers (of one, and of
all), bytes kept.
"""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

from labelloop.contracts.errors import InvalidInputError

MOST_MEMBERS = 10_000
MOST_BLOCKS = 3 * MOST_MEMBERS  # of 512 bytes, of headers and the maps of sparse files
MOST_BLOCKS_OF_ONE = 512  # all that stands between two members
MOST_RECORDS = 100  # of pax, in force for one member: tarfile copies the archive's own into each
MOST_UNPACKED_BYTES = 2_000_000_000
MOST_AT_ONCE_BYTES = 1_000_000
# Some versions of tarfile look for a record's length from each digit of such a row anew.
_DIGITS = re.compile(rb"[0-9]{200}")
_BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError, RecursionError)


def files(packed: BinaryIO, where: str, most_bytes: Callable[[str], int], most_together: int) -> dict[str, bytes]:
    """The plain files by name (without a leading ./), in the archive's order. `most_bytes` says by name how large a
    file may be, and 0 where it is not wanted; `most_together` how large all that are wanted may be.

    `where` names the archive. Raises InvalidInputError for what is not a whole archive, or costs too much to read.
    """
    found: dict[str, bytes] = {}
    try:
        with (
            gzip.GzipFile(fileobj=packed) as unpacked,
            _Rationed(unpacked, where) as rationed,
            tarfile.open(fileobj=rationed, mode="r:") as archive,
        ):
            for number, member in enumerate(iter(archive.next, None), start=1):
                archive.members.clear()  # type: ignore[attr-defined] # tarfile keeps each for those who ask again
                rationed.next_member()
                name = member.name.removeprefix("./")
                if number > MOST_MEMBERS:
                    raise InvalidInputError(f"{where} holds more than {MOST_MEMBERS:,} members: nobody packed that")
                if len(member.pax_headers) > MOST_RECORDS:
                    raise InvalidInputError(f"{where} has more than {MOST_RECORDS} pax records for one member")
                if not member.isfile() or not most_bytes(name):
                    continue
                _check(member, f"{where}: {name}", most_bytes(name))
                if name in found:
                    raise InvalidInputError(f"{where} holds {name} twice: pack it again with one")
                if member.size + sum(map(len, found.values())) > most_together:
                    raise InvalidInputError(f"{where} unpacks to more than {most_together:,} bytes of files")
                found[name] = rationed.content(member)
            rationed.drain()
    except _BROKEN as error:
        raise InvalidInputError(
            f"{where} is not a whole tar.gz archive ({str(error)[:100] or type(error).__name__}): it was cut off, or "
            "is something else; write it again"
        ) from error
    return found


def _check(member: tarfile.TarInfo, where: str, most_bytes: int) -> None:
    if member.issparse() or member.size > most_bytes:
        holes = ", some of them holes" if member.issparse() else ""
        raise InvalidInputError(f"{where} has {member.size} bytes{holes}, at most {most_bytes} are read")


class _Rationed(io.RawIOBase):
    """The unpacked stream, as tarfile reads headers of it. Raises InvalidInputError where it asks for too much."""

    def __init__(self, unpacked: gzip.GzipFile, where: str) -> None:
        self._unpacked, self._where, self._blocks, self._blocks_of_one = unpacked, where, 0, 0

    def next_member(self) -> None:
        self._blocks_of_one = 0

    def content(self, member: tarfile.TarInfo) -> bytes:
        """A plain file's, which has a size that may be kept."""
        self.seek(member.offset_data)
        parts, left = [], member.size
        while left and (part := self._unpacked.read(min(left, MOST_AT_ONCE_BYTES))):
            parts.append(part)
            left -= len(part)
        if left:
            raise EOFError(f"{member.name} ends after {member.size - left} of {member.size} bytes")
        return b"".join(parts)

    def drain(self) -> None:
        """To the end, where gzip compares its checksum."""
        while self._unpacked.read(MOST_AT_ONCE_BYTES):
            self._ration(self.tell())

    def read(self, size: int = -1) -> bytes:
        blocks = -(-size // tarfile.BLOCKSIZE)
        self._blocks_of_one += blocks
        if size < 0 or self._blocks_of_one > MOST_BLOCKS_OF_ONE:
            raise InvalidInputError(
                f"{self._where} has a member with a header of more than {MOST_BLOCKS_OF_ONE} blocks"
            )
        self._blocks += blocks
        if self._blocks > MOST_BLOCKS:
            raise InvalidInputError(
                f"{self._where} has headers of more than {MOST_BLOCKS:,} blocks: nobody packed that"
            )
        self._ration(self.tell() + size)
        header = self._unpacked.read(size)
        if _DIGITS.search(header):
            raise InvalidInputError(f"{self._where} has a header with a number of 200 digits: nobody packed that")
        return header

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
