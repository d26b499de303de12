"""What a candidate can see and touch from inside a sandbox: nothing but its own folder."""

import os
import platform
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import outpace
from outpace.sandbox.seccomp import TABLES

CHECKOUT = Path(outpace.__file__).parent.parent
SECRET = "redteam-secret-4711"  # as in conftest.py, where the judge has it in its environment
TRY = """
import ctypes, errno, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "allowed"
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, (*arguments, 0, 0, 0, 0, 0, 0)[:6]))
    return "allowed" if result >= 0 else errno.errorcode[ctypes.get_errno()]
"""


@pytest.mark.docker
def test_the_docker_engine_is_there() -> None:
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        pytest.skip(
            "no attack is tried in the sandbox 'docker': DOCKER_HOST is not set, no engine at /var/run/docker.sock"
        )


def test_the_network_is_not_there(judge: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        accepted: list[socket.socket] = []
        threading.Thread(target=lambda: accepted.append(listener.accept()[0]), daemon=True).start()
        plain = judge.run(f"import socket; socket.create_connection(('127.0.0.1', {port}), 5).close()")
        program = f"""{TRY}
def entry():
    families = {{name: attempt(lambda f=f: socket.socket(f)) for name, f in socket.AddressFamily.__members__.items()}}
    try: interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
    except OSError: interfaces = []
    return families, interfaces, attempt(lambda: socket.create_connection(("127.0.0.1", {port}), 1))
"""
        families, interfaces, reached = judge.attack(program).output
    assert plain.returncode == 0, "the listener must answer a plain child, else this proves nothing"
    accepted.pop().close()
    assert not accepted
    assert set(families.values()) == {"EACCES"} and interfaces in ([], ["lo"]) and reached == "EACCES"


def test_the_environment_of_the_judge_is_not_there(judge: Any) -> None:
    program = """
import glob, os
def entry(secret):
    places = {"environ": str(os.environ)}
    for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + glob.glob("/proc/*/task/*/environ"):
        try: places[path] = open(path, errors="replace").read()
        except OSError: pass
    return sorted(path for path, text in places.items() if secret in text), len(places)
"""
    found, looked = judge.attack(program, [{"secret": SECRET[8:]}]).output
    assert found == [] and looked >= 1


def test_files_of_the_host_are_not_there(judge: Any) -> None:
    program = """
import importlib.util, os, sys
def entry(paths):
    tasks = [os.path.join(folder, name) for folder, _, names in os.walk("/", onerror=None) for name in names
             if name in ("task.py", "task.toml", "reference.py") and "outpace" in folder.split("/")]
    try: etc = sorted(os.listdir("/etc"))
    except OSError: etc = []
    return [path for path in paths if os.path.exists(path)], tasks, etc, importlib.util.find_spec("outpace") is None
"""
    home = Path("~").expanduser()
    paths = ["/etc/shadow", "/etc/passwd", "/etc/hostname", "/var", "/sys", "/run", "/dev/kmsg", "/dev/mem", "/dev/tty"]
    paths += [
        str(CHECKOUT / "pyproject.toml"),
        str(CHECKOUT / "tests"),
        str(CHECKOUT / "outpace"),
        str(home / ".bashrc"),
    ]
    paths += [str(home / ".ssh"), str(home / ".config"), str(CHECKOUT / ".git")]
    if judge.sandbox == "docker":  # an engine makes these for each container
        paths = [path for path in paths if path not in ("/etc/hostname", "/sys", "/run", "/dev/tty")]
    seen, tasks, etc, no_outpace = judge.attack(program, [{"paths": paths}]).output
    assert seen == [] and tasks == [] and no_outpace
    assert set(etc) <= {"alternatives", "ld.so.cache"}


@pytest.mark.skipif(
    CHECKOUT.parent.stat().st_mode & 0o005 != 0o005, reason=f"{CHECKOUT.parent} is closed to other users, so no mount"
)
@pytest.mark.skipif(
    CHECKOUT.parent in (Path("/"), Path("/tmp")), reason=f"{CHECKOUT.parent} cannot be mounted: workers have their own"
)
def test_outpace_stays_hidden_where_a_mount_holds_it(judge: Any) -> None:
    program = """
import os
def entry(parent, checkout):
    import numpy
    return os.path.basename(checkout) in os.listdir(parent), os.listdir(checkout), numpy.arange(3).tolist()
"""
    problem = {"parent": str(CHECKOUT.parent), "checkout": str(CHECKOUT)}
    listed, inside, numbers = judge.attack(program, [problem], mounts=(CHECKOUT.parent,)).output
    assert listed and not {"outpace", "tests", "pyproject.toml"} & set(inside) and numbers == [0, 1, 2]


def test_nothing_can_be_written_outside_of_the_own_folders(judge: Any) -> None:
    program = """
import os, sys
def entry(name):
    folders = {"/", "/tmp", "/dev", "/dev/shm", "/proc", "/run", "/usr", "/usr/lib", "/etc", "/var", "/home", "/work"}
    folders |= {os.getcwd(), os.path.dirname(os.getcwd()), os.path.dirname(os.__file__), *sys.path, sys.prefix}
    try:
        for line in open("/proc/self/mountinfo"): folders.add(line.split()[4])
    except OSError:
        pass
    for folder in list(folders):
        try: folders |= {os.path.join(folder, entry.name) for entry in os.scandir(folder) if entry.is_dir()}
        except OSError: pass
    writable = set()
    for folder in folders:
        try:
            os.close(os.open(os.path.join(folder, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            writable.add(folder)
        except OSError:
            pass
    return sorted(writable), len(folders), os.getcwd()
"""
    name = f"redteam-{os.getpid()}"
    writable, tried, own = judge.attack(program, [{"name": name}]).output
    assert own in writable and tried > 20
    assert all(Path(folder).is_relative_to("/tmp") or folder in (own, "/dev/shm") for folder in writable)
    assert not any((Path(folder) / name).exists() for folder in (*writable, "/usr", sys.prefix))


def test_processes_of_the_host_are_not_there(judge: Any) -> None:
    program = f"""{TRY}
def entry(pid):
    return {{
        "seen": sorted(int(name) for name in (os.listdir("/proc") if os.path.isdir("/proc") else []) if name.isdigit()),
        "signal": attempt(lambda: os.kill(pid, 0)),
        "memory of the first": attempt(lambda: open("/proc/1/mem", "r+b")),
        "own memory": attempt(lambda: open("/proc/self/mem", "r+b")),
        "kill the first": attempt(lambda: os.kill(1, signal.SIGKILL)) in ("EPERM", "allowed"),
        "alive": attempt(lambda: os.kill(1, 0)) in ("EPERM", "allowed"),
    }}
"""
    seen = judge.attack(program, [{"pid": max(os.getpid(), 100)}]).output
    assert len(seen.pop("seen")) <= 3 and seen.pop("alive") and seen.pop("kill the first")
    assert seen.pop("signal") in ("ESRCH", "EPERM") and set(seen.values()) <= {"EACCES", "EROFS", "EPERM", "ENOENT"}


def test_no_privilege_is_left(judge: Any) -> None:
    program = """
import ctypes, os
libc = ctypes.CDLL(None)
def entry():
    header, sets = (ctypes.c_uint * 2)(0x20080522, 0), (ctypes.c_uint * 6)()
    assert libc.capget(header, sets) == 0
    return {
        "sets": list(sets),
        "bounding": [number for number in range(64) if libc.prctl(23, number, 0, 0, 0) == 1],
        "ambient": [number for number in range(41) if libc.prctl(47, 1, number, 0, 0) == 1],
        "filter": libc.prctl(21, 0, 0, 0, 0),
        "no new privileges": libc.prctl(39, 0, 0, 0, 0),
        "dumpable": libc.prctl(3, 0, 0, 0, 0),
        "ids": sorted({*os.getresuid(), *os.getresgid()}),
        "groups": os.getgroups(),
        "become root": [libc.setuid(0), libc.setgid(0), libc.setresuid(0, 0, 0)],
    }
"""
    seen = judge.attack(program).output
    assert seen["sets"] == [0] * 6 and seen["bounding"] == [] and seen["ambient"] == []
    assert seen["filter"] == 2 and seen["no new privileges"] == 1
    least = 1 if judge.name == "ordinary, docker" else 60_001  # a container of an ordinary user's has that user's id
    assert min(seen["ids"]) >= least and set(seen["groups"]) <= set(seen["ids"])
    assert set(seen["become root"]) == {-1}


def test_kernel_settings_cannot_be_changed(judge: Any) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    program = f"""{TRY}
def entry():
    paths = ("sys/kernel/core_pattern", "sysrq-trigger", "sys/vm/drop_caches", "self/oom_score_adj", "self/uid_map")
    return [attempt(lambda: open(f"/proc/{{path}}", "w")) for path in paths]
"""
    assert set(judge.attack(program).output) <= {"EROFS", "EACCES", "ENOENT"}
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_dangerous_system_calls_are_refused(judge: Any) -> None:
    numbers = TABLES[platform.machine()][1]
    special = {"clone", "clone3", "socket", "socketpair", "fork", "vfork"}
    program = f"{TRY}\ndef entry(numbers): return {{name: call(number) for name, number in numbers.items()}}\n"
    problem = {"numbers": {name: number for name, number in numbers.items() if name not in special}}
    verdicts = judge.attack(program, [problem]).output
    assert {name: verdict for name, verdict in verdicts.items() if verdict != "EPERM"} == {}
    assert {"ptrace", "io_uring_setup", "unshare", "bpf", "keyctl", "execve", "mount", "userfaultfd"} <= set(verdicts)


def test_no_new_namespace_and_no_new_process_by_any_door(judge: Any) -> None:
    numbers = TABLES[platform.machine()][1]
    program = f"""{TRY}
def entry(clone, clone3, unshare):
    flags = [0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x04000000, 0x08000000]
    return {{
        "clone": [call(clone, flag | signal.SIGCHLD) for flag in flags] + [call(clone, signal.SIGCHLD)],
        "unshare": [call(unshare, flag) for flag in flags],
        "clone3": [call(clone3, 0, 88)],
        "fork": [attempt(os.fork), attempt(lambda: os.posix_spawn("/bin/true", ["true"], {{}}))],
    }}
"""
    seen = judge.attack(program, [{name: numbers[name] for name in ("clone", "clone3", "unshare")}]).output
    assert seen.pop("clone3") == ["ENOSYS"]
    assert {verdict for verdicts in seen.values() for verdict in verdicts} == {"EPERM"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86_64 has further doors into the kernel")
def test_the_other_doors_into_the_kernel_are_shut(judge: Any) -> None:
    by_int80 = """
import ctypes, mmap
def entry():
    code = b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3"  # mov eax, 20 (getpid of 32-bit programs); int 0x80; ret
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
    by_x32 = f"{TRY}\ndef entry(): return call(0x40000000 | 39)\n"
    for program in (by_int80, by_x32):
        last = judge.attack(program).last
        assert last["ended_by"] == "signal" and last["detail"] == "killed by SIGSYS"


def test_descriptors_of_the_judge_do_not_leak(judge: Any) -> None:
    program = """
import os, stat
def entry():
    found = {}
    for fd in range(1024):
        try: mode = os.fstat(fd).st_mode
        except OSError: continue
        found[fd] = next(name for name in ("REG", "DIR", "CHR", "FIFO", "SOCK", "LNK", "BLK")
                         if getattr(stat, f"S_IS{name}")(mode))
    return found
"""
    found = {int(fd): kind for fd, kind in judge.attack(program).output.items()}
    kinds = sorted(found.values())
    assert found.pop(0) == "CHR" and found.pop(1) == found.pop(2) == "FIFO"
    assert kinds.count("SOCK") == 1 and set(found.values()) <= {"SOCK", "REG"}, "its line, and an input at most"
    assert len(found) <= 2
