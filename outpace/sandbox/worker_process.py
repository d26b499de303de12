"""One worker seen from the judge: its process, its clocks, and what happens when it ends."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox import interpreter
from outpace.sandbox._inside import codec
from outpace.sandbox.base import EndedBy, Reply, Usage
from outpace.sandbox.channel import MEGABYTE, Channel, Ended
from outpace.sandbox.launch import Launch

START_WALL_S = 60.0
_OUT_OF_MEMORY = ("bad_alloc", "out of memory", "Cannot allocate memory", "MemoryError", "Memory allocation")


class WorkerProcess:
    """A confined process; one request at a time, blocking. ``ConfinedWorker`` is its asynchronous face."""

    def __init__(self, launch: Launch, limits: Limits) -> None:
        """Start the process; ``handshake`` must follow.

        The kernel kills a worker when the thread that started it ends, so call this in a thread that lives on.
        """
        self.launch, self.limits = launch, limits
        self.started = time.monotonic()
        self.ended: Reply | None = None
        self.usage: Usage | None = None
        self.number = secrets.randbits(32)
        self.pid = 0
        self.pidfds: list[int] = []
        self.clock: int | None = None
        self.cpu_ns = 0
        self.turn, self.signals = threading.Lock(), threading.Lock()
        self.channel = Channel(max_bytes=limits.output_mb * MEGABYTE)
        try:
            self.process = _spawn(launch, self.channel)
        except OSError as error:
            self.channel.close()
            _remove(self.launch.scratch)
            raise SandboxUnavailable(f"Cannot start a worker with {launch.argv[0]}: {error.strerror}.") from error
        finally:
            self.channel.close_theirs()
            for fd in launch.fds:
                os.close(fd)

    def handshake(self, cores: Sequence[int] | None) -> None:
        """Let the worker confine itself and find out its pid; raises ``SandboxUnavailable`` if it cannot."""
        setup = {
            "max_bytes": self.channel.max_bytes,
            "folder": self.launch.folder,
            "uid": self.launch.uid,
            "die_with_parent": self.launch.die_with_parent,
            "rlimits": dict(self.launch.rlimits),
            "filter": self.launch.filter,
        }
        deadline = time.perf_counter_ns() + int(START_WALL_S * 1e9)
        with self.turn:
            try:
                self.channel.send([interpreter.code(), *self._request("setup", setup)], deadline)
                self._identify(self.channel.sender(deadline))
                reply = self._answer(self.channel.receive(deadline))
            except (Ended, codec.Garbled) as error:
                raise SandboxUnavailable(self._why(error)) from error
        if reply.error is not None:
            raise SandboxUnavailable(f"A worker cannot confine itself: {reply.error}.")
        if cores is not None:
            self.pin(cores)

    def pin(self, cores: Sequence[int]) -> None:
        """Move all threads of the worker to ``cores``; one that has ended takes no notice."""
        if self.ended is not None:
            return
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            for thread in Path(f"/proc/{self.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), cores)

    def exchange(self, kind: str, body: Any, wall_s: float) -> Reply:
        """Send one request and return the reply, or how the worker ended; an ended worker answers so for ever."""
        with self.turn:
            if self.ended is not None:
                return self.ended
            chunks = self._request(kind, body)
            if self.channel.pending():
                return self._end(Ended("garbled", "it sent something that nobody had asked for"), 0, 0)
            return self._timed(chunks, wall_s)

    def kill(self) -> None:
        """Kill the whole tree, from any thread; a request that is under way then ends."""
        with self.signals:
            self._cpu_ns()
            for pidfd in self.pidfds:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            if not self.pidfds:
                self.process.kill()

    def close(self) -> Usage:
        """Kill and reap the tree, free everything, and tell what was used."""
        if self.usage is not None:
            return self.usage
        self.kill()
        with self.turn:
            self.process.wait(START_WALL_S)
            with contextlib.suppress(Ended):
                self.channel.drain()
            self.channel.close()
            with self.signals:
                for pidfd in self.pidfds:
                    os.close(pidfd)
                self.pidfds = []
            _remove(self.launch.scratch)
            ended_by = self.ended.ended_by if self.ended else None
            wall_s = time.monotonic() - self.started
            self.usage = Usage(wall_s=wall_s, cpu_s=self.cpu_ns / 1e9, ended_by=ended_by, stderr=self.stderr())
            self.ended = self.ended or Reply(ended_by="exit", detail="the worker was closed")
        return self.usage

    def stderr(self) -> str:
        """Return the tail of what was printed."""
        return self.channel.tail.decode(errors="replace")

    def _request(self, kind: str, body: Any) -> list[bytes | memoryview]:
        self.number += 1
        return codec.frame(body, head=(self.number, kind), max_bytes=1 << 40, name="problem")

    def _timed(self, chunks: list[bytes | memoryview], wall_s: float) -> Reply:
        cpu = self._cpu_ns()
        start = time.perf_counter_ns()
        deadline = start + int(wall_s * 1e9)
        try:
            self.channel.send(chunks, deadline)
            body = self.channel.receive(deadline)
            wall_ns, cpu_ns = time.perf_counter_ns() - start, self._cpu_ns() - cpu
            self.channel.drain()
            return self._answer(body, wall_ns=wall_ns, cpu_ns=cpu_ns)
        except Ended as ended:
            if ended.by == "timeout":
                ended.detail = f"no answer within {wall_s:g} s"
            return self._end(ended, time.perf_counter_ns() - start, self._cpu_ns() - cpu)
        except codec.Garbled as error:
            return self._end(Ended("garbled", str(error)), wall_ns, cpu_ns)

    def _answer(self, body: bytearray, *, wall_ns: int = 0, cpu_ns: int = 0) -> Reply:
        message = codec.decode(body)
        if type(message) is not list or len(message) != 3 or message[0] != self.number:
            raise codec.Garbled("it is not the answer to the question that was asked")
        _, kind, value = message
        if kind == "value":
            return Reply(output=value, wall_ns=wall_ns, cpu_ns=cpu_ns)
        if kind == "error" and type(value) is str:
            return Reply(error=value, wall_ns=wall_ns, cpu_ns=cpu_ns)
        raise codec.Garbled("it is neither a value nor an error")

    def _identify(self, pid: int) -> None:
        """Note the host's pid of the worker and of the first process of its tree."""
        self.pid = pid
        self.clock = (~pid << 3) | 2  # the kernel's CPU clock of the process, as in clock_getcpuclockid(3)
        self.pidfds.append(os.pidfd_open(pid))
        self.channel.watch(self.pidfds[0])
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if parent not in {os.getpid(), self.process.pid}:
            self.pidfds.append(os.pidfd_open(parent))

    def _cpu_ns(self) -> int:
        """Return the CPU time of the worker, the last known one if it is gone."""
        if self.clock is not None:
            with contextlib.suppress(OSError):
                self.cpu_ns = max(self.cpu_ns, time.clock_gettime_ns(self.clock))
        return self.cpu_ns

    def _end(self, ended: Ended, wall_ns: int, cpu_ns: int) -> Reply:
        """Kill what is left and turn the end into the reply that this worker gives from now on."""
        by, detail = ended.by, ended.detail
        if by == "exit":
            by, detail = self._cause()
        self.kill()
        self.process.wait(START_WALL_S)
        with contextlib.suppress(Ended):
            self.channel.drain()
        self.ended = Reply(ended_by=by, detail=detail, wall_ns=wall_ns, cpu_ns=cpu_ns)
        return self.ended

    def _cause(self) -> tuple[EndedBy, str]:
        """Find out why a worker is gone; one that only hung up is not."""
        try:
            status = self.process.wait(2)
        except subprocess.TimeoutExpired:
            return "garbled", "it closed its line to the judge"
        number = -status if status < 0 else status - 128  # bwrap reports a signal as 128 + its number
        name = signal.Signals(number).name if number in set(signal.Signals) else None
        if name == "SIGXCPU":
            return "timeout", f"more than {self.limits.cpu_s:g} s of CPU time used"
        with contextlib.suppress(Ended):
            self.channel.drain()
        how = f"killed by {name}" if name else f"it ended itself with exit code {status}"
        if status != 0 and any(word in self.stderr() for word in _OUT_OF_MEMORY):
            return "memory", f"{how} after running out of memory (limit {self.limits.memory_mb} MB)"
        return ("signal" if name else "exit"), how

    def _why(self, error: Exception) -> str:
        """Explain a worker that never came up by what it, or the program that confines it, printed."""
        self.kill()
        self.process.wait(START_WALL_S)
        with contextlib.suppress(Ended):
            self.channel.drain()
        lines = [line for line in self.stderr().splitlines() if line.strip()]
        return f"A worker did not start: {lines[-1].rstrip('.') if lines else str(error) or 'no message'}."


def _spawn(launch: Launch, channel: Channel) -> "subprocess.Popen[bytes]":
    line = channel.their_socket.fileno()
    return subprocess.Popen(
        [*launch.argv, str(line)],
        env=dict(launch.env),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=channel.their_stderr,
        stderr=channel.their_stderr,
        pass_fds=(line, *launch.fds),
        start_new_session=True,  # Ctrl-C on the terminal is for us alone
    )


def _remove(scratch: Path | None) -> None:
    """Remove a worker's folder on the host, even if the candidate has closed folders of its own in it."""
    if scratch is None:
        return
    scratch.chmod(0o700)
    for folder, names, _ in os.walk(scratch):
        for path in (Path(folder, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(scratch)
