"""The compile stage: what it makes, what it says, what it leaves; with real compilers where there are any."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outpace.errors import SandboxUnavailable
from outpace.evaluators import building
from outpace.evaluators.building import LEAST
from outpace.evaluators.correctness import Failure
from outpace.limits import Limits
from outpace.plugins import available, load
from outpace.sandbox.base import Job, Reply, Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Task, TaskSpec
from tests.hosts import needs_sandbox

SANDBOXES = [name for name in ("process", "bubblewrap", "zygote") if name in available("sandbox")]
RUN = """
import json, sys
from outpace.sandbox._inside import build
command, folder, max_bytes = json.loads(sys.argv[1])
try:
    made = build.run(command, folder, max_bytes)
    json.dump({path: content.decode("latin-1") for path, content in made.items()}, sys.stdout)
except build.BuildFailed as error:
    json.dump(str(error), sys.stdout)
"""


def built(folder: Path, *command: str, max_bytes: int = 1 << 20) -> Any:
    """Run a build in a process of its own; return the files as text, or the text of its failure."""
    order = json.dumps([command, str(folder), max_bytes])
    done = subprocess.run([sys.executable, "-c", RUN, order], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shell(folder: Path, script: str, **more: Any) -> Any:
    return built(folder, "sh", "-c", script, **more)


def test_what_is_new_or_changed_comes_back(tmp_path: Path) -> None:
    (tmp_path / "same").write_text("same")
    (tmp_path / "changed").write_text("before")
    made = shell(tmp_path, "echo after >changed; touch same; mkdir -p a/b; printf new >a/b/new; printf x >$TMPDIR/x")
    assert made == {"changed": "after\n", "a/b/new": "new"}


def test_links_pipes_and_folders_are_no_artefacts(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    work = tmp_path / "work"
    work.mkdir()
    script = "ln -s ../secret link; ln -s .. up; mkfifo pipe; mkdir empty; printf x >file; ln -s file inner"
    assert shell(work, script) == {"file": "x"}


def test_too_much_is_refused(tmp_path: Path) -> None:
    script = "dd if=/dev/zero of=big bs=1024 count=2048 2>/dev/null"
    assert "more than 2000 files or 1 MB" in shell(tmp_path, script)
    (tmp_path / "big").unlink()
    assert "made too much" in shell(tmp_path, "for i in $(seq 2100); do : >$i; done")


def test_a_failure_tells_the_command_its_end_and_what_was_printed(tmp_path: Path) -> None:
    assert shell(tmp_path, "echo out; echo err >&2; exit 3") == (
        "The build command 'sh -c echo out; echo err >&2; exit 3' ended with exit code 3. It printed:\nout\nerr"
    )
    assert "was killed by signal 9" in shell(tmp_path, "kill -9 $$")
    said = shell(tmp_path, "for i in $(seq 5000); do echo line $i; done; exit 1")
    assert "line 1\nline 2\n" in said and "\n[...]\n" in said and said.endswith("line 4999\nline 5000")
    assert len(said) < 4000
    assert "printed more than 64 MB" in shell(tmp_path, "yes")


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = built(tmp_path, "no-such-compiler", "x.cpp")
    assert said.startswith("The program 'no-such-compiler' of the build command is not installed where candidates run")
    assert "build-essential" in said and "\n" not in said
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    assert built(tmp_path, "./tool") == "The build command './tool' cannot be started: Permission denied."


def test_python_is_this_interpreter_with_its_packages(tmp_path: Path) -> None:
    code = "import sys, numpy; open('seen', 'w').write(f'{sys.version_info[:3]} {numpy.__version__}')"
    for name in ("python", "python3"):
        assert built(tmp_path, name, "-c", code).get("seen") == f"{sys.version_info[:3]} {np.__version__}"
        (tmp_path / "seen").unlink()


def test_nothing_that_was_started_is_left(tmp_path: Path) -> None:
    """Also what hides in a session of its own, has no parent any more, and ignores signals."""
    marker = f"6{os.getpid()}.25"
    script = f"sleep {marker} & (setsid sh -c 'trap \"\" TERM HUP; sleep {marker}; sleep {marker}' &) ; printf x >made"
    assert shell(tmp_path, script) == {"made": "x"}
    assert not _running(marker)


def test_nothing_is_left_when_the_worker_is_killed(tmp_path: Path) -> None:
    marker = f"7{os.getpid()}.25"
    order = json.dumps(
        [["sh", "-c", f"(setsid sleep {marker} &); echo on >started; sleep {marker}"], str(tmp_path), 1 << 20]
    )
    with subprocess.Popen([sys.executable, "-c", RUN, order]) as worker:
        assert _wait_for(lambda: (tmp_path / "started").exists() and len(_running(marker)) > 1)
        worker.kill()
    assert _wait_for(lambda: not _running(marker))


def _running(marker: str) -> list[str]:
    """Return the processes whose command line holds ``marker``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def _wait_for(condition: Any) -> bool:
    import time

    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


