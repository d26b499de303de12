"""``DockerSandbox`` keeps the contract of sandboxes, with a real engine; and what its containers add to it.

Skipped, with the reason, where there is no engine; ``OUTPACE_TEST_DOCKER=required`` makes that a failure.
"""

import asyncio
import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from outpace.errors import MissingPackage, SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox import interpreter
from outpace.sandbox.base import Job, Reply, Sandbox
from outpace.sandbox.contract import SandboxContract
from outpace.sandbox.contract.scenes import run, session, wait_for
from outpace.sandbox.docker.engine import Engine
from outpace.sandbox.docker.image import build, host_root, host_view, pinned
from outpace.sandbox.docker.recipe import LABEL, Recipe
from outpace.sandbox.docker.sandbox import DockerSandbox
from outpace.sandbox.view import SCRATCH

pytestmark = pytest.mark.docker

ENGINE_SCRIPT = Path(__file__).parents[2] / ".ci" / "dockerd.sh"
ANSWER = "def entry():\n    return 42\n"
SPIN = "def entry():\n    while True: pass\n"


def reason_to_skip() -> str:
    """Return why there is no engine to test with, or nothing."""
    try:
        Engine().close()
    except (SandboxUnavailable, MissingPackage) as error:
        if os.environ.get("OUTPACE_TEST_DOCKER") == "required":
            raise
        return str(error)
    return ""


if REASON := reason_to_skip():
    pytest.skip(REASON, allow_module_level=True)


@pytest.fixture
def docker() -> Iterator[DockerSandbox]:
    sandbox = DockerSandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


class TestDockerSandbox(SandboxContract):
    @pytest.fixture
    def sandbox(self, docker: DockerSandbox) -> Sandbox:
        return docker


def containers(judge: int | None = None) -> dict[str, dict[str, Any]]:
    """Return the engine's description of the containers of a judge (default: this one) by their ids."""
    import docker

    client = docker.from_env()
    found = {}
    for item in client.api.containers(all=True, filters={"label": f"{LABEL}={judge or os.getpid()}"}):
        with contextlib.suppress(docker.errors.NotFound):  # it has gone since
            found[item["Id"]] = client.api.inspect_container(item["Id"])
    client.close()
    return found


def one_call(sandbox: Sandbox, program: str, **job: Any) -> Reply:
    """Return the reply of a worker of its own."""
    replies, _ = run(session(sandbox, program, [{}], **job))
    return replies[-1]


def killed_in_a_call(sandbox: Sandbox, harm: Callable[[], None]) -> str:
    """Return what is said when ``harm`` is done in the middle of a call."""

    async def scenario() -> str:
        worker = await sandbox.start(Job(files={"program.py": SPIN}, entry="entry", limits=Limits(wall_s=60)))
        try:
            assert (await worker.load()).ok
            timer = threading.Timer(0.5, harm)
            timer.start()
            with pytest.raises(SandboxUnavailable) as caught:
                await worker.call({})
            timer.join()
            return str(caught.value)
        finally:
            await worker.close()

    return run(scenario())


def test_level_a_is_measured(docker: DockerSandbox) -> None:
    found = docker.probe()
    assert found.level == "A" and found.lacking == ""
    assert found.facts["namespaces"] == "pid, mount, network" and found.facts["capabilities"] == "none"
    assert re.match(r"v[12]: memory, pids, cpu", found.facts["cgroup"])
    assert "API 1." in found.facts["engine"] and found.facts["image"] == "this host's files"


