"""Control groups: where they are made, that they limit sums, and that nothing of them stays."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox import cgroups
from outpace.sandbox.cgroups import Group, Nowhere, Place

HERE = cgroups.in_force()
needs_groups = pytest.mark.skipif(HERE.startswith("none"), reason=f"control groups: {HERE}")
ORDINARY_UID = 54_321


def line(root: str, mount: Path, kind: str, options: str) -> str:
    return f"40 27 0:30 {root} {mount} rw,relatime - {kind} {kind} {options}\n"


def folder(path: Path, **files: str) -> Path:
    """Make a folder that looks like a control group."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in {"cgroup_procs": "", **files}.items():
        (path / name.replace("_", ".", 1)).write_text(text)
    return path


def wait_for(condition: Callable[[], bool]) -> bool:
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def group() -> Iterator[Group]:
    found = cgroups.make(Limits(memory_mb=48, disk_mb=16, processes=8))
    assert found is not None
    yield found
    found.close()


def test_version_1_is_found_below_the_judges_own_groups(tmp_path: Path) -> None:
    memory = folder(tmp_path / "memory" / "slice")
    pids = folder(tmp_path / "pids")
    mounts = line("/", tmp_path / "memory", "cgroup", "rw,memory") + line("/", tmp_path / "pids", "cgroup", "rw,pids")
    assert cgroups.find(mounts, "4:memory:/slice\n8:pids:/\n0::/\n") == Place(1, (str(memory), str(pids)))


def test_a_mount_that_shows_a_part_only(tmp_path: Path) -> None:
    memory = folder(tmp_path / "memory" / "deep")
    pids = folder(tmp_path / "pids")
    mounts = line("/docker/1", tmp_path / "memory", "cgroup", "rw,memory")
    mounts += line("/docker/1", tmp_path / "pids", "cgroup", "rw,pids")
    own = "4:cpu,memory:/docker/1/deep\n8:pids:/docker/1\n"
    assert cgroups.find(mounts, own) == Place(1, (str(memory), str(pids)))


def test_version_2_comes_first_where_its_controllers_are_handed_on(tmp_path: Path) -> None:
    two = folder(
        tmp_path / "two" / "user", cgroup_controllers="cpu memory pids\n", cgroup_subtree_control="memory pids\n"
    )
    folder(tmp_path / "memory")
    folder(tmp_path / "pids")
    mounts = line("/", tmp_path / "two", "cgroup2", "rw") + line("/", tmp_path / "memory", "cgroup", "rw,memory")
    mounts += line("/", tmp_path / "pids", "cgroup", "rw,pids")
    own = "4:memory:/\n8:pids:/\n0::/user\n"
    assert cgroups.find(mounts, own) == Place(2, (str(two),))
    (two / "cgroup.controllers").write_text("hugetlb\n")
    assert cgroups.find(mounts, own) == Place(1, (str(tmp_path / "memory"), str(tmp_path / "pids")))


@pytest.mark.parametrize(
    ("controllers", "mode", "reason"),
    [
        ("cpu pids", 0o755, "has no controller memory"),
        ("", 0o755, "has no controller memory and pids"),
        ("memory pids", 0o555, "may not be written to"),
    ],
)
def test_a_group_that_was_not_delegated_is_named_with_the_remedy(
    tmp_path: Path, controllers: str, mode: int, reason: str
) -> None:
    if mode == 0o555 and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    own = folder(tmp_path / "own", cgroup_controllers=controllers, cgroup_subtree_control="")
    own.chmod(mode)
    found = cgroups.find(line("/", own, "cgroup2", "rw"), "0::/\n")
    own.chmod(0o755)
    assert isinstance(found, Nowhere) and reason in found.reason and "Delegate=yes" in found.remedy


def test_a_host_without_any_is_told(tmp_path: Path) -> None:
    found = cgroups.find("22 27 0:21 / /proc rw - proc proc rw\n", "")
    assert isinstance(found, Nowhere) and "mounted" in found.reason
    hidden = cgroups.find(line("/", tmp_path, "cgroup2", "rw"), "0::/../other\n")
    assert isinstance(hidden, Nowhere)


def test_what_version_2_is_told(tmp_path: Path) -> None:
    """The files are plain ones here: which are written, and what in them, is as cgroup-v2.rst has it."""
    names = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "memory.events")
    for name in names:
        (tmp_path / name).write_text("")
    group = Group(2, [str(tmp_path)])
    group.limit(100 << 20, 7)
    assert [(tmp_path / name).read_text() for name in names[:4]] == [str(100 << 20), "0", "1", "7"]
    assert not group.out_of_memory()
    (tmp_path / "memory.events").write_text("oom 3\noom_kill 0\noom_group_kill 0\n")
    assert not group.out_of_memory()
    (tmp_path / "memory.events").write_text("oom 3\noom_kill 2\n")
    assert group.out_of_memory()


