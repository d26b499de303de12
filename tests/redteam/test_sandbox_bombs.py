"""Candidates that never end, or that take all there is: they are stopped, and the judge goes on."""

from typing import Any

import pytest

ENDLESS = {
    "a loop in Python": "def entry():\n    while True: pass\n",
    "a loop in C": "def entry():\n    return sum(range(10**18))\n",
    "a power of integers": "def entry():\n    return pow(7, 10**10)\n",
    "a regular expression": "import re\ndef entry():\n    return re.match('(a+)+$', 'a' * 60 + 'b')\n",
    "a loop with all signals ignored": """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
def entry():
    while True: pass
""",
    "signals blocked": """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
def entry():
    while True: signal.sigpending()
""",
    "exceptions caught": """
def entry():
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
    "a wait for what never comes": "import threading\ndef entry():\n    threading.Event().wait()\n",
    "a lock taken twice": "import threading\nlock = threading.Lock()\ndef entry():\n    while True: lock.acquire()\n",
    "a read of the judge's line": """
import os, stat
def entry():
    line = [fd for fd in range(3, 1024) if is_socket(fd)]
    while True: os.read(line[0], 1 << 20)
def is_socket(fd):
    try: return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError: return False
""",
    "itself stopped": "import os, signal\ndef entry():\n    os.kill(os.getpid(), signal.SIGSTOP)\n",
    "itself stopped by a thread, again and again": """
import os, signal, threading
def stop():
    while True: os.kill(os.getpid(), signal.SIGSTOP)
def entry():
    threading.Thread(target=stop, daemon=True).start()
    while True: pass
""",
    "__del__ without end": """
class Phoenix:
    def __del__(self): Phoenix()
def entry():
    Phoenix()
    while True: pass
""",
    "the first thread gone, another at work": """
import ctypes, platform, threading
def spin():
    while True: pass
def entry():
    threading.Thread(target=spin).start()
    ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
""",
    "a name like that of a process that stands still": """
import ctypes, threading
ctypes.CDLL(None).prctl(15, b"x) T 0 (y) Z", 0, 0, 0)
def entry():
    threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()
    while True: pass
""",
    "an import without end": "def entry():\n    import endless\n",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_ended(name: str, judge: Any) -> None:
    program = ENDLESS[name]
    if "import endless" in program:
        program = "open('endless.py', 'w').write('while True: pass')\nimport sys\nsys.path.insert(0, '.')\n" + program
    last = judge.attack(program, limits={"wall_s": 0.25}).last
    assert last["ended_by"] == "timeout" and last["output"] is None, last


def test_cpu_time_runs_out_whatever_is_ignored(judge: Any) -> None:
    program = """
import signal, threading
signal.signal(signal.SIGXCPU, signal.SIG_IGN)
signal.signal(signal.SIGPROF, signal.SIG_IGN)
def spin():
    while True: pass
def entry():
    threading.Thread(target=spin, daemon=True).start()
    spin()
"""
    last = judge.attack(program, limits={"wall_s": 20.0, "cpu_s": 1.0}).last
    assert last["ended_by"] in ("timeout", "signal"), last
    assert last["cpu_ns"] < 3e9


def test_memory_that_is_used_ends_the_worker_or_raises(judge: Any) -> None:
    hoards = {
        "pages": "kept = []\n    while True: kept.append(bytearray(b'x' * (1 << 22)))",
        "objects": "kept = []\n    while True: kept.append([object()] * 100)",
        "a string": "text = 'x'\n    while True: text += text",
        "maps": "import mmap\n    kept = []\n"
        "    while True: kept.append(mmap.mmap(-1, 1 << 24)); kept[-1][:] = bytes(1 << 24)",
        "stacks": "import threading, time\n    threading.stack_size(1 << 26)\n    kept = []\n"
        "    while True: kept.append(threading.Thread(target=time.sleep, args=(60,), daemon=True)); kept[-1].start()",
    }
    for name, body in hoards.items():
        limits = {"memory_mb": 256, "wall_s": 20.0, "processes": 16}
        last = judge.attack(f"def entry():\n    {body}\n", limits=limits).last
        assert last["output"] is None, name
        words = "MemoryError", "Cannot allocate", "can't start new thread"
        assert last["ended_by"] == "memory" or any(word in (last["error"] or "") for word in words), (name, last)


def test_files_and_heap_together_are_limited(judge: Any) -> None:
    program = """
import os
def entry():
    kept, written = [], 0
    try:
        while True:
            kept.append(bytearray(b"x" * (1 << 22)))
            with open(f"f{len(kept)}", "wb") as file: written += file.write(bytes(1 << 22))
    except (OSError, MemoryError):
        pass
    try:
        while True: kept.append(bytearray(b"x" * (1 << 22)))
    except MemoryError:
        pass
    return written >> 20, 4 * len(kept)
"""
    last = judge.attack(program, limits={"memory_mb": 256, "disk_mb": 32, "wall_s": 20.0}).last
    if last["ended_by"] is None:
        on_disk, in_memory = last["output"]
        assert on_disk <= 32 and in_memory <= 256
    else:
        assert last["ended_by"] == "memory", last


def test_deep_recursion_ends_the_worker_at_most(judge: Any) -> None:
    programs = [
        "import sys\nsys.setrecursionlimit(10**9)\ndef entry():\n    return entry()\n",
        "def entry():\n    inner = []\n    for _ in range(10**6): inner = [inner]\n    return inner\n",
        "def entry():\n    inner = []\n    for _ in range(10**6): inner = [inner]\n    return repr(inner)\n",
        "def entry():\n    loop = []\n    loop.append(loop)\n    return loop\n",
        "import json\ndef entry():\n    return json.loads('[' * 10**6)\n",
    ]
    for program in programs:
        last = judge.attack(program, limits={"wall_s": 1.5}).last
        assert last["output"] is None, program


@pytest.mark.parametrize(
    "call",
    [
        "print('x' * 65536)",
        "os.write(1, b'x' * 65536)",
        "os.write(2, bytes(65536))",
        "sys.stderr.write('\\n' * 65536)",
        "warnings.warn_explicit('x' * 1000, UserWarning, 'f', next(line))",
    ],
)
def test_endless_output_ends_the_worker(call: str, judge: Any) -> None:
    program = "import os, sys, warnings, itertools\nline = itertools.count()\nwarnings.simplefilter('always')\n"
    program += f"def entry():\n    while True: {call}\n"
    seen = judge.attack(program, limits={"wall_s": 20.0, "output_mb": 1})
    assert seen.last["ended_by"] == "output", seen.last
    assert len(seen.stderr) <= 8192


def test_answers_that_are_too_large_are_no_answers(judge: Any) -> None:
    programs = {
        "bytes": "def entry():\n    return bytes(3 << 20)\n",
        "text": "def entry():\n    return '☃' * (1 << 20)\n",
        "list": "def entry():\n    return [0] * (1 << 22)\n",
        "one list in many": "def entry():\n    row = []\n    for _ in range(4): row = [row] * 99\n    return row\n",
        "integer": "def entry():\n    return 1 << (1 << 25)\n",
        "exception": "def entry():\n    raise ValueError('x' * (1 << 24))\n",
        "view": "import numpy\ndef entry():\n    return numpy.broadcast_to(numpy.zeros(1), (1 << 30,))\n",
        "frame": "import os\ndef entry():\n    os.write(200, (1 << 62).to_bytes(8, 'big') + bytes(99))\n    return 1\n",
    }
    for name, program in programs.items():
        last = judge.attack(program, limits={"wall_s": 1.5, "output_mb": 1, "memory_mb": 1024}).last
        assert last["output"] is None, name
        assert len(last["error"] or "") < 5000, name


def test_work_after_the_answer_gets_no_time(judge: Any) -> None:
    """A worker that is not asked does not run: what its threads do between two calls is next to nothing."""
    program = """
import threading
count = 0
def work():
    global count
    while True: count += 1
threading.Thread(target=work, daemon=True).start()
def entry(): return count
"""
    seen = judge.attack(program, [{}, {}, {}])
    assert all(reply["threads"] == 2 for reply in seen.replies[1:])
    assert all(reply["idle_cpu_ns"] < 50e6 for reply in seen.replies)


def test_daemons_do_not_come_up(judge: Any) -> None:
    program = """
import os, subprocess, ctypes
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try: return f"allowed: {action()}"
    except OSError as error: return type(error).__name__
def entry():
    return {
        "fork": attempt(os.fork),
        "forkpty": attempt(os.forkpty),
        "spawn": attempt(lambda: os.posix_spawn("/usr/bin/env", ["env"], {})),
        "system": os.system("true"),
        "popen": attempt(lambda: subprocess.Popen(["true"])),
        "exec": attempt(lambda: os.execv("/usr/bin/env", ["env"])),
        "vfork": libc.vfork(),
        "daemon": libc.daemon(0, 0),
    }
"""
    seen = judge.attack(program).output
    assert all("allowed" not in str(answer) for answer in seen.values()), seen
    assert seen["system"] != 0 and seen["vfork"] == seen["daemon"] == -1
