"""Archives that others wrote, as training jobs do: what is odd ends in a sentence that names the archive."""

import gzip
import io
import random
import resource
import tarfile
import time
import tracemalloc

import pytest
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import training
from labelloop.store import storage

KEY = "training/job/output/output.tar.gz"
METRICS = b'{"judge": {}}'


def tar(*members, form=tarfile.PAX_FORMAT, **options):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form, **options) as archive:
        for name, body, *changes in members:
            member = tarfile.TarInfo(name)
            member.size = len(body)
            for change in changes:
                for attribute, value in change.items():
                    setattr(member, attribute, value)
            archive.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def refusal(body):
    """What read_scores says of an archive: the sentence, or the name of an error that no person can read."""
    uri = storage.write(KEY, body)
    try:
        training.read_scores(uri)
    except InvalidInputError as error:
        assert uri in str(error), "it names the archive"
        return str(error)
    except Exception as error:  # a raw error of tarfile, gzip, zlib or json
        return f"RAW {type(error).__name__}: {error}"
    return "taken"


def bomb(header: bytes, zeros: int) -> bytes:
    """A header and so many zero bytes, which take a thousandth of that packed."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as archive:
        archive.write(header)
        for _ in range(zeros // 1_000_000):
            archive.write(bytes(1_000_000))
    return packed.getvalue()


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


GOOD = tar(("metrics.json", METRICS), ("scores/challenger-judge.jsonl", b""))


@pytest.mark.fault("J06", "H08")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not a whole tar.gz"),
        (b"not gzip", "not a whole tar.gz"),
        (b"PK\x03\x04 a zip", "not a whole tar.gz"),
        (GOOD, "not a whole tar.gz"),  # tar, not packed
        (gzip.compress(b"not tar" * 1000), "not a whole tar.gz"),
        (gzip.compress(METRICS), "not a whole tar.gz"),
        (gzip.compress(GOOD)[:-9], "not a whole tar.gz"),
        (gzip.compress(GOOD)[:60], "not a whole tar.gz"),
        (gzip.compress(GOOD[:700]), "not a whole tar.gz"),
        (gzip.compress(GOOD)[:-8] + bytes(8), "not a whole tar.gz"),  # another checksum
        (gzip.compress(tar(("metrics.json", b"{" * 5))), "not JSON"),
        (gzip.compress(tar(("metrics.json", b"[" * 200_000))), "not JSON"),
        (gzip.compress(tar(("metrics.json", b"\xff\xfe"))), "not UTF-8"),
        (gzip.compress(tar(("metrics.json", b"[]"))), "must be a JSON object"),
        (gzip.compress(tar(("metrics.json", b'{"a": ' + b"9" * 5000 + b"}"))), "not JSON"),
        (gzip.compress(tar(("metrics.json", METRICS), ("a.jsonl", b"\xff"))), "not UTF-8"),
        (gzip.compress(tar(("metrics.json", METRICS), ("./metrics.json", METRICS))), "twice"),
        (gzip.compress(tar(("/metrics.json", METRICS))), "holds no metrics.json"),
        (gzip.compress(tar(("../metrics.json", METRICS))), "holds no metrics.json"),
        (gzip.compress(tar(("metrics.json", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}))), "holds no"),
        (gzip.compress(tar(("metrics.json", b"", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}))), "holds no"),
        (gzip.compress(tar(("metrics.json", b"", {"type": tarfile.CHRTYPE}))), "holds no metrics.json"),
        (gzip.compress(tar(("metrics.json", b"", {"type": tarfile.DIRTYPE}))), "holds no metrics.json"),
    ],
    ids=lambda given: given if isinstance(given, str) else "archive",  # gzip writes the time into each
)
def test_what_is_no_archive_of_ours_is_told_in_a_sentence(aws, body, said) -> None:
    assert said in refusal(body)


def test_a_good_archive_is_taken_with_files_that_nobody_asked_for(aws) -> None:
    assert refusal(gzip.compress(GOOD)) == "taken"
    long_name = "scores/" + "x" * 300 + "/challenger-judge.jsonl"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert refusal(gzip.compress(tar(("./metrics.json", METRICS), (long_name, b""), form=form))) == "taken"


@pytest.mark.fault("J06")
@pytest.mark.parametrize(
    "body",
    [
        # A file that declares much and skips: nobody wants it, everybody must unpack it.
        pytest.param(lambda: bomb(header("weights", 3_000_000_000), 2_100_000_000), id="a skipped file of gigabytes"),
        pytest.param(lambda: bomb(header("metrics.json", 60_000_000), 61_000_000), id="a large file that is wanted"),
        pytest.param(lambda: bomb(header("x", 400_000_000, tarfile.XHDTYPE), 401_000_000), id="a PAX header"),
        pytest.param(lambda: bomb(header("x", 400_000_000, tarfile.GNUTYPE_LONGNAME), 401_000_000), id="a long name"),
        pytest.param(lambda: gzip.compress(many_files(5, 49_000_000), 1), id="files that are large together"),
        pytest.param(lambda: gzip.compress(header("a", 0) * 200_000 + bytes(1024), 1), id="empty files without end"),
        pytest.param(lambda: gzip.compress(sparse(), 1), id="a sparse file of a terabyte"),
        pytest.param(lambda: gzip.compress(header("metrics.json", 8 << 30) + METRICS), id="a size that is not there"),
    ],
)
def test_an_archive_costs_no_more_than_its_bound(aws, body) -> None:
    packed = body()
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    said = refusal(packed)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert said != "taken" and not said.startswith("RAW"), said
    assert grown < 320, f"{grown:.0f} MiB more"
    assert time.process_time() - started < 30


def pax(kind: bytes, records: bytes) -> bytes:
    """A pax header and its records, padded."""
    return header("x", len(records), kind) + records + bytes(-len(records) % 512)


def records(count: int) -> bytes:
    return b"".join(b"11 %05x=a\n" % number for number in range(count))


NAMED = b"13 comment=a\n"
ONE = pax(tarfile.XHDTYPE, NAMED) + header("a", 0, tarfile.DIRTYPE)


@pytest.mark.fault("J06", "J01")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda: pax(tarfile.XGLTYPE, records(9_000)) + ONE * 1500, id="one header for all members"),
        pytest.param(lambda: pax(tarfile.XGLTYPE, records(101)) + ONE * 9_000, id="a small one for many"),
        pytest.param(
            lambda: (pax(tarfile.XHDTYPE, records(80_000)) + header("a", 0, tarfile.DIRTYPE)) * 30, id="many records"
        ),
        pytest.param(
            lambda: (pax(tarfile.XHDTYPE, records(20_000)) + header("a", 0, tarfile.DIRTYPE)) * 80,
            id="less of them, oftener",
        ),
        pytest.param(
            lambda: (pax(tarfile.XHDTYPE, b"6 a=a\n" * 10_000) + header("a", 0, tarfile.DIRTYPE)) * 280,
        ),
        pytest.param(
            lambda: (pax(tarfile.XHDTYPE, b"1" * 250_000) + header("a", 0, tarfile.DIRTYPE)) * 80,
            id="a number without end",
        ),
        pytest.param(lambda: endless_map(), id="the map of a sparse file without end"),
    ],
)
def test_records_of_headers_cost_neither_memory_nor_minutes(aws, body) -> None:
    packed = gzip.compress(body() + bytes(1024), 1)
    started = time.process_time()
    said = refusal(packed)
    seconds = time.process_time() - started
    tracemalloc.start()
    assert refusal(packed) == said
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said != "taken" and not said.startswith("RAW"), said
    assert most < 60_000_000 and seconds < 20, (most, seconds)


@pytest.mark.fault("J06", "J01")
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize(
    ("count", "said"), [(1_300_000, "header of more than 512 blocks"), (101, "more than 100 pax records")]
)
def test_records_of_a_header_are_refused_by_a_declared_bound(aws, kind, count, said) -> None:
    assert said in refusal(gzip.compress(pax(kind, records(count)) + header("a", 0) + bytes(1024), 1))


def endless_map() -> bytes:
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a"}
    start = tar(("GNUSparseFile.0/a", b"", {"pax_headers": headers}))[: 3 * 512]
    return start + b"9" * 5_000_000


def test_ten_thousand_members_with_records_of_their_own_are_read(aws) -> None:
    packed = gzip.compress(ONE * 9_000 + GOOD, 1)
    tracemalloc.start()
    said = refusal(packed)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said == "taken" and most < 10_000_000, (said, most)


def many_files(count, size):
    return tar(("metrics.json", METRICS), *((f"{number}.jsonl", b" " * size) for number in range(count)))


def sparse():
    """GNU's sparse format 1.0: four bytes in the archive, a terabyte when it is read."""
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "metrics.json"}
    headers["GNU.sparse.realsize"] = str(1 << 40)
    stored = f"1\n{(1 << 40) - 4}\n4\n".encode().ljust(512, b"\0") + b"{}  "
    return tar(("GNUSparseFile.0/metrics.json", stored, {"pax_headers": headers}))


def test_archives_that_were_damaged_are_taken_or_refused_in_words(aws) -> None:
    chance = random.Random(6)
    for packed in (False, True):
        for _ in range(150):
            body = bytearray(gzip.compress(GOOD) if packed else GOOD)
            for _ in range(chance.randint(1, 8)):
                body[chance.randrange(len(body))] = chance.randrange(256)
            said = refusal(bytes(body) if packed else gzip.compress(bytes(body)))
            assert not said.startswith("RAW"), said
