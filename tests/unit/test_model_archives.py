"""A model.tar.gz from anywhere: what it may be, what of it is believed, and that nothing of it ever runs.

The functions read it when a model is adopted, compared and registered; the container with the same code.
"""

import io
import json
import random
import tarfile
import time

import pytest
from adopted_models import CONTENT, JOB, VERSION, adopt, pt
from fake_service import refused
from handling import handle
from labelloop.contracts.errors import InvalidInputError
from labelloop.store import storage
from made_up_models import (
    TENSORS,
    description,
    detector_checkpoint,
    model,
    packed,
    safetensors,
    tensors_sha256,
)

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def register(fake_service, archive: bytes, version: str = VERSION) -> None:
    there = {"describe_model_package_group": {}, "create_model_package": {"ModelPackageArn": "arn:package"}}
    fake_service("sagemaker", **there)
    handle(
        "register_model",
        job=JOB,
        model_version=version,
        champion="",
        dataset_version="v000001-aaaaaaaa",
        model_uri=storage.write(f"training/{JOB}/output/model.tar.gz", archive),
        comparison_uri=storage.write_json(f"training/{JOB}/comparison.json", {"reason": "better"}),
        thresholds_uri=storage.uri("t.json"),
    )


def registered() -> list[str]:
    return list(storage.keys("models/v"))


# --- What is believed of it


@pytest.mark.fault("H07", "J01")
@pytest.mark.parametrize("weights", [safetensors(), safetensors({**TENSORS, "a": ("F32", (1,), b"\0\0\x80\x3f")})])
def test_a_model_whose_weights_do_not_have_the_hash_it_tells_is_not_adopted(weights) -> None:
    with pytest.raises(InvalidInputError, match=r"SHA-256 .* model\.json says"):
        adopt(packed(model(weights, **{"weights-sha256": "ab" * 32})))
    assert registered() == []


@pytest.mark.fault("H07")
@pytest.mark.parametrize("told", [tensors_sha256(), None, "", "absent"])
def test_the_right_hash_or_none_is_adopted_as_one_version(told) -> None:
    assert adopt(packed(model(**{"weights-sha256": told}))) == CONTENT


@pytest.mark.fault("H07")
def test_the_order_of_the_tensors_within_the_file_does_not_matter() -> None:
    turned = dict(reversed(TENSORS.items()))
    assert adopt(packed(model(safetensors(turned)))) == CONTENT
    assert adopt(packed(model(safetensors(TENSORS, __metadata__={"format": "pt"})))) == CONTENT


@pytest.mark.fault("H07")
def test_what_was_exchanged_between_comparison_and_registration_is_not_registered(fake_service) -> None:
    others = {**TENSORS, "model.0.weight": ("F16", (2, 3), bytes(12))}
    files = model(safetensors(others), **{"weights-sha256": tensors_sha256(others)})
    with pytest.raises(InvalidInputError, match=f"exchanged since it became {VERSION}"):
        register(fake_service, packed(files))
    assert registered() == []
    register(fake_service, packed(model()))
    assert f"models/{VERSION}/model.tar.gz" in registered()


@pytest.mark.fault("H07")
def test_what_is_missing_or_cut_off_is_neither_adopted_nor_registered(fake_service) -> None:
    whole = packed(model())
    cuts = [whole[:length] for length in range(0, len(whole) - 8, max(1, len(whole) // 15))]
    damaged = [
        whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :] for place in range(12, len(whole) - 8, 37)
    ]
    lacking = [packed({name: body for name, body in model().items() if name != gone}) for gone in model()]
    short = [packed(model(safetensors()[:length])) for length in (0, 7, 8, 40, len(safetensors()) - 1)]
    for archive in [*cuts, *damaged, *lacking, *short, packed(model(safetensors() + b"tail"))]:
        with pytest.raises(InvalidInputError):
            adopt(archive)
        with pytest.raises(InvalidInputError):
            register(fake_service, archive)
    assert registered() == []
    with pytest.raises(storage.MissingObjectError):
        handle("adopt_model", model_uri=storage.uri("given/gone.tar.gz"), job=JOB)


def entry(**changes) -> dict:
    return {"model.0.weight": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12], **changes}}


