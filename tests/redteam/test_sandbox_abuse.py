"""Candidates that use too much, forge answers, or try to live on."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest


def test_a_fork_bomb_has_no_children(judge: Any) -> None:
    program = """
import os
def entry():
    born = 0
    for _ in range(200):
        try:
            if os.fork() == 0: os._exit(0)
            born += 1
        except OSError: pass
    return born
"""
    assert judge.attack(program).output == 0


def test_a_thread_bomb_stops_at_the_limit(judge: Any) -> None:
    program = """
import threading, time
def entry():
    started = 0
    try:
        for _ in range(300):
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    return started
"""
    most = 16 + (8 if judge.sandbox == "docker" else 0)  # an engine counts what runs in a container beside the worker
    assert 8 <= judge.attack(program, limits={"processes": 16}).output <= most


def test_disks_and_memory_files_are_small(judge: Any) -> None:
    program = """
import os
def fill(folder):
    written = 0
    for number in range(64):
        try:
            with open(f"{folder}/{number}", "wb", buffering=0) as file:
                for _ in range(4): written += file.write(bytes(1 << 20))
        except OSError as error:
            return written >> 20, error.strerror
    return written >> 20, "no limit found"
def entry():
    own = os.getcwd()
    return fill(own), [fill(folder) for folder in ("/tmp", "/dev/shm", "/run", "/var/tmp", "/dev", "/")]
"""
    (own, said), others = judge.attack(program, limits={"disk_mb": 16}).output
    assert 8 <= own <= 16 and said == "No space left on device"
    assert sum(written for written, _ in others) <= 16
    assert "no limit found" not in [said for _, said in others]


def test_a_million_empty_files_do_not_fit(judge: Any) -> None:
    program = """
import os
def entry(most):
    made = 0
    try:
        for folder in range(most // 1000):
            os.mkdir(f"d{folder}")
            for number in range(1000):
                os.close(os.open(f"d{folder}/{number}", os.O_CREAT | os.O_WRONLY))
                made += 1
    except OSError as error:
        return made, error.strerror
    return made, "no limit found"
"""
    made, said = judge.attack(program, [{"most": 100_000}], limits={"disk_mb": 16, "wall_s": 60.0}).output
    assert said == "No space left on device", f"{made} files in 16 MB and no end"


def test_a_single_file_and_open_files_are_limited(judge: Any) -> None:
    program = """
import os
def entry():
    kept = []
    try:
        for _ in range(5000): kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return len(kept), error.strerror
"""
    count, said = judge.attack(program).output
    assert count < 256 and said == "Too many open files"


def test_memory_is_limited_by_whatever_door(judge: Any) -> None:
    program = """
import mmap, os
def refused(action):
    try: return bool(action()) and False
    except (OSError, MemoryError): return True
def entry():
    size = 1 << 30
    return [refused(lambda: bytearray(size)), refused(lambda: mmap.mmap(-1, size)),
            refused(lambda: os.memfd_create("hoard")),
            refused(lambda: os.posix_fallocate(os.open("/dev/shm/x", os.O_RDWR | os.O_CREAT), 0, size))]
"""
    assert judge.attack(program, limits={"memory_mb": 256, "disk_mb": 16}).output == [True] * 4


def test_limits_cannot_be_raised(judge: Any) -> None:
    program = """
import resource
def entry(names):
    raised = []
    for name in names:
        soft, hard = resource.getrlimit(getattr(resource, name))
        for limit in ((hard, hard + 1), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)):
            try:
                resource.setrlimit(getattr(resource, name), limit)
                raised.append(name)
            except (OSError, ValueError): pass
    return raised, resource.getrlimit(resource.RLIMIT_CORE)
"""
    names = [f"RLIMIT_{name}" for name in ("AS", "CPU", "FSIZE", "NOFILE", "NPROC", "CORE")]
    raised, core = judge.attack(program, [{"names": names}]).output
    assert raised == [] and core == [0, 0]


def test_a_forged_reply_is_an_answer_and_never_a_score(judge: Any) -> None:
    """By walking the frames a candidate can learn the number of the request: it still only gets to say the answer."""
    program = """
import os, sys, time
codec = sys.modules["inside.codec"]
def entry(kind, value):
    number = next(f.f_locals["number"] for f in frames() if "number" in f.f_locals)
    os.write(200, b"".join(codec.frame(value, head=(number, kind), max_bytes=9999)))
    time.sleep(0.05)
    return "honest"
def frames():
    frame = sys._getframe(1)
    while frame: yield frame; frame = frame.f_back