# --- in sandboxes


@pytest.fixture(params=SANDBOXES)
def sandbox(request: pytest.FixtureRequest) -> Any:
    needs_sandbox(request.param)
    found = load("sandbox", request.param)()
    yield found
    found.close()


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def make(sandbox: Sandbox, files: dict[str, str], *command: str, limits: Limits = LEAST) -> Reply:
    async def scenario() -> Reply:
        worker = await sandbox.start(Job(files=files, entry="entry", limits=limits, build=command))
        try:
            return await worker.build()
        finally:
            await worker.close()

    return asyncio.run(asyncio.wait_for(scenario(), 120))


def use(sandbox: Sandbox, files: dict[str, str], artefacts: dict[str, bytes], problem: dict[str, Any]) -> Reply:
    async def scenario() -> Reply:
        worker = await sandbox.start(Job(files=files, entry="entry", artefacts=artefacts))
        try:
            loaded = await worker.load()
            return await worker.call(problem) if loaded.ok else loaded
        finally:
            await worker.close()

    return asyncio.run(asyncio.wait_for(scenario(), 120))


def made_and_used(sandbox: Sandbox, files: dict[str, str], command: tuple[str, ...], problem: dict[str, Any]) -> Any:
    reply = make(sandbox, files, *command)
    assert reply.ok, reply
    answer = use(sandbox, files, reply.output, problem)
    assert answer.ok, answer
    return answer.output


LIBRARY = {
    "kernel.cpp": """#include <cstdint>
extern "C" int64_t total(const int64_t *x, int64_t n) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}
""",
    "program.py": """import ctypes, os
library = ctypes.CDLL(os.path.join(os.environ["OUTPACE_BUILD"], "kernel.so"))
library.total.argtypes, library.total.restype = [ctypes.c_void_p, ctypes.c_int64], ctypes.c_int64
def entry(x):
    return library.total(x.ctypes.data, x.size)
""",
}
COMPILE = ("g++", "-O2", "-shared", "-fPIC", "-o", "kernel.so", "kernel.cpp")
EXTENSION = {
    "_twice.c": """#include <Python.h>
static PyObject *twice(PyObject *self, PyObject *x) {
    return PyFloat_FromDouble(2 * PyFloat_AsDouble(x));
}
static PyMethodDef methods[] = {{"twice", twice, METH_O, ""}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_twice", NULL, -1, methods};
PyMODINIT_FUNC PyInit__twice(void) { return PyModule_Create(&module); }
""",
    "build.py": """import subprocess, sysconfig
target = "_twice" + sysconfig.get_config_var("EXT_SUFFIX")
include = sysconfig.get_path("include")
subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-I", include, "-o", target, "_twice.c"], check=True)
""",
    "program.py": "import _twice\ndef entry(x): return _twice.twice(x)\n",
}


@needs("g++")
def test_a_library_in_c_plus_plus(sandbox: Sandbox) -> None:
    assert made_and_used(sandbox, LIBRARY, COMPILE, {"x": np.arange(10)}) == 45


@needs("gcc")
@pytest.mark.skipif(
    not Path(sysconfig.get_path("include"), "Python.h").exists(), reason="the headers of this Python are not installed"
)
def test_an_extension_of_its_own_by_a_build_script(sandbox: Sandbox) -> None:
    assert made_and_used(sandbox, EXTENSION, ("python", "build.py"), {"x": 4.5}) == 9.0


def test_a_cache_of_numba(sandbox: Sandbox) -> None:
    pytest.importorskip("numba", reason="numba is not installed")
    files = {
        "kernel.py": """from numba import njit
@njit(cache=True)
def total(x):
    found = 0
    for value in x:
        found += value
    return found
""",
        "build.py": "import numpy, kernel\nassert kernel.total(numpy.arange(3)) == 3\n",
        "program.py": """import os, shutil
cache = shutil.copytree(os.environ["OUTPACE_BUILD"] + "/.numba", os.environ["NUMBA_CACHE_DIR"])
for folder, _, _ in os.walk(cache):
    os.chmod(folder, 0o700)
os.utime("kernel.py", (0, 0))
import kernel
def entry(x):
    return int(kernel.total(x)), sum(kernel.total.stats.cache_hits.values())
""",
    }
    answer, hits = made_and_used(sandbox, files, ("python", "build.py"), {"x": np.arange(10)})
    assert answer == 45 and hits == (0 if sandbox.name == "process" else 1)  # the folder of a plain process is random


