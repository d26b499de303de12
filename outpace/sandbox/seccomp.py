"""The system-call filter of a worker, as a classic BPF program.

A deny list: what a numerical program never needs and what has led out of sandboxes before. Threads may be started,
processes not (only in a compile stage); no sockets but connected pairs; no namespaces; no memory outside the limits
(memfd, System V). Calls that are newer than the list do not exist. See the kernel's own documentation,
Documentation/userspace-api/seccomp_filter.rst.
"""

import errno
import platform
import struct

from outpace.errors import SandboxUnavailable

_X86_64: dict[str, int] = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "process_madvise": 440, "kcmp": 312,
    "pidfd_open": 434, "pidfd_getfd": 438, "pidfd_send_signal": 424,
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "move_mount": 429, "open_tree": 428, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "unshare": 272, "setns": 308,
    "open_by_handle_at": 304, "name_to_handle_at": 303, "swapon": 167, "swapoff": 168, "quotactl": 179,
    "quotactl_fd": 443, "fanotify_init": 300, "lookup_dcookie": 212,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "keyctl": 250, "add_key": 248, "request_key": 249,
    "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "reboot": 169, "acct": 163, "syslog": 103, "vhangup": 153, "personality": 135,
    "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305,
    "sethostname": 170, "setdomainname": 171,
    "mq_open": 240, "shmget": 29, "msgget": 68, "semget": 64, "memfd_create": 319, "memfd_secret": 447,
    "sched_setaffinity": 203, "sched_setscheduler": 144, "sched_setattr": 314, "sched_setparam": 142,
    "setpriority": 141, "ioprio_set": 251,
    "migrate_pages": 256, "move_pages": 279, "mbind": 237, "set_mempolicy": 238,
    "iopl": 172, "ioperm": 173, "modify_ldt": 154, "connect": 42, "bind": 49, "listen": 50,
    "process_mrelease": 448, "set_mempolicy_home_node": 450, "statmount": 457, "listmount": 458,
    "lsm_get_self_attr": 459, "lsm_set_self_attr": 460, "lsm_list_modules": 461, "fork": 57, "vfork": 58,
    "clone": 56, "clone3": 435, "execve": 59, "execveat": 322, "socket": 41, "socketpair": 53,
}  # fmt: skip
_AARCH64: dict[str, int] = {
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "process_madvise": 440, "kcmp": 272,
    "pidfd_open": 434, "pidfd_getfd": 438, "pidfd_send_signal": 424,
    "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "move_mount": 429, "open_tree": 428, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442, "unshare": 97, "setns": 268,
    "open_by_handle_at": 265, "name_to_handle_at": 264, "swapon": 224, "swapoff": 225, "quotactl": 60,
    "quotactl_fd": 443, "fanotify_init": 262, "lookup_dcookie": 18,
    "bpf": 280, "perf_event_open": 241, "userfaultfd": 282,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "keyctl": 219, "add_key": 217, "request_key": 218,
    "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106,
    "reboot": 142, "acct": 89, "syslog": 116, "vhangup": 58, "personality": 92,
    "settimeofday": 170, "clock_settime": 112, "adjtimex": 171, "clock_adjtime": 266,
    "sethostname": 161, "setdomainname": 162,
    "mq_open": 180, "shmget": 194, "msgget": 186, "semget": 190, "memfd_create": 279, "memfd_secret": 447,
    "sched_setaffinity": 122, "sched_setscheduler": 119, "sched_setattr": 274, "sched_setparam": 118,
    "setpriority": 140, "ioprio_set": 30,
    "migrate_pages": 238, "move_pages": 239, "mbind": 235, "set_mempolicy": 237,
    "connect": 203, "bind": 200, "listen": 201, "process_mrelease": 448, "set_mempolicy_home_node": 450,
    "statmount": 457, "listmount": 458, "lsm_get_self_attr": 459, "lsm_set_self_attr": 460, "lsm_list_modules": 461,
    "clone": 220, "clone3": 435, "execve": 221, "execveat": 281, "socket": 198, "socketpair": 199,
}  # fmt: skip
_SPECIAL = {"clone", "clone3", "execve", "execveat", "fork", "vfork", "socket", "socketpair"}
TABLES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}
"""Audit number of the architecture and the numbers of its calls, by the name that ``platform.machine()`` gives it."""
NEWEST = 462
"""The newest call that this list has an opinion on (numbers are the same everywhere from 424 on)."""

