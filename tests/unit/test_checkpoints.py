"""A `.pt` file is read as data: its tensors are those it holds, and nothing of its pickle ever runs."""

import io
import sys
import time
import zipfile

import pytest
from adopted_models import adopt, pt
from hostile_models import CALLS, PROGRAMS
from labelloop.contracts import naming
from labelloop.contracts.errors import InvalidInputError
from labelloop.engines import checkpoints
from made_up_models import (
    TENSORS,
    Call,
    Stored,
    checkpoint,
    detection_model,
    detector_checkpoint,
    parameter,
    program,
    tensor,
    tensors_sha256,
)

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.filterwarnings("ignore:No application metrics")]


def test_a_checkpoint_tells_its_tensors_its_architecture_and_its_classes_in_their_order() -> None:
    read = checkpoints.read(detector_checkpoint(names=("head", "bag"), architecture={"nc": 2, "a": ["x", 7]}), "w")
    assert {name: (each.dtype, each.shape, bytes(each.data)) for name, each in read.tensors.items()} == TENSORS
    assert read.classes == ("head", "bag") and read.architecture == {"nc": 2, "a": ["x", 7]}


def test_numbers_in_another_order_are_brought_into_rows() -> None:
    """channels_last: what lies next to one another in a row of the storage are the channels."""
    rows = [bytes([number, 0]) for number in range(24)]
    shape = (2, 3, 2, 2)

    def place(n: int, c: int, y: int, x: int) -> int:
        return ((n * 2 + y) * 2 + x) * 3 + c

    stored = [b""] * 24
    for number, (n, c, y, x) in enumerate(
        (n, c, y, x) for n in range(2) for c in range(3) for y in (0, 1) for x in (0, 1)
    ):
        stored[place(n, c, y, x)] = rows[number]
    layer = {
        "_parameters": {"weight": parameter(tensor("0", "F16", shape, (12, 1, 6, 3)))},
        "_buffers": {},
        "_modules": {},
    }
    root = {"ema": None, "model": detection_model(layer, ("head", "bag"), {"nc": 2})}
    expected = tensors_sha256({"model.0.weight": ("F16", shape, b"".join(rows))})
    assert adopt(pt(checkpoint(root, {"0": b"".join(stored)}))) == naming.digest(expected)


def checkpoint_with(gadget: Call, where: str) -> bytes:
    match where:
        case "root":
            return checkpoint(gadget)
        case "model":
            return checkpoint({"model": gadget})
        case "beside":
            return detector_checkpoint(train_args=gadget)
        case "state":
            return detector_checkpoint(architecture={"nc": 2, "a": [gadget]})
    return checkpoint(b"\x80\x02}" + program(gadget)[2:-1] + b"Ns.")  # as a key


