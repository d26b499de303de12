"""Candidates that reach for their judge: its line, inputs, descriptors, processes, secrets; and for the kernel."""

import os
import platform
import secrets
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from outpace.sandbox.seccomp import TABLES

TRY = """
import ctypes, errno, os, signal, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try: action()
    except OSError as error: return errno.errorcode.get(error.errno, str(error.errno))
    except Exception as error: return type(error).__name__
    return "allowed"
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, (*arguments, 0, 0, 0, 0, 0, 0)[:6]))
    return "allowed" if result >= 0 else errno.errorcode[ctypes.get_errno()]
def lines():
    found = []
    for fd in range(3, 1024):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode): found.append(fd)
        except OSError: pass
    return found
"""


def test_the_judge_cannot_be_signalled(judge: Any) -> None:
    program = f"""{TRY}
def entry(pid):
    pids = {{pid, os.getppid(), os.getpid() + 1, 1}} - {{0, os.getpid()}}
    found = {{str(other): [attempt(lambda: os.kill(other, 0)), attempt(lambda: os.kill(other, signal.SIGSTOP))]
             for other in pids}}
    found["group"] = [attempt(lambda: os.killpg(pid, 0))]
    found["pidfd"] = [attempt(lambda: signal.pidfd_send_signal(os.pidfd_open(pid), 0))]
    found["priority"] = [attempt(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))]
    found["affinity"] = [attempt(lambda: os.sched_setaffinity(pid, [0]))]
    return found
"""
    found = judge.attack(program, [{"pid": judge.pid}]).output
    first = found.pop("1", ["EPERM"])
    assert {verdict for verdicts in found.values() for verdict in verdicts} <= {"EPERM", "ESRCH"}, found
    assert set(first) <= {"EPERM", "ESRCH", "allowed"}, "the first process of its own namespace may be a part of it"


def test_a_signal_for_everybody_reaches_only_oneself(judge: Any) -> None:
    program = """
import os, signal
def entry(number):
    os.kill(-1, number)
    return "alive"
"""
    for number in (15, 9, 19):
        assert judge.attack(program, [{"number": number}], limits={"wall_s": 1.0}).last is not None


def test_closed_descriptors_end_the_worker(judge: Any) -> None:
    for first in (0, 3):
        last = judge.attack(f"import os\ndef entry():\n    os.closerange({first}, 4096)\n    return 1\n").last
        assert last["output"] is None and last["ended_by"] in ("garbled", "exit", "signal"), last


def test_a_line_that_is_shut_down_or_turned_round_ends_the_worker(judge: Any) -> None:
    for deed in ("line.shutdown(socket.SHUT_RD)", "line.shutdown(socket.SHUT_WR)", "line.shutdown(socket.SHUT_RDWR)"):
        program = (
            f"{TRY}\ndef entry():\n    line = socket.socket(fileno=lines()[0])\n    {deed}\n    return line.detach()\n"
        )
        replies = judge.attack(program, [{}, {}], limits={"wall_s": 2.0}).replies
        assert replies[-1]["output"] is None and replies[-1]["ended_by"] is not None, deed


def test_descriptors_sent_to_the_judge_do_not_arrive(judge: Any) -> None:
    """The judge's own list of descriptors is compared after every attack; 200 of them would show."""
    program = f"""{TRY}
def entry():
    line = socket.socket(fileno=lines()[0])
    sent = 0
    for _ in range(4):
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
        try:
            socket.send_fds(line, [b"x"], fds)
            sent += 50
        except OSError: pass
        for fd in fds: os.close(fd)
    line.detach()
    return sent
"""
    last = judge.attack(program).last
    assert last["output"] is None and last["ended_by"] in ("garbled", "output"), last


def test_a_descriptor_beside_an_answer_does_not_arrive(judge: Any) -> None:
    program = f"""{TRY}
class Line:
    def __init__(self, plain, fd): self.plain, self.fd = plain, fd
    def __getattr__(self, name): return getattr(self.plain, name)
    def write(self, chunks):
        line = socket.socket(fileno=self.fd)
        socket.send_fds(line, [b"".join(bytes(chunk) for chunk in chunks)], [os.open("/dev/null", os.O_RDONLY)] * 9)
        line.detach()
def entry():
    frame = sys._getframe()
    while frame is not None:
        for value in list(frame.f_locals.values()):
            if hasattr(value, "handlers") and hasattr(value, "line") and type(value.line).__name__ != Line.__name__:
                value.line = Line(value.line, lines()[0])
        frame = frame.f_back
    return "answer"
"""
    assert judge.attack(program, [{}, {}]).last["output"] in ("answer", None)


