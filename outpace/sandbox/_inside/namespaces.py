"""Namespaces of one's own: users, mounts, processes, network; and a root folder that shows chosen parts of the host.

After namespaces(7), user_namespaces(7), mount_namespaces(7), pivot_root(2) and mount_setattr(2).
"""

from __future__ import annotations

import os
import struct
from array import array

from .landlock import call

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from collections.abc import Sequence
    from typing import Any

NEW_MOUNTS, NEW_CGROUP, NEW_UTS, NEW_IPC = 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000
NEW_USER, NEW_PIDS, NEW_NET = 0x1000_0000, 0x2000_0000, 0x4000_0000
INNER_UID = 65534
"""The user that a zygote and its workers are inside: nobody."""
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8  # both as flags of mount(2) and as attributes
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_DETACH = 2
_MOUNT_SETATTR, _PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}
_AT_CWD, _AT_RECURSIVE = -100, 0x8000
_PR_SET_DUMPABLE = 4
_BASE, _HOST = "/tmp", "/.host"  # noqa: S108  (a folder that every host has; nothing is written to the host's)
_ROOT_BYTES = 1 << 20


def enclose(view: dict[str, Any]) -> None:
    """Leave the host: enter namespaces of our own, with a root that shows only ``view``. ``OSError`` if we may not.

    ``view``: ``steps`` (kind, path, source) in the order in which to make them, ``own`` the folders that each worker
    has for itself, and ``uid``, the user of the host to become before all else is given up (None: stay who we are).
    The next child of this process is the first of its PID namespace; it calls ``settle``.
    """
    others = NEW_MOUNTS | NEW_PIDS | NEW_NET | NEW_IPC | NEW_UTS | NEW_CGROUP
    if view["uid"] is not None:  # as root, folders that only their owner may enter can be shown
        call("unshare", NEW_MOUNTS)
        _make_root(view["steps"])
        _become(view["uid"])
    me = os.open("/proc/self", os.O_PATH | os.O_CLOEXEC)
    try:
        own_users(me)
    finally:
        os.close(me)
    call("unshare", others)
    if view["uid"] is None:
        _make_root(view["steps"])


def settle(folders: Sequence[str]) -> None:
    """As the first process of the namespaces, mount what is theirs alone, and close the root for good."""
    own_processes(0)
    for path in folders:
        own_folder(path, size=_ROOT_BYTES * 16, files=1000)
    _set(_READ_ONLY | _NO_SUID | _NO_DEVICES, "/", 0)


def set_apart(folders: Sequence[str], disk_bytes: int, disk_files: int) -> None:
    """As a worker, have ``folders`` in memory and a /proc of our own, and a user namespace without a say over them.

    In a user namespace of one's own, the limit on processes counts one's own (user_namespaces(7), from Linux 5.14).
    """
    me = os.open("/proc/self", os.O_PATH | os.O_CLOEXEC)
    try:
        call("unshare", NEW_MOUNTS | NEW_IPC)
        own_processes(_READ_ONLY)
        for path in folders:
            own_folder(path, size=disk_bytes, files=disk_files)
        own_users(me)
    finally:
        os.close(me)


def own_users(me: int) -> None:
    """Enter a user namespace of our own, as nobody, with all capabilities over what is made in it.

    ``me`` is a descriptor of /proc/self where that can be written to.
    """
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", NEW_USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{INNER_UID} {uid} 1"), ("gid_map", f"{INNER_UID} {gid} 1")):
        file = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=me)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


def own_folder(path: str, *, size: int, files: int) -> None:
    """Mount an empty folder in memory, of ``size`` bytes and ``files`` files at most."""
    _mount("tmpfs", path, "tmpfs", _NO_SUID | _NO_DEVICES, options=f"size={size},nr_inodes={files},mode=1777")


def own_processes(flags: int) -> None:
    """Show the processes of our own PID namespace in /proc; none where the kernel does not let us."""
    flags |= _NO_SUID | _NO_DEVICES | _NO_EXEC
    try:
        _mount("proc", "/proc", "proc", flags)
    except PermissionError:  # parts of the host's /proc are covered: it is a container
        _mount("tmpfs", "/proc", "tmpfs", flags | _READ_ONLY, options="size=0,mode=555")