_LOAD, _EQUAL, _ABOVE, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000
_CLONE_THREAD, _CLONE_NEW, _CLONE_PARENT = 0x00010000, 0x7E020080, 0x00008000
_AF_UNIX, _SOCK_STREAM, _KIND_OF_SOCKET = 1, 1, 0xF


def filter_program(*, allow_exec: bool, allow_fork: bool = False, machine: str | None = None) -> bytes:
    """Return the filter for ``machine`` (default: this one).

    ``allow_exec`` is for whoever starts the worker, together with ``allow_fork`` for a compile stage. Modes, owners and
    times of files may be changed: no worker sees files of its own user that it could not write as well.

    Raises:
        SandboxUnavailable: there is no table of calls for this architecture.
    """
    machine = machine or platform.machine()
    if machine not in TABLES:
        known = ", ".join(TABLES)
        raise SandboxUnavailable(
            f"No system-call filter for the architecture '{machine}'; Outpace has one for {known}."
        )
    architecture, numbers = TABLES[machine]
    denied = [number for name, number in numbers.items() if name not in _SPECIAL]
    if not allow_exec:
        denied += [numbers["execve"], numbers["execveat"]]
    if not allow_fork:
        denied += [numbers[name] for name in ("fork", "vfork") if name in numbers]
    program = [
        _step(_LOAD, _ARCHITECTURE), _step(_EQUAL, architecture, 1, 0), _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER), _step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _KILL),
        _step(_ABOVE, NEWEST, 0, 1), _step(_RETURN, _FAIL | errno.ENOSYS),
    ]  # fmt: skip
    for number in denied:
        program += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _FAIL | errno.EPERM)]
    program += [*_sockets(numbers), *_clones(numbers, allow_fork), _step(_RETURN, _ALLOW)]
    return b"".join(program)


def _sockets(numbers: dict[str, int]) -> list[bytes]:
    """No sockets; a connected pair of streams (asyncio needs one) may be made.

    Not of datagrams: such a socket can send to any address (unix(7)), and neither Landlock nor a view of the network of
    its own stands between it and the sockets that lie in visible folders.
    """
    return [
        _step(_EQUAL, numbers["socket"], 0, 1), _step(_RETURN, _FAIL | errno.EACCES),
        _step(_EQUAL, numbers["socketpair"], 0, 7),
        _step(_LOAD, _ARGUMENT_0), _step(_EQUAL, _AF_UNIX, 0, 4),
        _step(_LOAD, _ARGUMENT_1), _step(_AND, _KIND_OF_SOCKET), _step(_EQUAL, _SOCK_STREAM, 0, 1),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _FAIL | errno.EACCES),
    ]  # fmt: skip


def _clones(numbers: dict[str, int], allow_fork: bool) -> list[bytes]:
    """Threads but no namespaces, and processes only if ``allow_fork``, then as children of whoever starts them.

    clone3 hides its flags in memory where no filter can look, so libc must fall back to clone.
    """
    denied = _CLONE_NEW | _CLONE_PARENT if allow_fork else _CLONE_NEW
    thread = _step(_ANY_BIT, 0xFFFFFFFF if allow_fork else _CLONE_THREAD, 0, 1)
    return [
        _step(_EQUAL, numbers["clone3"], 0, 1), _step(_RETURN, _FAIL | errno.ENOSYS),
        _step(_EQUAL, numbers["clone"], 0, 5), _step(_LOAD, _ARGUMENT_0),
        _step(_ANY_BIT, denied, 2, 0), thread, _step(_RETURN, _ALLOW),
        _step(_RETURN, _FAIL | errno.EPERM),
    ]  # fmt: skip


def _step(code: int, operand: int, *jumps: int) -> bytes:
    """Return one instruction; ``jumps``: how many to skip if its condition holds, and if it does not."""
    if_true, if_false = jumps or (0, 0)
    return struct.pack("HBBI", code, if_true, if_false, operand)
