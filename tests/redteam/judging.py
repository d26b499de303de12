"""A judge in a process of its own: a program of the red team, started by ``conftest.py`` for each user and sandbox.

It takes orders, one JSON object a line, and answers each with one line. During every attack an honest program waits in
the same sandbox, and is asked afterwards; then another one is judged that came after it. It also tells what the attack
has left behind that was not there before: processes, mounts, control groups, files, descriptors.
"""

import asyncio
import ctypes
import dataclasses
import json
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.plugins import load
from outpace.sandbox.base import Job, Sandbox

PR_SET_CHILD_SUBREAPER = 36
HONEST = "def entry(number):\n    return 2 * number\n"
PATIENCE_S = 5.0
NEIGHBOUR_WALL_S = 20.0
KEPT = "cpu_ns", "output", "error", "ended_by", "detail", "wall_ns", "idle_cpu_ns", "threads"


def job_of(order: dict[str, Any], program: str) -> Job:
    """Return the job that the order asks for, with this program."""
    limits, mounts = Limits(**order["limits"]), tuple(map(Path, order["mounts"]))
    return Job(files={"program.py": program}, entry="entry", limits=limits, mounts=mounts)


async def built(sandbox: Sandbox, order: dict[str, Any]) -> dict[str, Any]:
    """Run the program as the command of a compile stage; the artefacts are told by name and length."""
    worker = await sandbox.start(replace(job_of(order, order["program"]), build=("python", "program.py")))
    try:
        reply = await worker.build()
    finally:
        usage = await worker.close()
    told = {name: getattr(reply, name) for name in KEPT}
    if reply.ok:
        told["output"] = {
            path: [len(content), content[:4000].decode("latin-1")] for path, content in told["output"].items()
        }
    return {"replies": [told], "stderr": usage.stderr}


async def attacked(sandbox: Sandbox, order: dict[str, Any]) -> dict[str, Any]:
    """Run one candidate as the order says; the replies, the first to ``load``, and what it printed."""
    job = job_of(order, order["program"])
    worker = await sandbox.start(job)
    try:
        replies = [await worker.load()]
        if order.get("batch"):
            replies.append(await worker.batch(order["problems"]))
        for problem in () if order.get("batch") else order["problems"]:
            replies.append(await worker.call(problem))  # noqa: PERF401  (one after the other)
    finally:
        usage = await worker.close()
    told = [{name: getattr(reply, name, None) for name in KEPT} for reply in replies]
    return {"replies": told, "stderr": usage.stderr}


async def beside(sandbox: Sandbox, order: dict[str, Any]) -> dict[str, Any]:
    """Run the attack while an honest neighbour waits; ``neighbour`` is what that one answers then, 42 if it is well."""
    neighbour = await sandbox.start(job_of(order, HONEST))
    try:
        await neighbour.load()
        seen = await (built if order["build"] else attacked)(sandbox, order)
        reply = await neighbour.call({"number": 21}, wall_s=NEIGHBOUR_WALL_S)
        seen["neighbour"] = reply.output if reply.ok else dataclasses.asdict(reply)
    finally:
        await neighbour.close()
    return seen


async def next_one(sandbox: Sandbox, job: Job) -> Any:
    """Return what the next candidate answers: 42 if nobody has harmed it."""
    worker = await sandbox.start(job)
    try:
        loaded = await worker.load()
        reply = await worker.call({"number": 21})
    finally:
        await worker.close()
    return reply.output if loaded.ok and reply.ok else dataclasses.asdict(reply)


def surroundings() -> dict[str, list[str]]:
    """Return what there is of this judge's: processes below it, mounts, control groups, files."""
    groups = {
        str(Path(folder, name))
        for top in ("/sys/fs/cgroup",)
        for folder, names, _ in os.walk(top)
        for name in names
        if name.startswith(f"outpace-{os.getpid()}-")
    }
    files = [str(path) for path in Path(tempfile.gettempdir()).rglob("*") if not _shared(path)]
    mounts = [line.split(" ", 3)[3] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found = {"processes": below(os.getpid()), "mounts": mounts, "groups": sorted(groups), "files": files}
    return found | {"descriptors": descriptors()}


def _shared(path: Path) -> bool:
    """Tell whether a path lies in the interpreter's packages or the checkout, where other tests' bytecode comes up."""
    return any(path.is_relative_to(folder) for folder in (sys.prefix, Path(__file__).parents[2]))


def descriptors() -> list[str]:
    """Return what this process has open, by kind, but for the pool of lines to a Docker engine, which has its limit."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            kind = str(path.readlink()).split(":[")[0]
            if kind != "socket" or not _leads_to_engine(int(path.name)):
                found.append(kind)
        except FileNotFoundError:
            continue
    return sorted(found)


def _leads_to_engine(fd: int) -> bool:
    with socket.socket(fileno=os.dup(fd)) as line:
        try:
            return str(line.getpeername()).endswith("docker.sock")
        except OSError:
            return False


def below(pid: int) -> list[str]:
    """Return the processes below one, as names with their state; orphans come back to a subreaper."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
        for child in _read(f"/proc/{pid}/task/{task}/children").split():
            if stat := _read(f"/proc/{child}/stat"):
                name = stat.partition("(")[2].rpartition(")")
                found += [f"{name[0]} {'zombie' if name[2].split()[0] == 'Z' else 'lives'}", *below(int(child))]
    return sorted(found)


def _read(path: str) -> str:
    """Return a file of a process, empty if that is gone by now."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def left(before: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what is there now and was not before; what is about to go has a little time to do so."""
    until = time.monotonic() + PATIENCE_S
    while True:
        reap_orphans()
        now = surroundings()
        more = {what: _without(now[what], before[what]) for what in now}
        if not any(more.values()) or time.monotonic() > until:
            return more
        time.sleep(0.02)


def reap_orphans() -> None:
    """Take leave of dead children, as the host's first process does of orphans; no sandbox waits for one any more."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def _without(now: list[str], before: list[str]) -> list[str]:
    more = Counter(now) - Counter(before)
    return sorted(more.elements())


def main() -> None:
    """Say whether the sandbox works here, then take orders until the line ends."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sandbox: Sandbox = load("sandbox", sys.argv[1])()
    try:
        sandbox.probe()
        asyncio.run(next_one(sandbox, Job(files={"program.py": HONEST}, entry="entry")))
    except SandboxUnavailable as error:
        print(json.dumps({"unavailable": str(error)}), file=line, flush=True)
        return
    print(json.dumps({"pid": os.getpid(), "scratch": tempfile.gettempdir()}), file=line, flush=True)
    before = surroundings()
    warm: set[tuple[str, ...]] = set()
    for order in map(json.loads, sys.stdin):
        kind = (str(order["mounts"]), str(order["limits"]), str(order["build"]))
        if kind not in warm:  # what a sandbox keeps warm for such jobs is not left behind by the attack
            warm.add(kind)
            asyncio.run(beside(sandbox, {**order, "program": HONEST, "problems": [], "batch": False}))
            before = surroundings()
        seen = asyncio.run(beside(sandbox, order))
        seen["next"] = asyncio.run(next_one(sandbox, job_of(order, HONEST)))
        seen["left"] = left(before)
        print(json.dumps(seen, default=repr), file=line, flush=True)
    if hasattr(sandbox, "close"):
        sandbox.close()
    print(json.dumps(below(os.getpid())), file=line, flush=True)


if __name__ == "__main__":
    main()