def _become(uid: int) -> None:
    """Become an ordinary user who may look at itself (a change of user forbids that, and so a user namespace)."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    call("prctl", _PR_SET_DUMPABLE, 1)


def _make_root(steps: Sequence[tuple[str, str, str]]) -> None:
    """Make a root in memory, put into it what ``steps`` say, and let go of the host's."""
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", _BASE, "tmpfs", _NO_SUID | _NO_DEVICES, options=f"size={_ROOT_BYTES},mode=755")
    os.chdir(_BASE)
    os.mkdir(_HOST[1:], 0o700)  # noqa: PTH102
    call("syscall", _PIVOT_ROOT[os.uname().machine], _address(b"."), _address(_HOST[1:].encode()))
    os.chdir("/")
    for kind, path, source in steps:
        _MAKE[kind](path, source)
    for kind, path, _ in steps:
        if kind == "mask":
            _set(_READ_ONLY | _NO_SUID | _NO_DEVICES | _NO_EXEC, path, 0)
    call("umount2", _address(_HOST.encode()), _DETACH)
    os.rmdir(_HOST)  # noqa: PTH106


def _link(path: str, source: str) -> None:
    _make_parents(path)
    os.symlink(source, path)  # noqa: PTH211


def _bind(path: str, source: str) -> None:
    _attach(path, source)
    _set(_READ_ONLY | _NO_SUID | _NO_DEVICES, path, _AT_RECURSIVE)


def _device(path: str, source: str) -> None:
    _attach(path, source)
    _set(_NO_SUID | _NO_EXEC, path, 0)


def _folder(path: str, _: str) -> None:
    os.makedirs(path, mode=0o755, exist_ok=True)  # noqa: PTH103


def _mask(path: str, _: str) -> None:
    _mount("tmpfs", path, "tmpfs", _NO_SUID | _NO_DEVICES, options="size=4096,mode=755")


def _processes(path: str, source: str) -> None:
    """Keep the host's /proc, to be covered: without one in sight the kernel lets us mount none of our own."""
    _attach(path, source)


_MAKE = {"link": _link, "bind": _bind, "device": _device, "folder": _folder, "mask": _mask, "proc": _processes}


def _attach(path: str, source: str) -> None:
    """Show the host's ``source`` at ``path``."""
    source = _HOST + source
    if os.path.isdir(source):  # noqa: PTH112
        os.makedirs(path, mode=0o755, exist_ok=True)  # noqa: PTH103
    elif not os.path.lexists(path):
        _make_parents(path)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    _mount(source, path, None, _BIND | _RECURSIVE)


def _make_parents(path: str) -> None:
    os.makedirs(path.rpartition("/")[0] or "/", mode=0o755, exist_ok=True)  # noqa: PTH103


def _mount(source: str, path: str, kind: str | None, flags: int, *, options: str = "") -> None:
    texts = [_text(text.encode()) for text in (source, path, kind or "none", options)]
    first, second, third, last = (text.buffer_info()[0] for text in texts)
    try:
        call("mount", first, second, third, flags, last if options else 0)
    except OSError as error:
        raise OSError(error.errno, f"mounting {source} at {path} failed: {os.strerror(error.errno or 0)}") from None


def _set(attributes: int, path: str, flags: int) -> None:
    """Set attributes of a mount, with ``_AT_RECURSIVE`` of all below it; what is set already stays."""
    name, wanted = _text(path.encode()), array("B", struct.pack("QQQQ", attributes, 0, 0, 0))
    call("syscall", _MOUNT_SETATTR, _AT_CWD, name.buffer_info()[0], flags, wanted.buffer_info()[0], len(wanted))


def _text(text: bytes) -> array[int]:
    return array("B", text + b"\0")


def _address(text: bytes) -> int:
    """Return where a text lies that lives as long as this module; only for a few constants."""
    held = _CONSTANTS.setdefault(text, _text(text))
    return held.buffer_info()[0]


_CONSTANTS: dict[bytes, array[int]] = {}