"""
    forged = {"score": 1e9, "wall_ns": 1}
    first, second = judge.attack(program, [{"kind": "value", "value": forged}] * 2).replies[1:]
    assert first["output"] == forged and first["wall_ns"] > 1 and first["ended_by"] is None
    assert second["ended_by"] == "garbled" and second["output"] is None
    for kind in ("score", "verdict", 7):
        assert judge.attack(program, [{"kind": kind, "value": forged}]).last["ended_by"] == "garbled"


def test_hostile_frames_are_garbled_and_the_judge_lives(judge: Any) -> None:
    program = """
import os, time
def entry(body):
    os.write(200, len(body).to_bytes(8, "big") + bytes(body))
    time.sleep(30)
"""
    nested = bytes.fromhex("c0")
    for _ in range(60):
        nested = b"\x91" + nested
        nested = b"\xc8" + len(nested).to_bytes(2, "big") + b"\x01" + nested
    bodies = [b"", b"\xff" * 20, len(nested).to_bytes(8, "big") + nested, bytes(8), (1 << 40).to_bytes(8, "big") + b"x"]
    for body in bodies:
        assert judge.attack(program, [{"body": list(body)}]).last["ended_by"] == "garbled"


def test_a_stopped_worker_is_killed_like_any_other(judge: Any) -> None:
    program = "import os, signal\ndef entry():\n    os.kill(os.getpid(), signal.SIGSTOP)\n"
    assert judge.attack(program, limits={"wall_s": 0.5}).last["ended_by"] == "timeout"


def test_exceptions_cannot_fool_the_worker(judge: Any) -> None:
    program = """
class Liar(BaseException):
    def __str__(self): raise SystemExit(0)
    __repr__ = __str__
    @property
    def __traceback__(self): raise KeyboardInterrupt
def entry(what):
    if what == "lie": raise Liar
    if what == "long": raise ValueError("x" * 10**7)
    if what == "surrogate": raise ValueError("\\ud800")
    if what == "chain":
        error = None
        for _ in range(2000):
            try: raise ValueError(error)
            except ValueError as caught: error = caught
        raise error
    if what == "class": raise type("E", (Exception,), {"__module__": 5, "__qualname__": "a" * 9})
    return "alive"
"""
    kinds = ["lie", "long", "surrogate", "chain", "class", "none"]
    replies = judge.attack(program, [{"what": kind} for kind in kinds]).replies[1:]
    assert [reply["ended_by"] for reply in replies] == [None] * 6 and replies[-1]["output"] == "alive"
    assert all(reply["error"] and len(reply["error"]) < 5000 for reply in replies[:-1])


def test_files_and_modules_of_one_candidate_are_not_there_for_the_next(judge: Any) -> None:
    leave = """
import os, sys
def entry():
    written, own = [], os.getcwd()
    for folder in ("/tmp", "/dev/shm", "/run", own, os.environ["HOME"], os.path.dirname(own), *sys.path):
        for name, text in (("sitecustomize.py", "raise SystemExit"), ("poison.py", "poisoned = True")):
            try:
                with open(f"{folder}/{name}", "w") as file: file.write(text)
                written.append(folder)
            except OSError: pass
    return os.getcwd(), sorted(set(written))
"""
    own, written = judge.attack(leave).output
    assert own in written
    look = """
import importlib.util, os
def entry(folders):
    found = set()
    for folder in folders:
        try: found |= {name for name in os.listdir(folder) if name in ("sitecustomize.py", "poison.py")}
        except OSError: pass
    return sorted(found), importlib.util.find_spec("poison") is None
"""
    assert judge.attack(look, [{"folders": written}]).output == [[], True]


@pytest.mark.parametrize("sandbox", ["bubblewrap", "process"])
def test_a_killed_judge_leaves_no_worker(sandbox: str, tmp_path: Path) -> None:
    code = f"""
import asyncio
from outpace.plugins import load
from outpace.limits import Limits
from outpace.sandbox.base import Job
async def main():
    program = "import time\\ndef entry(): time.sleep(600)\\n"
    job = Job(files={{"program.py": program}}, entry="entry", limits=Limits(wall_s=600))
    worker = await load("sandbox", "{sandbox}")().start(job)
    await worker.load()
    print(worker.pid, flush=True)
    await worker.call({{}})
asyncio.run(main())
"""
    judge = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}, text=True
    )
    with judge:
        assert judge.stdout is not None
        worker = int(judge.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        os.kill(judge.pid, signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def test_the_judge_itself_has_no_core_file_to_fear(judge: Any) -> None:
    """A crash writes nothing and starts nothing on the host: the worker is not dumpable and its limit is 0."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    program = "import ctypes\ndef entry(): ctypes.string_at(0)\n"
    seen = judge.attack(program)
    assert seen.last["ended_by"] == "signal" and seen.last["detail"] == "killed by SIGSEGV"
    assert "Fatal Python error: Segmentation fault" in seen.stderr and "program.py" in seen.stderr
    assert resource.getrlimit(resource.RLIMIT_CORE) == before