def test_inputs_cannot_be_eaten_or_changed_for_the_judge(judge: Any) -> None:
    """Whatever is open is truncated, sealed, locked, written and mapped; the next input is whole."""
    program = f"""{TRY}
import fcntl, mmap
def entry(numbers):
    found = {{}}
    for fd in range(3, 1024):
        try: kind = os.fstat(fd).st_mode
        except OSError: continue
        if not stat.S_ISREG(kind): continue
        found[fd] = [attempt(lambda: os.ftruncate(fd, 0)), attempt(lambda: os.pwrite(fd, b"x", 0)),
                     attempt(lambda: mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_WRITE)),
                     attempt(lambda: fcntl.fcntl(fd, 1033, 0)), attempt(lambda: os.fchmod(fd, 0)),
                     attempt(lambda: os.posix_fallocate(fd, 0, 1 << 24))]
    try: numbers[:] = [0] * len(numbers)
    except (TypeError, ValueError): pass
    return found, sum(numbers)
"""
    numbers = list(range(5000))
    for reply in judge.attack(program, [{"numbers": numbers}] * 3).replies[1:]:
        found, _ = reply["output"]
        assert all("allowed" not in verdicts[:3] for verdicts in found.values()), found
    plain = "def entry(numbers): return sum(numbers)\n"
    assert judge.attack(plain, [{"numbers": numbers}]).output == sum(numbers)


def test_nobody_sees_the_next_problem_of_a_batch(judge: Any) -> None:
    """Not on the stack, not among all objects, not in what is open, not on the line: it is not there yet."""
    program = f"""{TRY}
import gc, time
def tickets(thing, depth=6):
    if type(thing) is dict:
        if type(thing.get("ticket")) is int: yield thing["ticket"]
        thing = list(thing.values())
    if depth and type(thing) in (list, tuple):
        for item in thing[:1000]: yield from tickets(item, depth - 1)
def entry(ticket):
    time.sleep(0.02)
    seen, texts, frame = set(), [], sys._getframe()
    while frame is not None:
        seen |= set(tickets(dict(frame.f_locals)))
        frame = frame.f_back
    for thing in gc.get_objects(): seen |= set(tickets(thing, 2))
    for fd in range(3, 256):
        try: texts.append(os.pread(fd, 1 << 20, 0))
        except OSError: pass
    for fd in lines():
        line = socket.socket(fileno=fd)
        try: texts.append(line.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError: pass
        line.detach()
    waiting = [text for text in texts if any(b"ticket" in text for text in texts)]
    return [other for other in seen if 10**6 <= other and other > ticket], len(waiting)
"""
    problems = [{"ticket": 10**6 + place} for place in range(6)]
    seen = judge.attack(program, problems, batch=True).output
    assert len(seen) == len(problems) and all(answer[0] == [] for answer in seen), seen
    assert all(answer[1] == 0 for answer in seen), seen


def test_the_judge_learns_nothing_of_a_line_that_is_flooded(judge: Any) -> None:
    program = f"""{TRY}
def entry():
    while True: os.write(lines()[0], bytes(1 << 16))
"""
    last = judge.attack(program, limits={"wall_s": 5.0, "output_mb": 1}).last
    assert last["output"] is None and last["ended_by"] in ("garbled", "output", "timeout"), last


