"""How much holds a worker: measured where things are missing too, and refused by name below what was asked for."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from outpace.errors import SandboxUnavailable, UnknownName
from outpace.sandbox import cgroups, level
from outpace.sandbox._inside import landlock
from outpace.sandbox.base import Containment, Sandbox
from outpace.sandbox.bubblewrap import BubblewrapSandbox
from outpace.sandbox.level import Found
from outpace.sandbox.process import ProcessSandbox

BEST = Found(
    namespaces=("pid", "mount", "network"),
    landlock=7,
    filtered=True,
    capabilities=False,
    limits=("memory", "CPU time"),
    cgroup="v1: memory, pids",
)
PROBE = """
import json, sys
from outpace.errors import SandboxUnavailable
from outpace.sandbox.bubblewrap import BubblewrapSandbox
try:
    found = BubblewrapSandbox().probe()
    json.dump({"level": found.level, "facts": dict(found.facts), "lacking": found.lacking}, sys.stdout)
except SandboxUnavailable as error:
    json.dump({"error": str(error)}, sys.stdout)
"""
WITHOUT_LANDLOCK = """
import struct
from outpace.sandbox._inside import confine, landlock
steps = [(0x20, 0, 0, 0), (0x35, 0, 2, 444), (0x25, 1, 0, 446), (0x06, 0, 0, 0x00050026), (0x06, 0, 0, 0x7FFF0000)]
landlock.call("prctl", 38, 1)
confine.filter_calls(b"".join(struct.pack("HBBI", *step) for step in steps))
"""


@pytest.mark.parametrize(
    ("changes", "reached", "said"),
    [
        ({}, "A", ""),
        ({"cgroup": "none: not root"}, "B", "no control groups (not root)"),
        ({"landlock": 0}, "C", "Landlock is not in force. Remedy: a kernel with Landlock"),
        ({"landlock": 0, "cgroup": "none: x"}, "C", "Landlock is not in force. Remedy: a kernel with Landlock"),
        ({"namespaces": ()}, "C", "a worker has no pid, mount, network namespace of its own. Remedy: allow"),
        ({"namespaces": ("pid", "mount")}, "C", "a worker has no network namespace of its own"),
        ({"capabilities": True}, "C", "a worker keeps capabilities"),
        ({"namespaces": (), "landlock": 0}, "D", "namespace of its own"),
        ({"filtered": False}, "D", "no system-call filter"),
    ],
)
def test_the_level_is_that_of_what_was_measured(changes: dict[str, Any], reached: str, said: str) -> None:
    found = level.containment(replace(BEST, **changes))
    assert found.level == reached and said in found.lacking and bool(found.lacking) == (reached != "A")
    assert set(found.facts) == {"namespaces", "landlock", "system calls", "capabilities", "limits", "cgroup"}
    assert all(found.facts.values()) and "\n" not in found.lacking


class _Stated:
    """A sandbox that states a containment and can do nothing else."""

    name = "stated"

    def __init__(self, containment: Containment) -> None:
        self.containment = containment

    def probe(self) -> Containment:
        return self.containment


@pytest.mark.parametrize(
    ("reached", "asked"), [("A", "A"), ("A", "B"), ("A", "D"), ("B", "B"), ("C", "C"), ("C", "D"), ("D", "D")]
)
def test_a_level_that_is_reached_is_told(reached: Any, asked: str) -> None:
    stated: Any = _Stated(Containment(level=reached, lacking="something"))
    assert level.require(stated, asked) is stated.containment


@pytest.mark.parametrize(("reached", "asked"), [("B", "A"), ("C", "B"), ("D", "A"), ("D", "B"), ("D", "C")])
def test_a_level_that_is_not_reached_is_refused_with_reason_and_remedy(reached: Any, asked: str) -> None:
    stated: Any = _Stated(Containment(level=reached, lacking="it lacks a wall. Remedy: build one"))
    with pytest.raises(SandboxUnavailable) as caught:
        level.require(stated, asked)
    assert str(caught.value) == (
        f"The sandbox 'stated' reaches level {reached} here, level {asked} was asked for: "
        "it lacks a wall. Remedy: build one."
    )


def test_an_unknown_level_is_refused_by_name() -> None:
    stated: Any = _Stated(Containment(level="A"))
    with pytest.raises(UnknownName, match=r"Unknown level 'E'\. Available: A, B, C, D"):
        level.require(stated, "E")


def test_a_plain_process_is_level_d_whoever_runs_it() -> None:
    found = ProcessSandbox().probe()
    assert found.level == "D" and found.facts["namespaces"] == "none" and found.facts["landlock"] == "none"
    assert found.facts["system calls"] == "filtered" and "memory" in found.facts["limits"]
    with pytest.raises(SandboxUnavailable, match=r"'process' reaches level D here, level B was asked for: .* Remedy: "):
        level.require(ProcessSandbox(), "B")


def bubblewrap() -> Sandbox:
    sandbox = BubblewrapSandbox()
    try:
        sandbox.probe()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    return sandbox


def test_what_bubblewrap_reaches_here() -> None:
    found = bubblewrap().probe()
    assert found.facts["namespaces"] == "pid, mount, network" and found.facts["capabilities"] == "none"
    assert found.facts["limits"] == "memory, CPU time, size of a file, descriptors, processes"
    assert found.facts["cgroup"] == cgroups.in_force()
    if landlock.version() == 0:
        assert found.level == "C" and "Landlock" in found.lacking
        return
    assert found.facts["landlock"] == f"version {landlock.version()}"
    assert found.level == ("B" if cgroups.in_force().startswith("none") else "A")


def probe(*, before: str = "", prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what a judge in a process of its own finds."""
    command = [*prefix, sys.executable, "-c", before + PROBE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_kernel_without_landlock_gives_level_c() -> None:
    bubblewrap()
    found = probe(before=WITHOUT_LANDLOCK)
    assert found["level"] == "C" and found["facts"]["landlock"] == "none" and "gVisor" in found["lacking"]


def test_an_ordinary_user_reaches_the_same_without_control_groups(ordinary: tuple[str, ...]) -> None:
    bubblewrap()
    found = probe(prefix=ordinary)
    if "error" in found:
        pytest.skip(f"as an ordinary user: {found['error']}")
    assert found["facts"]["namespaces"] == "pid, mount, network" and found["facts"]["capabilities"] == "none"
    assert found["facts"]["cgroup"].startswith("none: ")
    if landlock.version():
        assert found["level"] == "B" and found["lacking"].startswith("no control groups (")
    assert "Remedy: " in found["lacking"]