def test_a_container_has_nothing_that_it_does_not_need(docker: DockerSandbox) -> None:
    one_call(docker, ANSWER, limits=Limits(memory_mb=300, disk_mb=10, processes=5, threads=1))
    (description,) = containers().values()
    host = description["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert "no-new-privileges" in host["SecurityOpt"] and host["LogConfig"]["Type"] == "none"
    assert host["AutoRemove"] and host["IpcMode"] == "none" and not host["Privileged"]
    assert 300 << 20 < host["Memory"] == host["MemorySwap"] < 500 << 20
    assert 5 < host["PidsLimit"] < 20 and host["CpuQuota"] == 2 * host["CpuPeriod"]
    assert all(mount["RW"] is False for mount in description["Mounts"])
    assert set(host["Tmpfs"]) == {str(SCRATCH[0]), *map(str, host_view(())[1])}
    uid = int(description["Config"]["User"].partition(":")[0])
    assert uid != 0 and (uid == os.geteuid() or uid > 60_000)


def test_a_container_is_kept_warm_and_a_worker_is_not(docker: DockerSandbox) -> None:
    program = (
        "import os\nopen('left', 'w').write('for you')\ndef entry():\n    return os.getpid(), sorted(os.listdir('.'))\n"
    )
    first = one_call(docker, program).output
    before = set(containers())
    second = one_call(docker, program.replace("open('left', 'w').write('for you')", "")).output
    assert set(containers()) == before and len(before) == 1
    assert first[0] != second[0] and first[1] == ["left", "program.py"] and second[1] == ["program.py"]


def test_workers_at_the_same_time_have_a_container_each(docker: DockerSandbox) -> None:
    async def scenario() -> int:
        job = Job(files={"program.py": ANSWER}, entry="entry")
        workers = await asyncio.gather(docker.start(job), docker.start(job))
        count = len(containers())
        await asyncio.gather(*(worker.close() for worker in workers))
        return count

    assert run(scenario()) == 2 == len(containers())


def test_limits_environment_and_modules_of_a_job_make_a_container(docker: DockerSandbox) -> None:
    jobs: list[dict[str, Any]] = [
        {},
        {"limits": Limits(memory_mb=400)},
        {"env": {"EXTRA": "1"}},
        {"preload": ("json.tool",)},
    ]
    for job in [*jobs, *jobs]:
        assert one_call(docker, ANSWER, **job).output == 42
    assert len(containers()) == len(jobs)


def test_what_is_preloaded_is_there(docker: DockerSandbox) -> None:
    program = "import sys\ndef entry():\n    return [name in sys.modules for name in ('numpy', 'colorsys')]\n"
    assert one_call(docker, program, preload=("colorsys",)).output == [True, True]


def test_files_that_are_hard_to_remove_are_gone_too(docker: DockerSandbox) -> None:
    program = """import os
def entry():
    os.makedirs('shut/below')
    os.chmod('shut/below', 0)
    os.chmod('shut', 0)
    os.symlink('/', 'link')
    try:
        for depth in range(100_000):
            os.mkdir('deep')
            os.chdir('deep')
    except OSError:
        return depth
"""
    limits = Limits(disk_mb=20)
    assert one_call(docker, program, limits=limits).output > 1000
    look = "import os\ndef entry():\n    return os.listdir('.'), os.statvfs('.').f_ffree\n"
    names, free = one_call(docker, look, limits=limits).output
    assert names == ["program.py"] and free > 20 * 200


def test_nothing_else_can_be_written_or_seen(docker: DockerSandbox) -> None:
    program = f"""import os, pathlib
def entry():
    said = []
    for path in ("/dev/shm/x", "/dev/mqueue/x", "/tmp/x", "/run/x", "/x", "/proc/self/comm", "/sys/x"):
        try:
            open(path, "w").close()
            said.append(path)
        except OSError:
            pass
    for path in ("/run/outpace/judge", "/proc/1/environ", {str(Path(__file__))!r}, {str(Path.home())!r}):
        try:
            pathlib.Path(path).stat()
            said += os.listdir(path) if os.path.isdir(path) else [open(path).read()]
        except OSError:
            pass
    return said
"""
    assert one_call(docker, program).output == []


def test_the_first_process_of_a_container_is_out_of_reach(docker: DockerSandbox) -> None:
    program = """import os, signal
def entry():
    for number in range(1, 32):
        for pid in (1, -1):
            try:
                os.kill(pid, number)
            except OSError:
                pass
    return 42
"""
    first = one_call(docker, program.replace("range(1, 32)", "(9, 19)"))
    before = set(containers())
    one_call(docker, program)
    assert one_call(docker, ANSWER).output == first.output == 42 and set(containers()) == before


def test_processes_of_a_build_share_one_limit_on_memory(docker: DockerSandbox) -> None:
    hog = """import os, sys, time
for _ in range(3):
    if os.fork() == 0:
        x = bytearray(180 << 20)
        time.sleep(1)
        os._exit(0)
sys.exit(f"ended by {sorted(os.wait()[1] for _ in range(3))}")
"""
    limits = Limits(memory_mb=256, disk_mb=16, wall_s=30)

    async def scenario() -> Reply:
        command = (interpreter.executable(), "-S", "hog.py")
        worker = await docker.start(Job(files={"hog.py": hog}, entry="entry", build=command, limits=limits))
        try:
            return await worker.build()
        finally:
            await worker.close()

    reply = run(scenario())
    assert re.search(r"ended by \[.*9\]", reply.error or ""), reply
    assert wait_for(lambda: not containers())


def test_a_container_that_is_taken_away_is_our_fault_and_the_next_call_has_another(docker: DockerSandbox) -> None:
    def remove() -> None:
        engine = Engine()
        for number in containers():
            engine.remove(number)
        engine.close()

    assert "gone" in killed_in_a_call(docker, remove)
    assert one_call(docker, ANSWER).output == 42


def test_a_warm_container_that_ended_meanwhile_is_replaced(docker: DockerSandbox, engine: Engine) -> None:
    one_call(docker, ANSWER)
    for number in containers():
        engine.remove(number)
    assert one_call(docker, ANSWER).output == 42


def test_closing_removes_the_containers_and_starting_again_works(docker: DockerSandbox) -> None:
    one_call(docker, ANSWER)
    docker.close()
    docker.close()
    assert wait_for(lambda: not containers())
    assert one_call(docker, ANSWER).output == 42


def test_containers_of_a_judge_that_was_killed_end_by_themselves() -> None:
    program = """
import asyncio, sys
from outpace.sandbox.base import Job
from outpace.sandbox.docker import DockerSandbox
async def main():
    sandbox = DockerSandbox()
    job = Job(files={"program.py": "import time\\ndef entry(): time.sleep(600)"}, entry="entry")
    worker, idle = await sandbox.start(job), await sandbox.start(job)
    await worker.load()
    await idle.close()
    print("ready", flush=True)
    await worker.call({}, wall_s=600)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as judge:
        assert judge.stdout is not None and judge.stdout.readline() == "ready\n"
        assert len(containers(judge.pid)) == 2
        judge.kill()
    assert wait_for(lambda: not containers(judge.pid))


def recipe(engine: Engine, *command: str, **more: Any) -> Recipe:
    """Return what makes a small container that runs a command of this host."""
    mounts, hidden = host_view(())
    return Recipe(
        image=engine.imported(*host_root()),
        command=command,
        user="65534:65534",
        environment=(),
        mounts=mounts,
        hidden=hidden,
        folder=str(SCRATCH[0]),
        disk_bytes=1 << 20,
        disk_files=10,
        memory_bytes=64 << 20,
        processes=5,
        cpus=1,
        **more,
    )


def test_what_a_dead_judge_left_is_removed_at_the_next_start(engine: Engine) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    left = engine.start(recipe(engine, "/usr/bin/sleep", "600", labels={LABEL: str(child.pid)}))
    assert left.is_running()
    sandbox = DockerSandbox()
    try:
        sandbox.probe()
        assert wait_for(lambda: not containers(child.pid))
    finally:
        sandbox.close()
        left.remove()


def test_a_container_tells_how_it_ended_when_it_is_gone(engine: Engine) -> None:
    python = (interpreter.executable(), "-S", "-c")
    starved = engine.start(recipe(engine, *python, "x = bytearray(200 << 20)"))
    failed = engine.start(recipe(engine, *python, "raise SystemExit(7)"))
    assert wait_for(lambda: not containers())
    assert (starved.ran_out_of_memory(), starved.exit_code()) == (True, 137)
    assert (failed.ran_out_of_memory(), failed.exit_code()) == (False, 7)


def test_an_image_that_the_engine_has_not_is_not_downloaded() -> None:
    sandbox = DockerSandbox(image="outpace.invalid/no/such:image")
    with pytest.raises(SandboxUnavailable, match=r"has no image .* Outpace downloads none. Remedy: docker pull"):
        sandbox.probe()
    sandbox.close()


def test_a_runtime_that_the_engine_has_not_is_named() -> None:
    sandbox = DockerSandbox(runtime="no-such-runtime")
    with pytest.raises(SandboxUnavailable, match="no-such-runtime"):
        sandbox.probe()
    sandbox.close()


def test_a_runtime_with_a_kernel_of_its_own_could_not_be_timed() -> None:
    sandbox = DockerSandbox(runtime="runsc")
    with pytest.raises(SandboxUnavailable, match=r"the runtime 'runsc' hides .* Remedy: .* \(runc, crun\)"):
        sandbox.probe()
    sandbox.close()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTPACE_DOCKER_IMAGE", "an-image")
    monkeypatch.setenv("OUTPACE_DOCKER_RUNTIME", "a-runtime")
    sandbox = DockerSandbox()
    assert (sandbox.image, sandbox.runtime) == ("an-image", "a-runtime")
    assert DockerSandbox(image="other", runtime="runc").image == "other"


def python_root() -> bytes:
    """Return a tar archive of a root with the running interpreter, pip, numpy, msgpack, and what they link to."""
    release = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library, packages = Path(sysconfig.get_path("stdlib")), f"usr/local/lib/{release}/site-packages"
    wanted = {Path(interpreter.executable()): f"usr/local/bin/{release}", Path("/usr/bin/dash").resolve(): "usr/bin/sh"}
    left_out = {"site-packages", "dist-packages", "test", "idlelib", "__pycache__", "ensurepip"}
    for folder, names, files in os.walk(library):
        names[:] = set(names) - left_out
        wanted |= {
            Path(folder, name): f"usr/local/lib/{release}/{Path(folder, name).relative_to(library)}" for name in files
        }
    for name in ("pip", "numpy", "msgpack"):
        for file in metadata.files(name) or ():
            if file.suffix != ".pyc" and ".." not in file.parts:
                wanted[Path(file.locate())] = f"{packages}/{file}"
    programs = [str(path) for path in wanted if path.suffix == ".so" or ".so." in path.name or "bin/" in wanted[path]]
    linked = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    wanted |= {
        Path(path): path.lstrip("/") for path in re.findall(r"(?:=> |^\t)(/(?:usr/)?lib\S+)", linked, re.MULTILINE)
    }
    wanted |= {Path(path): f"usr/lib/{Path(path).name}" for path in re.findall(r"=> (/\S+libpython\S+)", linked)}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in ("proc", "dev", "run", "sys", "tmp", "etc"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        links = {"usr/local/bin/python3": release, "bin": "usr/bin"}
        links[f"usr/local/lib/{release}/dist-packages"] = "site-packages"  # where Debian's interpreter looks
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        for path, name in wanted.items():
            if path.name == "EXTERNALLY-MANAGED":
                continue  # as Debian marks its own
            archive.add(path.resolve(), name)
    return data.getvalue()


@pytest.fixture(scope="module")
def base_image() -> Iterator[str]:
    """Import an image such as the official ones of Python, made of this host's files; yields its name."""
    name = f"outpace-test-base:{os.getpid()}"
    engine = Engine()
    engine.imported(name, python_root())
    engine.close()
    yield name
    remove_image(name)


def remove_image(name: str) -> None:
    """Remove an image, and what builds that failed have left of it."""
    import docker

    client = docker.from_env()
    client.images.remove(name, force=True)
    client.images.prune(filters={"dangling": True, "label": "outpace.image"})
    client.close()


def test_an_image_is_built_from_our_dockerfile_and_run(base_image: str) -> None:
    tag = f"outpace-test:{os.getpid()}"
    build(base_image, pinned(["numpy", "msgpack"]), tag=tag, network="none")
    sandbox = DockerSandbox(image=tag)
    try:
        assert sandbox.probe().level == "A" and sandbox.probe().facts["image"] == tag
        assert sandbox.missing(["numpy", "pytest"]) == ["pytest"]
        program = (
            "import numpy, os, sys\ndef entry():\n    return sys.prefix, numpy.__version__, os.path.exists('/work')\n"
        )
        assert one_call(sandbox, program).output == ("/usr/local", metadata.version("numpy"), False)
    finally:
        sandbox.close()
        remove_image(tag)


def test_a_build_that_fails_shows_what_was_printed(base_image: str) -> None:
    with pytest.raises(SandboxUnavailable, match=r"could not build .* Invalid requirement"):
        build(base_image, ["!"], tag=f"outpace-test:{os.getpid()}", network="none")


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Start an engine for one test that may be killed; yields its pid."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("starting an engine of one's own needs root and dockerd")
    folder = Path(tempfile.mkdtemp(prefix="outpace-"))  # a short path, for the sockets in it
    done = subprocess.run([ENGINE_SCRIPT, "start", folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    monkeypatch.setenv("DOCKER_HOST", done.stdout.strip())
    yield int((folder / "pid").read_text().split()[0])
    subprocess.run([ENGINE_SCRIPT, "stop", folder], check=True)


def test_an_engine_that_stops_in_the_middle_is_our_fault(own_engine: int) -> None:
    sandbox = DockerSandbox()
    try:
        assert "engine" in killed_in_a_call(sandbox, lambda: os.kill(own_engine, signal.SIGTERM))
        with pytest.raises(SandboxUnavailable):
            run(session(sandbox, ANSWER, []))
    finally:
        sandbox.close()
