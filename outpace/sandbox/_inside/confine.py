"""What the worker does to itself before the first byte of a candidate arrives; none of it can be undone."""

from __future__ import annotations

import _ctypes
import os
import resource
import struct
from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_SIGKILL = 9


class _Word(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """An unsigned long argument; the package ``ctypes``, which has such types, would cost every worker 2 ms."""

    _type_ = "L"


def confine(setup: dict[str, Any]) -> None:
    """Take on the uid, the limits and the system-call filter of ``setup``; ``OSError`` if the kernel refuses one.

    ``setup``: ``uid`` (None: stay), ``rlimits`` (name without ``RLIMIT_`` to the limit, in its unit), ``filter`` (a BPF
    program), ``die_with_parent``.
    """
    if setup["uid"] is not None:
        _become(setup["uid"])
    if setup["die_with_parent"]:
        _call("prctl", _PR_SET_PDEATHSIG, _SIGKILL)
    for name, limits in setup["rlimits"].items():
        kind = getattr(resource, f"RLIMIT_{name}")
        ours = resource.getrlimit(kind)[1]  # may be raised by nobody here
        soft, hard = (limit if ours == resource.RLIM_INFINITY else min(limit, ours) for limit in limits)
        resource.setrlimit(kind, (soft, hard))
    _call("prctl", _PR_SET_DUMPABLE, 0)  # no core dump for the host to parse, no ptrace by another process of this uid
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1)
    _filter_calls(setup["filter"])


def _become(uid: int) -> None:
    """Become an ordinary user for good: empty all sets of capabilities, then change every id."""
    for capability in range(int(open("/proc/sys/kernel/cap_last_cap").read()) + 1):  # noqa: PTH123, SIM115
        _call("prctl", _PR_CAPBSET_DROP, capability)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    header, sets = array("I", (_CAPABILITY_VERSION_3, 0)), array("I", (0,) * 6)
    _call("capset", header.buffer_info()[0], sets.buffer_info()[0])


def _filter_calls(program: bytes) -> None:
    """Put the BPF ``program`` in front of every system call; this is the only thread yet."""
    code = array("B", program)
    header = array("B", struct.pack("HxxxxxxQ", len(program) // 8, code.buffer_info()[0]))
    _call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header.buffer_info()[0])


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library that takes up to five words and answers 0."""
    function = _ctypes.dlsym(_ctypes.dlopen(None, 0), name)  # type: ignore[arg-type]
    words = tuple(_Word(argument) for argument in (*arguments, 0, 0, 0, 0, 0)[:5])
    if _ctypes.call_function(function, words) != 0:
        raise OSError(f"the kernel refused {name}{arguments}")