def test_sockets_of_the_host_cannot_be_reached(judge: Any, tmp_path: Path) -> None:
    abstract = f"\0redteam-{secrets.token_hex(8)}"
    path = tmp_path / "listener"
    came: list[str] = []
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        for listener, address in ((one, abstract), (other, str(path))):
            listener.bind(address)
            listener.listen(4)

        def serve() -> None:
            while True:
                try:
                    one.accept()[0].close()
                except OSError:
                    return
                came.append("somebody")

        threading.Thread(target=serve, daemon=True).start()
        plain = judge.run(f"import socket; socket.socket(socket.AF_UNIX).connect({abstract!r})")
        reached = list(came)
        program = f"""{TRY}
def entry(abstract, path):
    found = {{}}
    for name, address in (("abstract", abstract), ("path", path)):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            found[f"{{name}} {{kind}}"] = attempt(lambda: socket.socket(socket.AF_UNIX, kind).connect(address))
        line = socket.socket(fileno=lines()[0])
        found[f"{{name}} by its line"] = attempt(lambda: line.connect(address))
        line.detach()
    found["pair"] = attempt(socket.socketpair)
    found["docker"] = attempt(lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock"))
    found["system bus"] = attempt(lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket"))
    return found
"""
        found = judge.attack(program, [{"abstract": abstract, "path": str(path)}]).output
        one.shutdown(socket.SHUT_RDWR)
    assert plain.returncode == 0 and reached, "the listener must answer a plain child, else this proves nothing"
    assert len(came) == len(reached)
    assert "allowed" not in {verdict for name, verdict in found.items() if name != "pair"}, found


def test_keys_and_files_of_the_judge_are_not_there(judge: Any) -> None:
    """The judge has a key in its environment and a file of its own; neither can be found by any path."""
    program = f"""{TRY}
import glob
def entry(secret, pid):
    places = ["/proc/self/root", "/proc/1/root", f"/proc/{{pid}}/root", f"/proc/{{pid}}/cwd", f"/proc/{{pid}}/fd"]
    places += ["/root", "/home", "/etc/ssl/private", "/run/secrets", "/var/run/docker.sock", "/run/docker.sock"]
    texts = [str(os.environ)]
    for pattern in ("/proc/*/environ", "/proc/*/cmdline", "/proc/*/maps", "/proc/*/mem", "/run/*", "/tmp/*"):
        for path in glob.glob(pattern):
            try: texts.append(open(path, errors="replace").read(1 << 20))
            except (OSError, ValueError): pass
    held = [place for place in places if attempt(lambda: os.listdir(place)) == "allowed" and os.listdir(place)
            and os.path.realpath(place) != "/"]
    return [text[:100] for text in texts if secret in text], held
"""
    found, held = judge.attack(program, [{"secret": "secret-" + str(4711), "pid": judge.pid}]).output
    assert found == [] and held == []


def test_proc_sys_and_dev_are_closed(judge: Any) -> None:
    program = f"""{TRY}
def entry(pid):
    writes = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
              "/proc/sysrq-trigger", "/proc/self/oom_score_adj", "/proc/1/oom_score_adj",
              f"/proc/{{pid}}/oom_score_adj", "/proc/self/uid_map", "/proc/self/setgroups", "/proc/self/mem",
              "/proc/1/mem", "/proc/self/attr/current", "/proc/self/coredump_filter", "/proc/self/timerslack_ns",
              "/proc/self/autogroup", "/proc/irq/default_smp_affinity",
              "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/fs/cgroup/cgroup.procs",
              "/sys/fs/cgroup/memory/tasks", "/sys/power/state", "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda",
              "/dev/loop-control", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/tty", "/dev/console",
              "/etc/passwd", "/etc/ld.so.preload", "/usr/lib/redteam-4711"]
    reads = ["/proc/kcore", "/proc/kallsyms", "/proc/1/environ", f"/proc/{{pid}}/environ", "/proc/timer_list",
             "/proc/keys", "/sys/kernel/debug", "/sys/firmware/efi/efivars", "/dev/mem", "/etc/shadow",
             "/etc/passwd", "/proc/self/pagemap"]
    folders = ["/sys/fs/cgroup/redteam", "/sys/fs/cgroup/memory/redteam", "/proc/redteam", "/redteam",
               "/usr/redteam"]
    return ({{path: attempt(lambda: os.close(os.open(path, os.O_WRONLY))) for path in writes}},
            {{path: attempt(lambda: open(path, "rb").read(16)[0]) for path in reads}},
            {{path: attempt(lambda: os.mkdir(path)) for path in folders}})
"""
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    writes, reads, made = judge.attack(program, [{"pid": judge.pid}]).output
    own = {"/proc/self/coredump_filter", "/proc/self/timerslack_ns", "/proc/self/autogroup", "/proc/self/oom_score_adj"}
    assert {path for path, verdict in writes.items() if verdict == "allowed"} - own == set(), writes
    assert {path for path, verdict in reads.items() if verdict == "allowed"} <= {
        "/proc/kallsyms",
        "/proc/self/pagemap",
        "/proc/keys",
    }
    assert set(made.values()) <= {"EROFS", "EACCES", "ENOENT", "EPERM"}
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    assert not any(Path(path).exists() for path in made)