@needs("nvcc")
def test_a_kernel_for_a_gpu_is_compiled_without_one(sandbox: Sandbox) -> None:
    files = {"kernel.cu": 'extern "C" __global__ void twice(float *x) { x[threadIdx.x] *= 2; }\n'}
    reply = make(sandbox, files, "nvcc", "-cubin", "-o", "kernel.cubin", "kernel.cu")
    assert reply.ok and list(reply.output) == ["kernel.cubin"] and reply.output["kernel.cubin"][:4] == b"\x7fELF"


@needs("g++")
def test_the_compilers_words_come_back(sandbox: Sandbox) -> None:
    reply = make(sandbox, {"kernel.cpp": "int f() { return nonsense; }\n"}, "g++", "-c", "kernel.cpp")
    assert reply.error and "kernel.cpp:1:18: error: 'nonsense' was not declared in this scope" in reply.error.replace(
        "\u2018", "'"
    ).replace("\u2019", "'")
    assert "ended with exit code 1" in reply.error


def test_a_build_that_never_ends_is_killed_with_all_it_started(sandbox: Sandbox) -> None:
    marker = f"8{os.getpid()}.25"
    script = f"(setsid sleep {marker} &); sleep {marker}"
    reply = make(sandbox, {}, "sh", "-c", script, limits=Limits(wall_s=1.0))
    assert reply.ended_by == "timeout" and _wait_for(lambda: not _running(marker))


MEMORY_BOMB = """import os, time
for _ in range(5): os.fork()
hoard = b"x" * (60 << 20)
time.sleep(9)
"""


@pytest.mark.parametrize("program", ["bubblewrap", "zygote"])
def test_bombs_in_a_build_stay_in_there(program: str) -> None:
    """Bounded in number, memory and disk by themselves, should nothing else bound them."""
    needs_sandbox(program)
    marker = f"9{os.getpid()}.25"
    sandbox = load("sandbox", program)()
    bombs = {
        "processes": f"for i in $(seq 500); do sleep {marker} & done; wait",
        "memory": "python bomb.py",
        "disk": "for i in $(seq 300); do head -c 1048576 /dev/zero >f$i || exit 1; done",
    }
    limits = Limits(wall_s=4.0, processes=40, memory_mb=256, disk_mb=16)
    try:
        for name, script in bombs.items():
            reply = make(sandbox, {"bomb.py": MEMORY_BOMB}, "sh", "-c", script, limits=limits)
            assert not reply.ok and (name != "disk" or "No space" in str(reply.error)), (name, reply)
            assert _wait_for(lambda: not _running(marker))
        assert make(sandbox, {}, "sh", "-c", "printf x >made").output == {"made": b"x"}
    finally:
        sandbox.close()


BUILD_AND_RUN = """
import asyncio, json, sys
from outpace.plugins import load
from outpace.sandbox.base import Job
files, command = json.loads(sys.argv[1])
async def main(sandbox):
    worker = await sandbox.start(Job(files=files, entry="entry", build=tuple(command)))
    made = await worker.build()
    await worker.close()
    assert made.ok, made
    worker = await sandbox.start(Job(files=files, entry="entry", artefacts=made.output))
    loaded = await worker.load()
    assert loaded.ok, loaded
    print((await worker.call({})).output)
    await worker.close()
sandbox = load("sandbox", sys.argv[2])()
asyncio.run(main(sandbox))
sandbox.close()
"""