@pytest.mark.fault("H07", "J01")
@pytest.mark.parametrize(
    "header",
    [
        {},
        [],
        {"__metadata__": {}},
        {"a": 1},
        entry(dtype="F8"),
        entry(dtype=["F16"]),
        entry(dtype="object"),
        entry(shape=[2, 4]),
        entry(shape=[-2, -3]),
        entry(shape=[2.0, 3]),
        entry(shape=[True, 6]),
        entry(shape=[10**12, 10**12]),
        entry(shape=[1] * 100 + [6]),
        entry(shape="6"),
        entry(data_offsets=[0, 10**18]),
        entry(data_offsets=[1, 13]),
        entry(data_offsets=[12, 0]),
        entry(data_offsets=[0]),
        entry(data_offsets=[0, 24], shape=[12]),
        {**entry(), "b": entry()["model.0.weight"]},  # two over the same bytes
        {**entry(data_offsets=[0, 6], shape=[3]), "b": {"dtype": "F16", "shape": [1], "data_offsets": [10, 12]}},
    ],
    ids=lambda header: json.dumps(header)[:60],
)
def test_safetensors_that_do_not_describe_their_bytes_exactly_are_refused(header) -> None:
    text = json.dumps(header).encode()
    with pytest.raises(InvalidInputError, match=r"weights\.safetensors"):
        adopt(packed(model(len(text).to_bytes(8, "little") + text + bytes(12), **{"weights-sha256": "absent"})))


@pytest.mark.fault("J01")
def test_a_header_that_names_a_tensor_twice_is_refused() -> None:
    one = json.dumps(entry())[1:-1]
    text = f"{{{one},{one}}}".encode()
    with pytest.raises(InvalidInputError, match="twice"):
        adopt(packed(model(len(text).to_bytes(8, "little") + text + bytes(12), **{"weights-sha256": "absent"})))


# --- Old weights: a pickle


@pytest.mark.fault("H07")
def test_an_old_checkpoint_has_the_hash_of_its_tensors_and_is_verified_like_a_new_one() -> None:
    assert adopt(pt(detector_checkpoint())) == CONTENT
    assert adopt(pt(detector_checkpoint(), **{"weights-sha256": tensors_sha256()})) == CONTENT
    with pytest.raises(InvalidInputError, match=r"model\.json says"):
        adopt(pt(detector_checkpoint(), **{"weights-sha256": "cd" * 32}))


def test_a_checkpoint_of_other_classes_than_the_description_names_is_not_adopted() -> None:
    for names in (("bag", "head"), ("head",), ("head", "bag", "hat"), ("0", "1")):
        with pytest.raises(InvalidInputError, match="was trained on the classes"):
            adopt(pt(detector_checkpoint(names=names)))


# --- More than may be read


