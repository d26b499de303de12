"""The system-call filter: its numbers are those of the kernel's headers, and its program decides as it should."""

import errno
import re
import struct
from pathlib import Path

import pytest

from outpace.errors import SandboxUnavailable
from outpace.sandbox.seccomp import TABLES, filter_program

ALLOW, KILL = 0x7FFF0000, 0x80000000
THREAD = 0x3D0F00
HEADERS = {
    "x86_64": [Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm/unistd_64.h")],
    "aarch64": [Path("/usr/include/asm-generic/unistd.h")],
}


def decide(program: bytes, number: int, argument: int = 0, *, architecture: int) -> int:
    """Run the classic BPF ``program`` on one system call, as the kernel does."""
    data = struct.pack("<IIQQ", number, architecture, 0, argument)
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
        held = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}[code]
        at += if_true if held else if_false


@pytest.mark.parametrize("machine", TABLES)
@pytest.mark.parametrize("allow_exec", [True, False])
def test_every_call_is_decided_as_it_should(machine: str, allow_exec: bool) -> None:
    architecture, numbers = TABLES[machine]
    program = filter_program(allow_exec=allow_exec, machine=machine)
    refused = 0x00050000 | errno.EPERM

    def verdict(number: int, argument: int = 0) -> int:
        return decide(program, number, argument, architecture=architecture)

    special = {"clone", "clone3", "socket", "socketpair", "execve", "execveat"}
    assert {verdict(number) for name, number in numbers.items() if name not in special} == {refused}
    assert verdict(numbers["execve"]) == verdict(numbers["execveat"]) == (ALLOW if allow_exec else refused)
    assert verdict(numbers["socket"], 1) == verdict(numbers["socket"], 2) == 0x00050000 | errno.EACCES
    assert (
        verdict(numbers["socketpair"], 1) == ALLOW and verdict(numbers["socketpair"], 30) == 0x00050000 | errno.EACCES
    )
    assert verdict(numbers["clone3"]) == 0x00050000 | errno.ENOSYS
    assert verdict(numbers["clone"], THREAD) == ALLOW and verdict(numbers["clone"], 17) == refused
    assert {verdict(numbers["clone"], THREAD | 1 << bit) for bit in (7, 17, 25, 26, 27, 28, 29, 30)} == {refused}
    others = set(range(450)) - set(numbers.values())
    assert {verdict(number) for number in others} == {ALLOW}
    assert verdict(0x40000000) == KILL and decide(program, 0, architecture=0x40000003) == KILL


@pytest.mark.parametrize("machine", TABLES)
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    header = next((path for path in HEADERS[machine] if path.exists()), None)
    if header is None:
        pytest.skip(f"no kernel header for {machine}: {HEADERS[machine][0]} (package linux-libc-dev)")
    defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    wrong = {name: number for name, number in TABLES[machine][1].items() if int(defined.get(name, number)) != number}
    assert not wrong and len(set(TABLES[machine][1]) & set(defined)) > 60


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(SandboxUnavailable, match="No system-call filter for the architecture 'riscv64'"):
        filter_program(allow_exec=False, machine="riscv64")