@pytest.mark.skipif(platform.machine() not in TABLES, reason="system-call numbers of this machine are not known")
def test_the_kernel_is_closed_where_it_is_dangerous(judge: Any) -> None:
    """By number, with arguments that would work: tracing, other memory, rings, page faults, keys, namespaces."""
    numbers = TABLES[platform.machine()][1]
    program = f"""{TRY}
def entry(n, pid):
    page = ctypes.create_string_buffer(4096)
    address = ctypes.addressof(page)
    other = ctypes.create_string_buffer(b"outpace")
    vector, user = (ctypes.c_ulong * 2)(address, 64), ctypes.create_string_buffer(b"user")
    vectors = ctypes.addressof(vector), 1, ctypes.addressof(vector), 1
    return {{
        "traceme": call(n["ptrace"], 0),
        "attach": call(n["ptrace"], 16, pid),
        "read memory": call(n["process_vm_readv"], os.getpid(), *vectors),
        "write memory": call(n["process_vm_writev"], os.getpid(), *vectors),
        "ring": call(n["io_uring_setup"], 8, address),
        "page faults": call(n["userfaultfd"], 1),
        "key": call(n["add_key"], ctypes.addressof(user), ctypes.addressof(other), address, 1, -3),
        "keyctl": call(n["keyctl"], 0, -3, 1),
        "users": call(n["unshare"], 0x10000000),
        "enter": call(n["setns"], 0, 0),
        "mount": call(n["mount"], address, address, address, 0, 0),
        "unmount": call(n["umount2"], address, 0),
        "pivot": call(n["pivot_root"], address, address),
        "chroot": call(n["chroot"], ctypes.addressof(ctypes.create_string_buffer(b"/"))),
        "bpf": call(n["bpf"], 0, address, 64),
        "perf": call(n["perf_event_open"], address, 0, -1, -1, 0),
        "module": call(n["init_module"], address, 4096, address),
        "personality": call(n["personality"], 0x0040000),
        "handle": call(n["open_by_handle_at"], -100, address, 0),
        "clock": call(n["clock_settime"], 0, address),
        "syslog": call(n["syslog"], 3, address, 16),
    }}
"""
    seen = judge.attack(program, [{"n": dict(numbers), "pid": judge.pid}]).output
    assert set(seen.values()) == {"EPERM"}, seen


def test_time_and_names_of_the_host_stay(judge: Any) -> None:
    program = f"""{TRY}
import time
def entry():
    return {{
        "time": attempt(lambda: time.clock_settime(time.CLOCK_REALTIME, 0)),
        "name": attempt(lambda: socket.sethostname("redteam")),
        "mode": attempt(lambda: os.chmod("/usr", 0o777)),
        "owner": attempt(lambda: os.chown("/usr", 0, 0)),
        "times": attempt(lambda: os.utime("/usr")),
        "attribute": attempt(lambda: os.setxattr("/usr", "user.redteam", b"x")),
        "device": attempt(lambda: os.mknod("device", 0o600 | stat.S_IFBLK, os.makedev(8, 0))),
        "link": attempt(lambda: os.link("/usr/bin/env", "linked")),
        "set-uid": attempt(lambda: (os.close(os.open("file", os.O_CREAT | os.O_WRONLY)), os.chmod("file", 0o4755),
                                    os.execv("file", ["file"]))),
    }}
"""
    host = os.uname().nodename
    seen = judge.attack(program).output
    assert "allowed" not in seen.values(), seen
    assert os.uname().nodename == host