@needs_groups
def test_memory_is_limited_in_sum(group: Group) -> None:
    code = "import os\ninput()\nfor _ in range(4):\n    if os.fork() == 0: break\nhoard = b'x' * (40 << 20)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        group.add(child.pid)
        assert not group.out_of_memory() and child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
        assert wait_for(group.out_of_memory)
        group.close()


@needs_groups
def test_files_in_memory_count(tmp_path: Path, group: Group) -> None:
    code = """
import mmap, os
input()
memory = os.memfd_create("hoard")
os.ftruncate(memory, 400 << 20)
view = mmap.mmap(memory, 400 << 20)
for page in range(0, 400 << 20, 4096): view[page] = 1
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        group.add(child.pid)
        child.communicate(b"\n", timeout=60)
    assert child.returncode == -signal.SIGKILL and group.out_of_memory()


@needs_groups
def test_processes_are_limited_in_sum_also_roots(group: Group) -> None:
    code = """
import os, sys
input()
made = []
try:
    for _ in range(50):
        pid = os.fork()
        if pid == 0:
            import signal
            signal.pause()
        made.append(pid)
except BlockingIOError:
    print(len(made))
for pid in made: os.kill(pid, 9)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        group.add(child.pid)
        assert child.communicate(b"\n", timeout=60)[0] == b"7\n"


@needs_groups
def test_closing_kills_daemons_and_leaves_no_folder() -> None:
    group = cgroups.make(Limits())
    assert group is not None and all(map(os.path.isdir, group.folders))
    folders = list(group.folders)
    code = """
import os, signal, sys
input()
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
            os.write(1, b"%d\\n" % os.getpid())
            while True: signal.pause()
        os._exit(0)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        group.add(child.pid)
        child.stdin.write(b"\n")
        child.stdin.flush()
        daemons = [int(child.stdout.readline()) for _ in range(5)]
    group.close()
    assert not any(map(os.path.exists, folders))
    assert wait_for(lambda: not any(map(_alive, daemons)))
    group.close()


@needs_groups
def test_a_process_that_is_gone_is_no_error_and_a_group_that_is_gone_is_ours(group: Group) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    group.add(child.pid)
    lost = Group(group.version, [f"{folder}-no-such-group" for folder in group.folders])
    with pytest.raises(SandboxUnavailable, match=r"Cannot put a worker into the control group .*no-such-group"):
        lost.add(os.getpid())
    lost.close()


@needs_groups
def test_the_groups_of_a_killed_judge_are_swept_and_those_of_a_living_one_are_not(group: Group) -> None:
    code = """
import os, signal, subprocess
from outpace.limits import Limits
from outpace.sandbox import cgroups
group = cgroups.make(Limits())
child = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
group.add(child.pid)
print(child.pid, *group.folders, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left, *folders = done.stdout.split()
    assert all(map(os.path.isdir, folders)) and _alive(int(left))
    look = "from outpace.sandbox import cgroups; print(cgroups.in_force())"
    next_one = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=False)
    assert next_one.stdout.strip() == HERE, next_one.stderr
    assert not any(map(os.path.exists, folders)) and wait_for(lambda: not _alive(int(left)))
    assert all(map(os.path.isdir, group.folders))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user to try this")
def test_an_ordinary_user_is_told_why_there_are_none() -> None:
    code = f"""
import os
from outpace.limits import Limits
from outpace.sandbox import cgroups
os.setgroups([]); os.setresgid(*[{ORDINARY_UID}] * 3); os.setresuid(*[{ORDINARY_UID}] * 3)
print(cgroups.make(Limits()), cgroups.in_force(), cgroups.remedy(), sep="|")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    group, force, remedy = done.stdout.strip().split("|")
    assert (
        group == "None"
        and force.startswith("none: ")
        and remedy.endswith((cgroups.DELEGATION + ".", cgroups.DELEGATION))
    )


@pytest.fixture
def unified() -> Iterator[str]:
    """Return a new group of version 2, whatever its controllers: killing needs none."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found = next((text.split()[4] for text in mounts if " - cgroup2 " in text), None)
    if found is None or not os.access(found, os.W_OK):
        pytest.skip("no writable control group of version 2 is mounted here")
    place = Path(found, f"outpace-test-{os.getpid()}-{time.monotonic_ns()}")
    place.mkdir()
    if not (place / "cgroup.kill").exists():
        place.rmdir()
        pytest.skip("this kernel has no cgroup.kill (Linux 5.14)")
    yield str(place)
    with contextlib.suppress(FileNotFoundError):
        place.rmdir()


def test_version_2_is_killed_at_one_stroke(unified: str) -> None:
    group = Group(2, [unified])
    children = [subprocess.Popen(["sleep", "600"]) for _ in range(8)]
    for child in children:
        group.add(child.pid)
    group.close()
    assert not Path(unified).exists()
    assert [child.wait(10) for child in children] == [-signal.SIGKILL] * 8


def _alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie that nobody reaps does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False
