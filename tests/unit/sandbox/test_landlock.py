"""What a process may still do after it has confined itself, tried in a child and judged by the error's number."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from outpace.sandbox._inside import landlock
from outpace.sandbox.seccomp import TABLES

ORDINARY_UID = 54_321
KINDS = ["root", "ordinary user"] if os.geteuid() == 0 else ["ordinary user"]
pytestmark = pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock, or has it switched off")


@pytest.fixture(params=KINDS)
def uid(request: pytest.FixtureRequest) -> int | None:
    """Return whom the child becomes: whoever runs the tests or, if that is root, an ordinary user as well."""
    return ORDINARY_UID if os.geteuid() == 0 and request.param == "ordinary user" else None


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a readable, a writable and a closed part that every user could use."""
    for path in (tmp_path, *tmp_path.parents):
        if path.name.startswith(("pytest-", "popen-", "test_")):  # made for their owner only
            path.chmod(0o755)
    for name in ("read", "write", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
        (tmp_path / name / "file").write_text("text")
        (tmp_path / name / "file").chmod(0o666)
    return tmp_path


def attempts(calls: str, paths: dict[str, list[str]], *, uid: int | None, before: str = "") -> dict[str, str]:
    """Return what a child held by ``paths`` gets for each of ``calls``, a dict of Python functions by name."""
    code = f"""
import ctypes, errno, json, os, signal, socket, subprocess, sys
from outpace.sandbox._inside import landlock
{before}
if {uid!r}:
    os.setgroups([]); os.setresgid({uid!r}, {uid!r}, {uid!r}); os.setresuid({uid!r}, {uid!r}, {uid!r})
landlock.call("prctl", 38, 1)
version = landlock.restrict({paths!r})
found = {{"version": str(version)}}
for name, call in ({calls}).items():
    try: call(); found[name] = "allowed"
    except OSError as error: found[name] = errno.errorcode[error.errno]
json.dump(found, sys.stdout)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    assert answer.pop("version") == str(min(landlock.version(), landlock.NEWEST))
    return answer


def test_files_are_reached_by_the_rules_alone(place: Path, uid: int | None) -> None:
    calls = f"""{{
        "read": lambda: open("{place}/read/file").close(),
        "list": lambda: os.listdir("{place}/read"),
        "read what is written": lambda: open("{place}/write/file").close(),
        "write": lambda: open("{place}/write/new", "w").close(),
        "make a folder": lambda: os.mkdir("{place}/write/folder"),
        "rename": lambda: os.rename("{place}/write/new", "{place}/write/folder/new"),
        "remove": lambda: os.unlink("{place}/write/folder/new"),
        "look at": lambda: os.stat("{place}/closed/file"),
        "write where one may read": lambda: open("{place}/read/file", "r+").close(),
        "truncate there": lambda: os.truncate("{place}/read/file", 0),
        "add there": lambda: open("{place}/read/new", "w").close(),
        "remove there": lambda: os.unlink("{place}/read/file"),
        "run there": lambda: subprocess.run(["{place}/read/file"], check=False),
        "read elsewhere": lambda: open("{place}/closed/file").close(),
        "list elsewhere": lambda: os.listdir("{place}/closed"),
        "list the root": lambda: os.listdir("/"),
        "write elsewhere": lambda: open("{place}/closed/new", "w").close(),
        "truncate elsewhere": lambda: os.truncate("{place}/closed/file", 0),
        "by a link": lambda: (os.symlink("{place}/closed/file", "{place}/write/link"), open("{place}/write/link")),
        "make a device": lambda: os.mknod("{place}/write/device", 0o020600, os.makedev(1, 3)),
        "make a socket": lambda: os.mknod("{place}/write/socket", 0o140600),
    }}"""
    before = f"os.chmod('{place}/read/file', 0o777)"
    found = attempts(calls, {"read": [f"{place}/read"], "write": [f"{place}/write"]}, uid=uid, before=before)
    names = list(found)
    allowed = names[: names.index("look at") + 1]
    assert {name: verdict for name, verdict in found.items() if verdict != "allowed"}.keys() == {*names} - {*allowed}
    if landlock.version() < 3:
        found.pop("truncate there"), found.pop("truncate elsewhere")
    refused = {"EACCES"} if uid is None and os.geteuid() == 0 else {"EACCES", "EPERM"}  # a device is root's to make
    assert {found[name] for name in names if name not in allowed and name in found} <= refused
    assert not (place / "closed" / "new").exists() and (place / "closed" / "file").read_text() == "text"


def test_a_file_does_not_move_out_of_what_may_be_written(place: Path, uid: int | None) -> None:
    calls = f"""{{
        "out": lambda: os.rename("{place}/write/file", "{place}/closed/moved"),
        "in": lambda: os.rename("{place}/closed/file", "{place}/write/moved"),
        "linked in": lambda: os.link("{place}/closed/file", "{place}/write/linked"),
    }}"""
    found = attempts(calls, {"write": [f"{place}/write"]}, uid=uid)
    assert set(found.values()) <= {"EACCES", "EXDEV", "EPERM"} and [*(place / "closed").iterdir()] == [
        place / "closed" / "file"
    ]


def test_programs_run_where_the_rules_say(place: Path, uid: int | None) -> None:
    system = [path for path in ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache") if Path(path).exists()]
    calls = '{"run": lambda: subprocess.run(["/bin/true"], check=True)}'
    assert attempts(calls, {"run": system, "read": ["/dev"], "write": ["/dev/null"]}, uid=uid) == {"run": "allowed"}
    assert attempts(calls, {"read": [*system, "/dev"], "write": ["/dev/null"]}, uid=uid) == {"run": "EACCES"}


@pytest.mark.skipif(landlock.version() < 4, reason="ports are held by version 4 of Landlock on")
def test_tcp_ports_are_closed(uid: int | None) -> None:
    before = "listener = socket.create_server(('127.0.0.1', 0)); port = listener.getsockname()[1]"
    calls = """{
        "connect": lambda: socket.socket().connect(("127.0.0.1", port)),
        "bind": lambda: socket.create_server(("127.0.0.1", 0)).close(),
    }"""
    assert attempts(calls, {}, uid=uid, before=before) == {"connect": "EACCES", "bind": "EACCES"}


@pytest.mark.skipif(landlock.version() < 6, reason="sockets and signals are held by version 6 of Landlock on")
def test_abstract_sockets_and_signals_stop_at_the_domain(uid: int | None) -> None:
    before = """
address = f"\\0outpace-test-{os.getpid()}"
outside = os.fork()
if outside == 0:
    if %r: os.setresuid(%r, %r, %r)
    signal.pause()
listener = socket.socket(socket.AF_UNIX)
listener.bind(address); listener.listen()
""".replace("%r", repr(uid))
    calls = """{
        "own signal": lambda: os.kill(os.getpid(), 0),
        "signal": lambda: os.kill(outside, 0),
        "abstract": lambda: socket.socket(socket.AF_UNIX).connect(address),
        "clean": lambda: (os.close(stop), os.waitpid(outside, 0)),
    }"""
    watch = """
stop, hear = os.pipe()[::-1]
if os.fork() == 0:
    os.close(stop); os.read(hear, 1); os.kill(outside, signal.SIGKILL); os._exit(0)
"""
    found = attempts(calls, {}, uid=uid, before=before + watch)
    assert found == {"own signal": "allowed", "signal": "EPERM", "abstract": "EPERM", "clean": "allowed"}


def test_what_is_not_there_is_left_out_and_no_error(uid: int | None, tmp_path: Path) -> None:
    paths = {"read": [str(tmp_path / "nowhere"), "/dev/null/below", "/proc"], "write": ["/no/such/folder"]}
    assert attempts('{"read": lambda: open("/proc/self/status").close()}', paths, uid=uid) == {"read": "allowed"}


def test_rules_cannot_be_widened_again(place: Path, uid: int | None) -> None:
    calls = f"""{{
        "again": lambda: landlock.restrict({{"read": ["/"]}}) and None,
        "read": lambda: open("{place}/closed/file").close(),
    }}"""
    assert attempts(calls, {"read": ["/usr"]}, uid=uid) == {"again": "allowed", "read": "EACCES"}


def test_a_kernel_without_landlock_is_told_from_one_that_refuses() -> None:
    """The calls are made to fail as they do in gVisor, which has none of them."""
    code = """
import struct
from outpace.sandbox._inside import confine, landlock
fail, allow = (0x06, 0, 0, 0x00050000 | NUMBER), (0x06, 0, 0, 0x7FFF0000)
steps = [(0x20, 0, 0, 0), (0x35, 0, 2, 444), (0x25, 1, 0, 446), fail, allow]
landlock.call("prctl", 38, 1)
confine.filter_calls(b"".join(struct.pack("HBBI", *step) for step in steps))
print(landlock.version(), landlock.restrict({"read": ["/usr"]}), open("/proc/self/status").readline().split()[0])
"""
    for number, expected in ((38, "0 0 Name:"), (95, "0 0 Name:"), (13, "PermissionError: [Errno 13]")):
        command = [sys.executable, "-c", code.replace("NUMBER", str(number))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert expected in (done.stdout or done.stderr)


CONFINE = """
import json, os, resource, sys
from outpace.sandbox._inside.confine import confine
from outpace.sandbox.seccomp import filter_program
setup = json.loads(sys.argv[1])
setup["filter"] = filter_program(allow_exec=False)
version = confine(setup)
rows = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
found = {name: rows[name].split() for name in names}
limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in setup["rlimits"]}
json.dump({"status": found, "version": version, "limits": limits}, sys.stdout)
"""


def confined(**setup: Any) -> dict[str, Any]:
    """Return what a child says of itself after ``confine``."""
    whole = {"uid": None, "rlimits": {}, "landlock": None, "die_with_parent": False, **setup}
    command = [sys.executable, "-c", CONFINE, json.dumps(whole)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.skipif(os.uname().machine not in TABLES, reason="no system-call filter for this machine")
def test_a_confined_process_has_nothing_left() -> None:
    found = confined(landlock={"read": ["/proc"]}, rlimits={"NOFILE": [64, 64], "CORE": [0, 0]})
    status = found["status"]
    assert found["version"] == min(landlock.version(), landlock.NEWEST)
    assert {int(status[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"]
    assert found["limits"] == {"NOFILE": [64, 64], "CORE": [0, 0]}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_process_that_becomes_somebody_else_is_nobody_before() -> None:
    status = confined(uid=ORDINARY_UID)["status"]
    assert set(status["Uid"] + status["Gid"]) == {str(ORDINARY_UID)} and status["Groups"] == []
    assert {int(status[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}


@pytest.mark.skipif(os.uname().machine not in TABLES, reason="no system-call filter for this machine")
def test_limits_that_are_tighter_already_stay() -> None:
    code = f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))\n{CONFINE}"
    setup = {"uid": None, "rlimits": {"NOFILE": [64, 64]}, "landlock": None, "die_with_parent": False}
    command = [sys.executable, "-c", code, json.dumps(setup)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout)["limits"] == {"NOFILE": [50, 50]}
