"""The system-call filter: its numbers are those of the kernel's headers, and its program decides as it should."""

import errno
import json
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from outpace.errors import SandboxUnavailable
from outpace.sandbox.seccomp import NEWEST, TABLES, filter_program

ALLOW, KILL = 0x7FFF0000, 0x80000000
THREAD = 0x3D0F00
HEADERS = {
    "x86_64": [Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm/unistd_64.h")],
    "aarch64": [Path("/usr/include/asm-generic/unistd.h")],
}


def decide(program: bytes, number: int, arguments: tuple[int, ...] = (), *, architecture: int) -> int:
    """Run the classic BPF ``program`` on one system call, as the kernel does."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    steps = list(struct.iter_unpack("<HBBI", program))
    accumulator = at = 0
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, operand)[0]
            continue
        if code == 0x54:
            accumulator &= operand
            continue
        held = {
            0x15: accumulator == operand,
            0x25: accumulator > operand,
            0x35: accumulator >= operand,
            0x45: bool(accumulator & operand),
        }[code]
        at += if_true if held else if_false


@pytest.mark.parametrize("machine", TABLES)
@pytest.mark.parametrize("allow", [(False, False), (True, False), (True, True)], ids=["run", "start", "build"])
def test_every_call_is_decided_as_it_should(machine: str, allow: tuple[bool, bool]) -> None:
    architecture, numbers = TABLES[machine]
    allow_exec, allow_fork = allow
    program = filter_program(allow_exec=allow_exec, allow_fork=allow_fork, machine=machine)
    refused, closed = 0x00050000 | errno.EPERM, 0x00050000 | errno.EACCES

    def verdict(number: int, *arguments: int) -> int:
        return decide(program, number, arguments, architecture=architecture)

    special = {"clone", "clone3", "fork", "vfork", "socket", "socketpair", "execve", "execveat"}
    assert {verdict(number) for name, number in numbers.items() if name not in special} == {refused}
    assert verdict(numbers["execve"]) == verdict(numbers["execveat"]) == (ALLOW if allow_exec else refused)
    forks = {verdict(numbers[name]) for name in ("fork", "vfork") if name in numbers}
    assert forks <= {ALLOW if allow_fork else refused}
    assert verdict(numbers["clone"], 17) == verdict(numbers["clone"], 0x4111) == (ALLOW if allow_fork else refused)
    assert verdict(numbers["clone"], THREAD) == ALLOW and verdict(numbers["clone"], 0x8000 | 17) == refused
    assert {verdict(numbers["clone"], THREAD | 1 << bit) for bit in (7, 17, 25, 26, 27, 28, 29, 30)} == {refused}
    assert verdict(numbers["clone3"]) == 0x00050000 | errno.ENOSYS
    assert {verdict(numbers["socket"], family) for family in (1, 2, 16)} == {closed}
    streams = {verdict(numbers["socketpair"], 1, kind) for kind in (1, 1 | 0o2000000, 1 | 0o4000)}
    others = {verdict(numbers["socketpair"], *pair) for pair in ((1, 2), (1, 5), (1, 3), (30, 1), (2, 1))}
    assert streams == {ALLOW} and others == {closed}


@pytest.mark.parametrize("machine", TABLES)
def test_what_is_not_named_is_allowed_up_to_the_newest_and_foreign_doors_are_shut(machine: str) -> None:
    architecture, numbers = TABLES[machine]
    program = filter_program(allow_exec=False, machine=machine)
    harmless = set(range(NEWEST + 1)) - set(numbers.values())
    assert {decide(program, number, architecture=architecture) for number in harmless} == {ALLOW}
    absent = {decide(program, number, architecture=architecture) for number in (NEWEST + 1, 463, 470, 100_000)}
    assert absent == {0x00050000 | errno.ENOSYS}
    assert decide(program, 0x40000000, architecture=architecture) == KILL
    assert decide(program, 0, architecture=0x40000003) == KILL


def attempts(calls: str, *, allow_exec: bool = False, allow_fork: bool = False) -> Any:
    """Return what a child with the filter gets for each of ``calls``, a dict of Python functions by name."""
    options = f"allow_exec={allow_exec}, allow_fork={allow_fork}"
    code = f"""
import ctypes, errno, json, os, platform, signal, socket, subprocess, sys, threading
from outpace.sandbox._inside import confine, landlock
from outpace.sandbox.seccomp import TABLES, filter_program
libc = ctypes.CDLL(None, use_errno=True)
numbers = TABLES[platform.machine()][1]
def system(name, *arguments):
    number = name if isinstance(name, int) else numbers[name]
    if libc.syscall(ctypes.c_long(number), *(ctypes.c_long(word) for word in (*arguments, 0, 0, 0, 0, 0, 0)[:6])) < 0:
        raise OSError(ctypes.get_errno(), "")
def reap(pid):
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
landlock.call("prctl", 38, 1)
confine.filter_calls(filter_program({options}))
found = {{}}
for name, call in ({calls}).items():
    try: found[name] = call() or "allowed"
    except OSError as error: found[name] = errno.errorcode[error.errno]
json.dump(found, sys.stdout)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(platform.machine() not in TABLES, reason=f"no filter for {platform.machine()}")
def test_a_child_with_the_filter_is_refused_what_leads_out() -> None:
    """Arguments are such that an allowed call would fail with another error than EPERM, or do nothing."""
    names = [name for name in TABLES[platform.machine()][1] if name not in ("fork", "vfork")]
    calls = f"""{{name: lambda name=name: system(name, -1, -1, -1, -1, -1) for name in {names}
        if name not in ("clone", "clone3", "socket", "socketpair")}}"""
    found = attempts(calls)
    assert {name: verdict for name, verdict in found.items() if verdict != "EPERM"} == {} and len(found) > 60
    doors = attempts(
        """{
        "clone3": lambda: system("clone3", 0, 88),
        "fork": lambda: reap(os.fork()),
        "spawn": lambda: reap(os.posix_spawn("/bin/true", ["true"], {})),
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "new user": lambda: system("clone", 0x10000000 | 17),
        "inet": lambda: socket.socket().close(),
        "unix": lambda: socket.socket(socket.AF_UNIX).close(),
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
        "datagrams": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
        "streams": lambda: [end.close() for end in socket.socketpair()] and None,
        "thread": lambda: threading.Thread(target=int).start(),
        "newer than the list": lambda: system(463),
        "mode": lambda: os.chmod("/proc/self/no-such-file", 0o700),
        }"""
    )
    assert doors.pop("clone3") == doors.pop("newer than the list") == "ENOSYS"
    assert {doors.pop(name) for name in ("inet", "unix", "netlink", "datagrams")} == {"EACCES"}
    assert {doors.pop(name) for name in ("streams", "thread")} == {"allowed"} and doors.pop("mode") == "ENOENT"
    assert set(doors.values()) == {"EPERM"}


@pytest.mark.skipif(platform.machine() not in TABLES, reason=f"no filter for {platform.machine()}")
def test_a_compile_stage_may_start_programs_and_nothing_more() -> None:
    found = attempts(
        """{
        "fork": lambda: reap(os.fork()),
        "program": lambda: subprocess.run(["true"], check=True) and None,
        "spawn": lambda: reap(os.posix_spawn("/bin/true", ["true"], {})),
        "new user": lambda: system("clone", 0x10000000 | 17),
        "sister": lambda: system("clone", 0x00008000 | 17),
        "unshare": lambda: system("unshare", 0x10000000),
        "inet": lambda: socket.socket().close(),
        "io_uring": lambda: system("io_uring_setup", 1, 0),
        "ptrace": lambda: system("ptrace", 0),
        }""",
        allow_exec=True,
        allow_fork=True,
    )
    assert {found.pop(name) for name in ("fork", "program", "spawn")} == {"allowed"}
    assert found.pop("inet") == "EACCES" and set(found.values()) == {"EPERM"}


@pytest.mark.skipif(platform.machine() not in TABLES, reason=f"no filter for {platform.machine()}")
def test_threads_that_run_already_get_the_filter_too() -> None:
    calls = """{"in the thread": lambda: (go.set(), thread.join(), answer[0])[2]}"""
    code = f"""
import threading
go, answer = threading.Event(), []
def other():
    go.wait()
    try: answer.append(open("/proc/thread-self/status").read().split("Seccomp:")[1].split()[0])
    except OSError as error: answer.append(str(error))
thread = threading.Thread(target=other)
thread.start()
from outpace.sandbox._inside import confine, landlock
from outpace.sandbox.seccomp import filter_program
landlock.call("prctl", 38, 1)
confine.filter_calls(filter_program(allow_exec=False))
print(({calls})["in the thread"]())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "2\n", done.stderr


@pytest.mark.parametrize("machine", TABLES)
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    header = next((path for path in HEADERS[machine] if path.exists()), None)
    if header is None:
        pytest.skip(f"no kernel header for {machine}: {HEADERS[machine][0]} (package linux-libc-dev)")
    defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    named = TABLES[machine][1]
    wrong = {name: number for name, number in named.items() if int(defined.get(name, number)) != number}
    assert not wrong and len(set(TABLES[machine][1]) & set(defined)) > 60


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(SandboxUnavailable, match="No system-call filter for the architecture 'riscv64'"):
        filter_program(allow_exec=False, machine="riscv64")
