"""Checkpoints that run something when they are unpickled, and model.json that says what cannot be."""

from typing import Any

from made_up_models import Call, program

# Calls of what runs code, opens files or addresses, or reaches either by a detour: `module name` and arguments. Each
# would leave the file CANARY, or asks for an address, where a general unpickler followed it.
CANARY = "canary"
_CODE = f"open({CANARY!r}, 'w').close()"
_SHELL = f"touch {CANARY}"
CALLS: dict[str, tuple[Any, ...]] = {
    "builtins eval": (_CODE,),
    "builtins exec": (_CODE,),
    "builtins compile": (_CODE, "x", "exec"),
    "builtins getattr": (Call("os system"), "__call__"),
    "builtins __import__": ("antigravity",),
    "builtins open": (CANARY, "w"),
    "builtins map": (Call("os system"), [_SHELL]),
    "builtins apply": (Call("os system"), [_SHELL]),
    "builtins bytearray": (10,),
    "__builtin__ eval": (_CODE,),
    "__builtin__ getattr": (Call("posix system"), "__call__"),
    "os system": (_SHELL,),
    "os popen": (_SHELL,),
    "os execv": ("/bin/sh", ["sh", "-c", _SHELL]),
    "os putenv": ("A", "B"),
    "posix system": (_SHELL,),
    "nt system": (_SHELL,),
    "subprocess Popen": (["touch", CANARY],),
    "subprocess check_output": (["touch", CANARY],),
    "pty spawn": (["touch", CANARY],),
    "pathlib Path": (CANARY,),
    "pathlib PosixPath": (CANARY,),
    "shutil copyfile": ("/etc/hostname", CANARY),
    "shutil rmtree": ("nothing",),
    "socket create_connection": (("127.0.0.1", 1),),
    "urllib.request urlopen": ("http://127.0.0.1:1/",),
    "webbrowser open": ("http://127.0.0.1:1/",),
    "importlib import_module": ("antigravity",),
    "runpy run_path": (CANARY,),
    "runpy _run_code": (_CODE, {}),
    "code interact": (),
    "pdb run": (_CODE,),
    "timeit timeit": (_CODE,),
    "ctypes CDLL": ("libc.so.6",),
    "functools partial": (Call("os system"), _SHELL),
    "functools reduce": (Call("os system"), [_SHELL, _SHELL]),
    "operator attrgetter": ("__class__",),
    "operator methodcaller": ("system", _SHELL),
    "types FunctionType": (None, {}),
    "types CodeType": (),
    "copyreg _reconstructor": (Call("builtins object"), Call("builtins object"), None),
    "collections Counter": ([1],),
    "pickle loads": ("",),
    "_pickle loads": ("",),
    "marshal loads": ("",),
    "tarfile open": (CANARY, "w"),
    "zipfile ZipFile": (CANARY, "w"),
    "logging.config fileConfig": (CANARY,),
    "numpy load": (CANARY,),
    "numpy.core.multiarray _reconstruct": (Call("numpy ndarray"), (0,), "b"),
    "numpy.core.multiarray scalar": (),
    "numpy.testing._private.utils runstring": (_CODE, {}),
    "numpy.f2py.crackfortran myeval": (_CODE,),
    "torch load": (CANARY,),
    "torch.hub load": ("a/b", "c"),
    "torch.hub load_state_dict_from_url": ("http://127.0.0.1:1/x.pt",),
    "torch.jit load": (CANARY,),
    "torch.storage _load_from_bytes": ("",),
    "torch.serialization load": (CANARY,),
    "torch.utils.cpp_extension load_inline": ("x", _CODE),
    "torch.utils.data.datapipes.utils.common get_file_binaries_from_pathnames": ([CANARY], "r"),
    "torch._dynamo.guards GuardBuilder.get": (_CODE,),
    "torch.fx.graph_module reduce_graph_module": ({"_code": _CODE}, ""),
    "torch.distributed.rpc.rpc_sync rpc_sync": (),
    "torch.nn.modules.linear Linear": (1_000_000, 1_000_000),
    "ultralytics.nn.distill_model DistillationModel": ("http://127.0.0.1:1/teacher.pt", None),
    "ultralytics.nn.autobackend AutoBackend": ("http://127.0.0.1:1/teacher.pt",),
    "ultralytics.nn.tasks load_checkpoint": ("http://127.0.0.1:1/teacher.pt",),
    "ultralytics.nn.tasks torch_safe_load": (CANARY,),
    "ultralytics.nn.tasks WorldModel": (),
    "ultralytics.nn.modules.block TorchVision": ("resnet18", "DEFAULT"),
    "ultralytics.nn.modules.head OBB": (),
    "ultralytics.utils.downloads safe_download": ("http://127.0.0.1:1/x.zip",),
    "ultralytics.utils.checks check_requirements": ("antigravity",),
    "ultralytics.utils.checks check_file": ("http://127.0.0.1:1/x.pt",),
    "ultralytics.utils.loss v8DetectionLoss": (),
    "ultralytics.utils YAML.load": (CANARY,),
    "ultralytics.engine.model Model": ("http://127.0.0.1:1/teacher.pt",),
    "ultralytics.hub login": (),
    "__torch__ Model": (),
    "__main__ Model": (),
}
# The same power by other instructions of a pickle than a plain name that is called.
PROGRAMS: dict[str, bytes] = {
    "INST": b"\x80\x02(S'" + _SHELL.encode() + b"'\nios\nsystem\n.",
    "OBJ": b"\x80\x02(cos\nsystem\nS'" + _SHELL.encode() + b"'\no.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(_SHELL)]) + _SHELL.encode() + b"\x85R.",
    "STACK_GLOBAL of an allowed name": b"\x80\x04\x8c\x05torch\x8c\x04Size\x93)R.",
    "NEWOBJ_EX": b"\x80\x04cos\nsystem\n)}\x92.",
    "EXT1": b"\x80\x02\x82\x01.",
    "PERSID": b"\x80\x020Pstorage\n.",
    "a name with a line of its own": b"\x80\x02ctorch\nSize\nos.system\n)R.",
    "an enormous memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "an enormous text": b"\x80\x04\x8d" + (1 << 40).to_bytes(8, "little") + b"a.",
    "an enormous array": b"\x80\x05\x96" + (1 << 40).to_bytes(8, "little") + b"a.",
    "an endless nest": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "nested tuples as a key": b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"Ns.",
    "a state for a name": b"\x80\x02ctorch\nSize\n}b.",
    "nothing": b"",
    "no end": b"\x80\x02N",
    "an empty stack": b"\x80\x02.",
    "a text": program("weights"),
    "a list": program([1, 2]),
    "a digit bomb": b"\x80\x02L" + b"9" * 100_000 + b"L\n.",
}

# model.json's field -> what it must not be
FIELDS: list[tuple[str, Any]] = [
    *(("classes", value) for value in ("absent", None, "head", {}, [], [""], [" "], ["head", "head"], [1], [None])),
    *(
        ("classes", value)
        for value in ([["head"]], ["h" * 257], ["a\nb"], ["a\0"], ["\ud800"], [f"c{n}" for n in range(1001)])
    ),
    *(
        ("image_size", value)
        for value in ("absent", None, "640", True, [640], 0, 31, 33, 641, 4128, 10**9, -640, 640.5)
    ),
    *(("image_size", value) for value in (1e300, 10**400)),
    *(("engine", value) for value in ("absent", None, 7, "", "os.path", "../x", "a b", "a/b", "x" * 65, ["detector"])),
    *(("architecture", value) for value in (7, [], {"a": 1}, "x" * 101, "a\nb")),
    *(("weights-sha256", value) for value in (7, "ab", "g" * 64, "A" * 64, "a" * 65, ["a" * 64], "../" + "a" * 61)),
]
