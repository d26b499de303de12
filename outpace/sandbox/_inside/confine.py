"""What the worker does to itself before the first byte of a candidate arrives; none of it can be undone."""

from __future__ import annotations

import errno
import os
import resource
import struct
from array import array

from . import landlock
from .landlock import call

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 23, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_REMOUNT, _NO_SUID, _NO_DEVICES = 32, 2, 4
_SIGKILL = 9


def confine(setup: dict[str, Any]) -> int:
    """Take on the uid, limits, Landlock rules and system-call filter of ``setup``; ``OSError`` if one is refused.

    ``setup``: ``room`` (absent, or ``folders`` in memory with the ``size`` in bytes and number of ``files`` that each
    may have), ``uid`` (None: stay), ``rlimits`` (name without ``RLIMIT_`` to the limit, in its unit), ``landlock``
    (None or the paths of ``landlock.restrict``; capabilities go too then), ``filter`` (BPF), ``die_with_parent``.
    Returns the version of Landlock in force, 0 for none: a host without it is no error here but a lower level.
    """
    rules = setup.get("landlock")
    if "room" in setup:
        _set_room(**setup["room"])
    if setup["uid"] is not None:
        _become(setup["uid"])
    elif rules is not None:
        _drop_capabilities()  # those that a process has over a user namespace of its own
    if setup["die_with_parent"]:
        call("prctl", _PR_SET_PDEATHSIG, _SIGKILL)
    limit(setup["rlimits"])
    call("prctl", _PR_SET_DUMPABLE, 0)  # no core dump for the host to parse, no ptrace by another process of this uid
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1)
    version = landlock.restrict(rules) if rules is not None else 0
    filter_calls(setup["filter"])
    return version


def _set_room(folders: list[str], size: int, files: int) -> None:
    """Limit how much may lie in folders that are mounts in memory; whoever mounted them could not limit the files."""
    options = array("B", f"size={size},nr_inodes={files}".encode() + b"\0")
    for folder in folders:
        path = array("B", folder.encode() + b"\0")
        call("mount", 0, path.buffer_info()[0], 0, _REMOUNT | _NO_SUID | _NO_DEVICES, options.buffer_info()[0])


def limit(limits: dict[str, tuple[int, int]]) -> None:
    """Set resource limits, soft and hard, where ours are not tighter already: nobody here may raise those."""
    for name, wanted in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        ours = resource.getrlimit(kind)[1]
        soft, hard = (limit if ours == resource.RLIM_INFINITY else min(limit, ours) for limit in wanted)
        resource.setrlimit(kind, (soft, hard))


def filter_calls(program: bytes) -> None:
    """Put the BPF ``program`` in front of every system call of every thread."""
    code = array("B", program)
    header = array("B", struct.pack("HxxxxxxQ", len(program) // 8, code.buffer_info()[0]))
    number = _SECCOMP[os.uname().machine]
    thread = call("syscall", number, _SET_MODE_FILTER, _ALL_THREADS, header.buffer_info()[0])
    if thread != 0:
        raise OSError(f"the thread {thread} cannot take on the system-call filter")


def _become(uid: int) -> None:
    """Become an ordinary user for good: empty all sets of capabilities, then change every id."""
    drop_bounding_set()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _drop_capabilities()


def drop_bounding_set() -> None:
    """Empty the bounding set, for good."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            held = call("prctl", _PR_CAPBSET_READ, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return  # beyond the last one that this kernel has
        if held:
            call("prctl", _PR_CAPBSET_DROP, capability)


def _drop_capabilities() -> None:
    """Empty all sets of capabilities; the bounding set only where we may, it gives nothing under NO_NEW_PRIVS."""
    try:  # noqa: SIM105  (contextlib would cost every worker 2 ms)
        drop_bounding_set()
    except PermissionError:
        pass
    call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header, sets = array("I", (_CAPABILITY_VERSION_3, 0)), array("I", (0,) * 6)
    call("capset", header.buffer_info()[0], sets.buffer_info()[0])