def hole(name: str, size: int) -> tarfile.TarInfo:
    """A file that is all hole: its header alone says how large it is (GNU's old sparse form)."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.GNUTYPE_SPARSE
    info.size = 0
    return info


def sparse(name: str, declared: int) -> bytes:
    import gzip

    header = bytearray(hole(name, declared).tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % min(declared, 8**11 - 1)  # the real size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024))


@pytest.mark.fault("J01", "H07")
@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt", "architecture.yaml", "model.json"])
def test_a_member_that_declares_more_than_a_model_has_is_refused_before_it_is_read(name, little_memory) -> None:
    with pytest.raises(
        InvalidInputError, match=rf"{name.replace('.', '[.]')} has 8589934591 bytes, some of them holes"
    ):
        adopt(sparse(name, 8**11 - 1))


@pytest.mark.fault("J01", "H07")
def test_headers_and_archives_without_end_are_refused(little_memory) -> None:
    import gzip

    long_name = tarfile.TarInfo("x")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 3_000_000
    pax = tarfile.TarInfo("x")
    pax.type, pax.size = tarfile.XHDTYPE, 3_000_000
    many = io.BytesIO()
    with tarfile.open(fileobj=many, mode="w:gz") as tar:
        for number in range(1100):
            tar.addfile(tarfile.TarInfo(f"{number}"))
    headers = [gzip.compress(each.tobuf() + bytes(3_000_320) + bytes(1024)) for each in (long_name, pax)]
    # A map of holes that always goes on.
    extended = bytearray(hole("weights.pt", 1).tobuf(tarfile.GNU_FORMAT))
    extended[482] = 1
    extended[148:156] = b" " * 8
    extended[148:156] = b"%06o\0 " % sum(extended)
    endless = gzip.compress(bytes(extended) + (bytes(504) + b"\x01" + bytes(7)) * 40_000)
    chain = gzip.compress((pax_of(10) * 3000) + bytes(1024))
    for archive in (*headers, many.getvalue(), endless, chain):
        began = time.process_time()
        with pytest.raises(InvalidInputError):
            adopt(archive)
        assert time.process_time() - began < 10


def pax_of(size: int) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, size
    return info.tobuf() + b"10 a=bcde\n"[:size].ljust(512, b"\0")


@pytest.mark.fault("H07")
def test_an_object_that_is_larger_than_any_model_is_not_even_fetched(fake_service) -> None:
    from labelloop.engines import training

    uri, body = storage.uri("given/model.tar.gz"), Unread()
    fake_service("s3", head_object=refused("NoSuchKey"), get_object={"ContentLength": 10**10, "Body": body})
    with pytest.raises(InvalidInputError, match=r"10,?000,?000,?000 bytes, at most"):
        training.read_model(uri)
    assert body.closed


class Unread(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("it is not read")


def test_a_file_that_stands_there_twice_or_as_a_link_is_no_file_of_a_model() -> None:
    link = tarfile.TarInfo("model.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    files = model()
    with pytest.raises(InvalidInputError, match=r"lacks model\.json"):
        adopt(packed({name: body for name, body in files.items() if name != "model.json"}, link))
    twice = io.BytesIO()
    with tarfile.open(fileobj=twice, mode="w:gz") as tar:
        for name, body in [*files.items(), ("./model.json", files["model.json"])]:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    with pytest.raises(InvalidInputError, match=r"model\.json twice"):
        adopt(twice.getvalue())


# --- Anything


@pytest.mark.fault("H07", "H09")
def test_two_thousand_damaged_files_end_in_a_sentence_or_are_read_rightly() -> None:
    """Fixed seeds; each file has some bytes changed, cut or doubled, and the hash must tell."""
    from labelloop.engines import model_archives

    chance = random.Random(9)
    told = json.dumps(description()).encode()
    sources = {"weights.safetensors": safetensors(), "weights.pt": detector_checkpoint()}
    outcomes = {"refused": 0, "whole": 0}
    began = time.process_time()
    for number in range(2000):
        name = ("weights.safetensors", "weights.pt")[number % 2]
        body = bytearray(sources[name])
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(body))
            match chance.randrange(4):
                case 0:
                    body[place] = chance.randrange(256)
                case 1:
                    body[place : place + 4] = chance.randbytes(4)
                case 2:
                    del body[place : place + chance.randint(1, 40)]
                case 3:
                    body[place:place] = body[place : place + chance.randint(1, 40)]
        files = {name: bytes(body), "model.json": told, "architecture.yaml": b"nc: 2\n"}
        try:
            assert model_archives.describe(files, "model").weights_sha256 == tensors_sha256()
            outcomes["whole"] += 1
        except InvalidInputError as error:
            assert len(str(error)) < 600
            outcomes["refused"] += 1
    assert outcomes["refused"] > 1500 and time.process_time() - began < 60
