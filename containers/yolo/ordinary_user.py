"""From root, as which SageMaker may start a container, to a user who may only read the code; and no way back.

Whoever finds a hole in an image decoder or in torch is then nobody in particular: not the owner of the code, of the
model that is served, or of the container.
"""

import contextlib
import ctypes
import os
import pwd
import stat
import sys
import tempfile
from pathlib import Path

USER = "CONTAINER_USER"  # the Dockerfile sets it; without it the process stays who it is
PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h: no set-uid program gives back what was given up


def become(base: Path, trains: bool) -> None:
    """Prepares what needs root, then gives root up. Called before anything opens a model or an image.

    Ends the process with a sentence where the user does not exist, is root, or could come back.
    """
    name = os.environ.get(USER)
    if not name:
        return
    if os.geteuid() != 0:
        _settle(Path(tempfile.mkdtemp(prefix="labelloop-")), os.environ.get("USER", name))
        return
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        sys.exit(f"{USER} names '{name}', whom the image does not know: create that user in the Dockerfile")
    if user.pw_uid == 0 or user.pw_gid == 0:
        sys.exit(f"{USER} names '{name}', who is root, or of root's group: name an ordinary user")
    for folder in ("input", "model"):
        _let_read(base / folder)
    if trains:
        for folder in ("model", "output"):
            (base / folder).mkdir(parents=True, exist_ok=True)
            _hand_over(base / folder, user)
    home = Path(tempfile.mkdtemp(prefix="labelloop-"))
    _settle(home, name)
    _hand_over(home, user)
    os.chown(home / "empty", 0, 0)  # the working directory, from which Python may import, stays empty
    _give_up(user)


def _settle(home: Path, name: str) -> None:
    """Where files go that nobody asked for; the working directory is an empty one."""
    os.umask(0o022)
    places = {"HOME": home, "TMPDIR": home / "tmp", "YOLO_CONFIG_DIR": home / "yolo-config"}
    for place in (*places.values(), home / "empty"):
        place.mkdir(exist_ok=True)
    os.environ.update({variable: str(place) for variable, place in places.items()}, USER=name, LOGNAME=name)
    tempfile.tempdir = None  # asked for anew
    os.chdir(home / "empty")


def _let_read(folder: Path) -> None:
    """Files of an archive come with the permissions that it gives them, and to whom."""
    for path in _tree(folder):
        found = path.lstat()
        wanted = 0o555 if stat.S_ISDIR(found.st_mode) else 0o444
        # A file with a second name may be one from outside.
        is_ours = stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
        if is_ours and found.st_mode & wanted != wanted:
            with contextlib.suppress(OSError):  # read-only: whoever then cannot read it says so
                path.chmod(stat.S_IMODE(found.st_mode) | wanted)


def _hand_over(folder: Path, user: pwd.struct_passwd) -> None:
    for path in _tree(folder):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _tree(folder: Path) -> list[Path]:
    """The folder and all that is in it, no link followed."""
    if not folder.is_dir():
        return []
    inside = os.walk(folder, followlinks=False)
    return [folder, *(Path(parent) / name for parent, folders, files in inside for name in (*folders, *files))]


def _give_up(user: pwd.struct_passwd) -> None:
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("the kernel does not let this process renounce further privileges (prctl PR_SET_NO_NEW_PRIVS)")
    try:
        os.setuid(0)
    except PermissionError:
        return
    sys.exit(f"the process could become root again after it had become {user.pw_name}: nothing is opened as root")
