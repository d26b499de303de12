"""Landlock, by which a process gives up for good what it may do with files, TCP ports and processes outside.

After landlock(7) and Documentation/userspace-api/landlock.rst of the kernel. Each version of its interface (ABI) knows
more rights; asking for one that the kernel does not know is an error, so each is asked for by version.
"""

from __future__ import annotations

import _ctypes
import errno
import os
import struct
from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from collections.abc import Mapping, Sequence

NEWEST = 7
"""The last version that this module knows."""
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8
MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = 1 << 9, 1 << 10, 1 << 11, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_FIFO | MAKE_SYM | REFER | TRUNCATE
"""What may be done below a path of each kind; nobody makes devices or sockets, or drives a device by ioctl(2)."""
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_FILES = (1 << 16) - 1
_BIND_AND_CONNECT_TCP = 3  # from ABI 4
_ABSTRACT_SOCKETS_AND_SIGNALS = 3  # from ABI 6
_NO_LOG = 1  # from ABI 7: a candidate that tries doors must not fill the host's audit log

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION, _PATH_BENEATH = 1, 1
_ABSENT = frozenset({errno.ENOSYS, errno.EOPNOTSUPP})
_SKIPPED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES})


class _Word(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """An unsigned long argument; the package ``ctypes``, which has such types, would cost every worker 2 ms."""

    _type_ = "L"


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    """A long result."""

    _type_ = "l"


class _Function(_ctypes.CFuncPtr):
    """A function of the C library that keeps its ``errno``."""

    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


_ZERO = _Word(0)
_functions: dict[str, _Function] = {}


def call(name: str, *arguments: int) -> int:
    """Call a function of the C library that takes up to seven words; its answer -1 is raised as ``OSError``."""
    function = _functions.get(name)
    if function is None:
        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), name)  # type: ignore[arg-type]
        function = _functions[name] = _Function(address)
    words = [_Word(argument & 0xFFFF_FFFF_FFFF_FFFF) if argument else _ZERO for argument in arguments]
    result: int = function(*words, *[_ZERO] * (7 - len(words)))
    if result == -1:
        number = _ctypes.get_errno()
        raise OSError(number, f"the kernel refused {name}{arguments}: {os.strerror(number)}")
    return result


def version() -> int:
    """Return the kernel's version of Landlock, 0 where it has none or has it switched off."""
    try:
        return call("syscall", _CREATE_RULESET, 0, 0, _GET_VERSION)
    except OSError as error:
        if error.errno in _ABSENT:
            return 0
        raise


def restrict(paths: Mapping[str, Sequence[str]]) -> int:
    """Leave this thread, and what it starts, nothing but ``paths``; return the version applied, 0 for none.

    ``paths``: ``read`` (files may be read, folders listed), ``run`` (programs started too), ``write`` (everything but
    programs, devices and sockets); a path in two of them may be used both ways. A path that is not there, or that this
    process could not enter anyway, is left out. The process needs NO_NEW_PRIVS. Connecting to and binding TCP ports,
    and from version 6 sockets and processes outside of this domain, are gone altogether.
    """
    found = min(version(), NEWEST)
    if found == 0:
        return 0
    files = _FILES.get(found, _ALL_FILES)
    fields = (files, _BIND_AND_CONNECT_TCP, _ABSTRACT_SOCKETS_AND_SIGNALS)[: 1 if found < 4 else 2 if found < 6 else 3]
    attributes = array("B", struct.pack(f"{len(fields)}Q", *fields))
    rules = call("syscall", _CREATE_RULESET, attributes.buffer_info()[0], len(attributes), 0)
    try:
        for kind, rights in (("read", READ), ("run", RUN), ("write", WRITE)):
            for path in paths.get(kind, ()):
                _allow(rules, path, rights & files)
        call("syscall", _RESTRICT_SELF, rules, _NO_LOG if found >= 7 else 0)
    finally:
        os.close(rules)
    return found


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _SKIPPED:
            return
        raise
    try:
        if os.fstat(place).st_mode & 0o170000 != 0o040000:  # not a folder
            rights &= _OF_FILES
        rule = array("B", struct.pack("=Qi", rights, place))
        call("syscall", _ADD_RULE, rules, _PATH_BENEATH, rule.buffer_info()[0], 0)
    finally:
        os.close(place)
