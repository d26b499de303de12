"""A zygote without namespaces, as it runs inside a container: what it forks, what it reaps, what it cleans up."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox import interpreter
from outpace.sandbox.base import Job, Reply
from outpace.sandbox.forking import Zygote
from outpace.sandbox.launch import Launch, environment, rlimits
from outpace.sandbox.seccomp import filter_program
from outpace.sandbox.worker_process import WorkerProcess, only

WALL_S = 20.0
SYSTEM = [*interpreter.SYSTEM, sys.base_prefix, "/proc"]


class Plain:
    """A zygote that was started as a container starts one, and its scratch folder."""

    def __init__(self, scratch: Path, env: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start it; ``begin`` must follow."""
        self.scratch = scratch
        ours, theirs = socket.socketpair()
        with theirs:
            command = [*interpreter.command(), str(theirs.fileno())]
            env = {"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "2", **env}
            self.process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), env=env, cwd="/")
        self.zygote = Zygote(ours)

    def worker(self, name: str, program: str, *, building: bool = False) -> WorkerProcess:
        """Return a worker that has loaded a program."""
        job = Job(files={"program.py": program}, entry="entry")
        folder = str(self.scratch / name)
        launch = Launch(
            env=environment(job, folder),
            folder=folder,
            filter=filter_program(allow_exec=building, allow_fork=building),
            rlimits=rlimits(Limits()),
            landlock={"run" if building else "read": SYSTEM, "write": [folder, f"{folder}.driver", "/dev/null"]},
            die_with_parent=True,
            control_group=False,
        )
        process = WorkerProcess(launch, job.limits, spawn=self.zygote.spawn)
        process.handshake(None)
        loaded = process.exchange("load", [{"files": dict(job.files), "entry": "entry", "driver": None}], WALL_S)
        assert loaded.ok, loaded
        return process

    def close(self) -> None:
        """Hang up, upon which it ends by itself."""
        self.zygote.close()
        assert self.process.wait(WALL_S) == 0


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Plain]:
    """Return a zygote without namespaces."""
    found = Plain(tmp_path)
    found.zygote.begin(view=None, scratch=str(tmp_path))
    yield found
    found.close()


def call(worker: WorkerProcess) -> Reply:
    """Return the answer to a problem without inputs."""
    return only(worker.exchange("call", [{}], WALL_S))


def test_workers_are_forks_that_hold_numpy_and_confine_themselves(plain: Plain) -> None:
    program = """import os, sys
def entry():
    try: os.fork()
    except OSError as error: forked = type(error).__name__
    try: open('/etc/passwd'); read = True
    except OSError as error: read = type(error).__name__
    return [os.getppid(), 'numpy' in sys.modules, forked, read, os.getcwd()]
"""
    worker = plain.worker("one", program)
    try:
        parent, warm, forked, read, folder = call(worker).output
    finally:
        worker.close()
    assert parent == plain.process.pid and warm and forked == "PermissionError"
    assert read == "PermissionError" and folder == str(plain.scratch / "one")


@pytest.mark.parametrize(
    ("body", "ended_by", "said"),
    [
        ("os._exit(3)", "exit", "code 3"),
        ("os._exit(139)", "exit", "code 139"),
        ("os.kill(os.getpid(), 11)", "signal", "SIGSEGV"),
        ("os.abort()", "signal", "SIGABRT"),
    ],
)
def test_the_end_of_a_worker_is_told_exactly(plain: Plain, body: str, ended_by: str, said: str) -> None:
    worker = plain.worker("one", f"import os\ndef entry(): {body}\n")
    reply = call(worker)
    worker.close()
    assert reply.ended_by == ended_by and said in reply.detail


def test_what_workers_wrote_is_gone_when_the_last_has_ended(plain: Plain) -> None:
    program = "import os\ndef entry():\n    os.makedirs('a/b')\n    open('a/b/c', 'w').close()\n    os.chmod('a', 0)\n"
    first, second = plain.worker("one", program), plain.worker("two", program)
    assert call(first).ok and call(second).ok
    first.close()
    assert (plain.scratch / "two").is_dir()
    second.close()
    assert list(plain.scratch.iterdir()) == []


def test_what_a_worker_left_running_is_ended(plain: Plain) -> None:
    program = "import subprocess\ndef entry(): return subprocess.Popen(['sleep', '60'], start_new_session=True).pid\n"
    worker = plain.worker("one", program.replace("'sleep'", "'/bin/sleep'"), building=True)
    reply = call(worker)
    assert reply.ok and Path(f"/proc/{reply.output}").exists(), reply
    worker.close()
    assert not Path(f"/proc/{reply.output}").exists()


def test_a_zygote_that_is_gone_says_so(tmp_path: Path) -> None:
    found = Plain(tmp_path)
    found.process.kill()
    found.process.wait()
    with pytest.raises(SandboxUnavailable, match="forked from is gone: it has ended without a word"):
        found.zygote.begin(view=None)
    found.zygote.close()


def test_a_killed_zygote_takes_its_workers_along(plain: Plain) -> None:
    worker = plain.worker("one", "import time\ndef entry(): time.sleep(60)\n")
    pid = worker.pid
    os.kill(plain.process.pid, signal.SIGKILL)
    assert plain.process.wait() == -signal.SIGKILL
    deadline = time.monotonic() + WALL_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()
    worker.close()
    plain.process.returncode = 0  # what ``close`` of the fixture asks for


def test_modules_that_start_threads_cannot_be_preloaded(tmp_path: Path) -> None:
    text = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    (tmp_path / "threaded.py").write_text(text)
    found = Plain(tmp_path, {"PYTHONPATH": str(tmp_path)})
    with pytest.raises(SandboxUnavailable, match="started 1 threads; a process with threads cannot fork"):
        found.zygote.begin(view=None, preload=("threaded",))
    found.close()