@pytest.mark.parametrize("name", ["bubblewrap", "zygote"])
def test_an_ordinary_user_builds_too(ordinary: tuple[str, ...], name: str) -> None:
    needs_sandbox(name)
    files = {
        "build.py": "import numpy\nopen('table.py', 'w').write(f'numbers = {numpy.arange(4).tolist()}')\n",
        "program.py": "import table\ndef entry(): return sum(table.numbers)\n",
    }
    order = json.dumps([files, ["python", "build.py"]])
    command = [*ordinary, sys.executable, "-c", BUILD_AND_RUN, order, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
    assert done.stdout == "6\n", done.stderr


def test_a_build_has_no_network_and_no_way_out(sandbox: Sandbox) -> None:
    if sandbox.name == "process":
        pytest.skip("a plain process is for trusted code")
    files = {
        "build.py": """import ctypes, errno, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def unshare():
    if libc.unshare(0x10000000) < 0: raise OSError(ctypes.get_errno(), "")
def attempt(action):
    try: action()
    except OSError as error: return errno.errorcode[error.errno]
    return "allowed"
found = {
    "network": attempt(socket.socket),
    "write to the system": attempt(lambda: open("/usr/outpace-no-such-file", "w")),
    "the root": attempt(lambda: os.listdir("/")),
    "the host": attempt(lambda: open("/etc/shadow")),
    "a namespace": attempt(unshare),
}
json.dump(found, open("found.json", "w"))
""",
    }
    reply = make(sandbox, files, "python", "build.py")
    assert reply.ok, reply
    found = json.loads(reply.output["found.json"])
    assert found["network"] == "EACCES" and found["a namespace"] == "EPERM"
    assert set(found.values()) <= {"EACCES", "EPERM", "ENOENT", "EROFS"}


def test_a_build_is_given_no_inputs_and_imports_nothing_of_the_candidate(sandbox: Sandbox) -> None:
    files = {"program.py": "raise SystemExit('imported')\n", "sitecustomize.py": "raise SystemExit('imported')\n"}
    reply = make(sandbox, files, "sh", "-c", "printf x >made")
    assert reply.ok and reply.output == {"made": b"x"}


def test_artefacts_lie_first_on_the_path_and_cannot_be_written(sandbox: Sandbox) -> None:
    program = """import errno, os, sys
import helper
place = os.environ["OUTPACE_BUILD"]
def attempt(action):
    try: action()
    except OSError as error: return errno.errorcode[error.errno]
    return "allowed"
def entry():
    return {
        "helper": helper.answer,
        "first": place in sys.path[:2],
        "listed": sorted(os.listdir(place)),
        "append": attempt(lambda: open(place + "/helper.py", "a")),
        "add": attempt(lambda: open(place + "/new.py", "w")),
        "remove": attempt(lambda: os.unlink(place + "/helper.py")),
        "rename": attempt(lambda: os.rename(place + "/helper.py", place + "/other.py")),
        "replace": attempt(lambda: os.rename(place, place + ".old")),
    }
"""
    artefacts = {"helper.py": b"answer = 42\n", "deep/data.bin": b"\0\1"}
    found = use(sandbox, {"program.py": program}, artefacts, {})
    assert found.ok, found
    answer = found.output
    assert answer.pop("helper") == 42 and answer.pop("first") and answer.pop("listed") == ["deep", "helper.py"]
    if sandbox.name != "process":
        assert set(answer.values()) <= {"EACCES", "EROFS", "EPERM"}


# --- for the evaluator


def task(*build: str) -> Task:
    """Return a task with nothing but a build command."""
    start = Candidate({"program.py": "def entry(): return 1\n"})
    spec = TaskSpec(
        name="built",
        title="Built",
        statement="",
        language="python",
        entry="entry",
        goal=Goal(kind="metric", name="x", direction="maximise"),
        cases=(),
        limits=Limits(wall_s=1.0, cpu_s=1.0),
        build=build,
    )
    return Task(spec, start)


def artefacts(sandbox: Sandbox, of: Task, files: dict[str, str]) -> dict[str, bytes]:
    async def scenario() -> dict[str, bytes]:
        return dict(await building.artefacts(sandbox, of, Candidate({"program.py": "", **files})))

    return asyncio.run(asyncio.wait_for(scenario(), 120))


def test_a_task_without_a_build_command_starts_nothing() -> None:
    assert artefacts(object(), task(), {}) == {}  # type: ignore[arg-type]


def test_a_candidate_is_built_once(sandbox: Sandbox) -> None:
    script = "date +%s%N >made"
    first = artefacts(sandbox, task("sh", "-c", script), {"a": "1"})
    assert artefacts(sandbox, task("sh", "-c", script), {"a": "1"}) == first and set(first) == {"made"}
    assert artefacts(sandbox, task("sh", "-c", script), {"a": "2"}) != first
    assert artefacts(sandbox, task("sh", "-c", script + "; :"), {"a": "1"}) != first


def test_a_candidate_that_does_not_build_has_crashed_and_is_told_why(sandbox: Sandbox) -> None:
    with pytest.raises(Failure) as caught:
        artefacts(sandbox, task("sh", "-c", "echo kernel.cpp:1: error >&2; exit 1"), {})
    assert caught.value.status == "crashed"
    assert "not built" in caught.value.feedback and "kernel.cpp:1: error" in caught.value.feedback


def test_a_host_without_the_compiler_is_our_fault(sandbox: Sandbox) -> None:
    with pytest.raises(
        SandboxUnavailable, match=r"Task 'built' cannot be built here: The program 'no-such-cc' .*\(PATH"
    ):
        artefacts(sandbox, task("no-such-cc", "x.c"), {})


def test_a_candidate_cannot_pass_its_failure_off_as_ours(sandbox: Sandbox) -> None:
    forged = "echo \"The program 'x' of the build command is not installed where candidates run\"; exit 1"
    with pytest.raises(Failure):
        artefacts(sandbox, task("sh", "build.sh"), {"build.sh": forged})