@pytest.mark.fault("H09", "J01")
@pytest.mark.parametrize("where", ["root", "model", "beside", "state", "key"])
def test_a_pickle_that_asks_for_anything_else_is_refused_before_any_of_it_runs(where, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = set(sys.modules)
    assert len(CALLS) > 70
    for name, arguments in CALLS.items():
        made = checkpoint_with(Call(name, *arguments), where)
        with pytest.raises(InvalidInputError, match=r"weights\.pt is refused, nothing of it ran"):
            adopt(pt(made))
        assert list(tmp_path.iterdir()) == [], name
    assert not {"antigravity", "torch", "ultralytics"} & (set(sys.modules) - loaded)


@pytest.mark.fault("H09", "J01")
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_by_other_instructions_and_bombs_of_a_few_bytes(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    with pytest.raises(InvalidInputError, match=r"weights\.pt"):
        adopt(pt(checkpoint(PROGRAMS[name])))
    assert time.process_time() - began < 5 and list(tmp_path.iterdir()) == []


def test_layers_within_themselves_and_tensors_that_cannot_be_are_refused() -> None:
    def of(weight: Call, **more) -> bytes:
        layer = {"_parameters": {"weight": weight}, "_buffers": {}, "_modules": {}, **more}
        return checkpoint({"model": detection_model(layer, ("head", "bag"), {"nc": 2})}, {"0": bytes(12)})

    ordered = Call("collections OrderedDict")
    shapes = [((2, 4), (4, 1)), ((10**6, 10**6), (0, 0)), ((2, 3), (3, -1)), ((-1,), (1,)), ((2,), ()), ((6,), (0,))]
    hostile = [of(tensor("0", "F16", shape, strides)) for shape, strides in shapes]
    hostile += [of(tensor("0", "F16", (6,), (1,), offset)) for offset in (1, -1, 2**31 - 1)]
    hostile += [
        of(tensor("../0", "F16", (6,), (1,))),
        of(tensor("9", "F16", (6,), (1,))),
        of(ordered),
        of(Stored("0", "F16")),
    ]
    hostile += [of(tensor("0", "F16", (6,), (1,)), _modules={"a": 7}), of(tensor("0", "F16", (6,), (1,)), _buffers=[])]
    for each in hostile:
        with pytest.raises(InvalidInputError, match=r"weights\.pt"):
            adopt(pt(each))
    # A layer that contains itself: memo 0 is its state.
    state = b"}q\x00(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_buffers}X\x08\x00\x00\x00_modules}("
    around = b"\x80\x02}(X\x05\x00\x00\x00modelcultralytics.nn.tasks\nDetectionModel\n)R" + state
    own = b"X\x01\x00\x00\x00actorch.nn.modules.container\nSequential\n)Rh\x00buubu."
    began = time.process_time()
    with pytest.raises(InvalidInputError, match="layers within layers"):
        adopt(pt(checkpoint(around + own)))
    assert time.process_time() - began < 5


@pytest.mark.fault("J01")
@pytest.mark.parametrize(
    ("shape", "strides", "offset"), [((6,), (1,), 1), ((2, 3), (4, 1), 0), ((2, 3), (0, 1), 0), ((3, 3), (1, 1), 0)]
)
def test_a_view_outside_its_storage_or_over_itself_is_refused_as_that(shape, strides, offset) -> None:
    layer = {"_parameters": {"weight": tensor("0", "F16", shape, strides, offset)}, "_buffers": {}, "_modules": {}}
    root = {"model": detection_model(layer, ("head", "bag"), {"nc": 2})}
    with pytest.raises(InvalidInputError, match="reaches beyond its storage, or repeats itself"):
        adopt(pt(checkpoint(root, {"0": bytes(12)})))


@pytest.mark.fault("J01")
def test_a_directory_of_more_entries_than_are_read_is_refused_by_their_count() -> None:
    with pytest.raises(InvalidInputError, match="has 20001 members"):
        adopt(pt(b"PK\1\2".ljust(46, b"\0") * 20_001))


@pytest.mark.fault("J01")
def test_a_pickle_of_more_instructions_than_are_followed_is_refused_by_their_count() -> None:
    with pytest.raises(InvalidInputError, match="more than 800000 instructions"):
        adopt(pt(checkpoint(b"\x80\x02" + b"]" * 800_000 + b".")))


def test_a_checkpoint_of_something_else_is_no_detector() -> None:
    for root in ({"model": 7}, {}, {"model": None}, {"model": Call("torch.nn.modules.container Sequential", state={})}):
        with pytest.raises(InvalidInputError, match="no DetectionModel"):
            adopt(pt(checkpoint(root)))


@pytest.mark.fault("J01", "H07")
def test_a_zip_bomb_within_a_checkpoint_is_refused_by_what_it_declares(little_memory) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("weights/data.pkl", program({"model": None}))
        archive.writestr("weights/data/0", bytes(300_000_000))
    with pytest.raises(InvalidInputError, match="packed, or overlap"):
        adopt(pt(bomb.getvalue()))
    plain = checkpoint({"model": None}, {"0": bytes(1000)})
    for offset in range(plain.rindex(b"PK\x01\x02"), len(plain) - 22):  # every field of the last directory entry
        for byte in (0xFF, 0x7F):
            with pytest.raises(InvalidInputError):
                adopt(pt(plain[:offset] + bytes([byte]) + plain[offset + 1 :]))
