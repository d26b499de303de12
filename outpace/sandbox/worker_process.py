"""One worker seen from the judge: its process, its clocks, and what happens when it ends."""

import contextlib
import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox import cgroups
from outpace.sandbox._inside import codec
from outpace.sandbox.base import EndedBy, Reply, Usage
from outpace.sandbox.channel import MEGABYTE, UNASKED, Channel, Ended, sealed
from outpace.sandbox.child import Child, Program, Spawn
from outpace.sandbox.launch import Launch
from outpace.sandbox.tree import STOP_WALL_S, Tree

START_WALL_S = 60.0
STARVED_WALL_NS, STARVED_PART = 1_000_000_000, 200
"""A worker that has waited so long, and ran for less than one part of that in so many, was starved by its host."""
_OUT_OF_MEMORY = ("bad_alloc", "out of memory", "Cannot allocate memory", "MemoryError", "Memory allocation")
_MAX_PROBLEM_BYTES = 1 << 40


class WorkerProcess:
    """A confined process; one request at a time, blocking. ``ConfinedWorker`` is its asynchronous face.

    It runs from a go to the reply; the rest of the time all of its threads are stopped.
    """

    def __init__(self, launch: Launch, limits: Limits, *, spawn: Spawn = Program) -> None:
        """Start the process; ``handshake`` must follow.

        The kernel kills a program when the thread that started it ends, so call this in a thread that lives on.
        """
        self.launch, self.limits = launch, limits
        self.started = time.monotonic()
        self.ended: Reply | None = None
        self.usage: Usage | None = None
        self.number = secrets.randbits(32)
        self.tree: Tree | None = None
        self.group: cgroups.Group | None = None
        self.replied_cpu_ns = 0
        self.turn = threading.Lock()
        self.channel = Channel(max_bytes=limits.output_mb * MEGABYTE)
        try:
            self.child: Child = spawn(launch, self.channel)
        except BaseException:
            self.channel.close()
            _remove(self.launch.scratch)
            raise
        finally:
            self.channel.close_theirs()
            for fd in launch.fds:
                os.close(fd)

    @property
    def pid(self) -> int:
        """The host's pid of the process that holds the candidate; 0: not known yet."""
        return self.tree.pid if self.tree else 0

    def handshake(self, cores: Sequence[int] | None) -> None:
        """Let the worker confine itself and find out its pid; raises ``SandboxUnavailable`` if it cannot."""
        deadline = time.perf_counter_ns() + int(START_WALL_S * 1e9)
        body, head = self.launch.setup(self.channel.max_bytes), (self.number, "setup")
        setup = codec.frame(body, head=head, max_bytes=_MAX_PROBLEM_BYTES)
        with self.turn:
            try:
                self.channel.send([self.child.greeting, *setup], deadline)
                self._join_group(self.child.worker_pid)  # while it confines itself: the kernel makes us wait
                self._identify(self.channel.sender(deadline))
                reply = _reply(self.channel.receive(deadline), self.number)
                self.replied_cpu_ns = self._stand_still()
            except (Ended, codec.Garbled) as error:
                raise SandboxUnavailable(_why(self, error)) from error
        if reply.error is not None:
            raise SandboxUnavailable(f"A worker cannot confine itself: {reply.error}.")
        if cores is not None:
            self.pin(cores)

    def pin(self, cores: Sequence[int]) -> None:
        """Move all threads of the worker to ``cores``; one that has ended takes no notice."""
        if self.ended is None and self.tree is not None:
            self.tree.pin(cores)

    def exchange(self, kind: str, bodies: Sequence[Any], wall_s: float) -> Reply:
        """Send one request after the other, each as soon as the last is answered; ``output`` is the list of answers.

        The clocks run from the first go to the last reply. No call sees anything of a later one's inputs: they are not
        there yet. A worker that ended gives the reply that tells how, and from then on no other.
        Raises ``SandboxUnavailable`` where it ended because the sandbox itself has failed.
        """
        with self.turn:
            if self.ended is not None:
                return self.ended
            inputs: list[int] = []
            try:
                for body in bodies:
                    _, *chunks = codec.frame(body, max_bytes=_MAX_PROBLEM_BYTES, name="problem")
                    inputs.append(sealed(chunks))
                if self.channel.pending():
                    return self._end(Ended("garbled", UNASKED))
                return self._timed(kind, inputs, wall_s)
            except SandboxUnavailable as error:
                self.ended = Reply(ended_by="signal", detail=str(error))
                raise
            finally:
                for fd in inputs:
                    os.close(fd)

    def idle(self, wall_s: float) -> int:
        """Let the worker run without a request; return the CPU time that it used. An ended worker uses none."""
        with self.turn:
            if self.ended is not None or self.tree is None:
                return 0
            before = self.tree.read_cpu_ns()
            try:
                self.tree.resume()
                self.channel.listen(time.perf_counter_ns() + int(wall_s * 1e9))
                self.replied_cpu_ns = self._stand_still()
            except Ended as ended:
                self._end(ended)
            return self.tree.read_cpu_ns() - before

    def kill(self) -> None:
        """Kill the whole tree, from any thread; a request that is under way then ends."""
        if self.tree is not None:
            self.tree.kill()
        else:
            self.child.kill()

    def close(self) -> Usage:
        """Kill and reap the tree, free everything, and tell what was used."""
        if self.usage is not None:
            return self.usage
        self.kill()
        with self.turn:
            if self.usage is None:
                self.usage = self._free()
        return self.usage

    def stderr(self) -> str:
        """Return the tail of what was printed."""
        return self.channel.tail.decode(errors="replace")

    def _timed(self, kind: str, inputs: Sequence[int], wall_s: float) -> Reply:
        """Give the goes and wait for the replies. Inputs become reachable with their go, not before."""
        assert self.tree is not None
        first, self.number = self.number + 1, self.number + len(inputs)
        goes = [b"".join(codec.frame(None, head=(first + i, kind), max_bytes=1 << 20)) for i in range(len(inputs))]
        before = self.tree.read_cpu_ns()
        idle_ns = before - self.replied_cpu_ns
        start = time.perf_counter_ns()
        wall_ns = 0
        try:
            bodies = _relay(self.channel, self.tree, list(zip(goes, inputs, strict=True)), start + int(wall_s * 1e9))
            wall_ns = time.perf_counter_ns() - start
            self.replied_cpu_ns = self._stand_still()
            self.channel.drain()
            found, cpu_ns = _replies(bodies, first), self.replied_cpu_ns - before
            threads = self.tree.threads
            return replace(found, wall_ns=wall_ns, cpu_ns=cpu_ns, idle_cpu_ns=idle_ns, threads=threads)
        except Ended as ended:
            wall_ns = wall_ns or time.perf_counter_ns() - start
            if ended.by == "timeout":
                _blame_host(self.tree, time.perf_counter_ns() - start, self.tree.read_cpu_ns() - before)
                ended.detail = ended.detail or f"no answer within {wall_s:g} s"
            return self._end(ended, wall_ns=wall_ns, cpu_ns=self.tree.read_cpu_ns() - before)
        except codec.Garbled as error:
            return self._end(Ended("garbled", str(error)), wall_ns=wall_ns, cpu_ns=self.replied_cpu_ns - before)

    def _stand_still(self) -> int:
        """Stop the worker, and only then read its clock: whatever it does after its reply belongs to the call."""
        assert self.tree is not None
        if not self.tree.stop():
            raise Ended("timeout", f"it could not be stopped within {STOP_WALL_S:g} s")
        return self.tree.read_cpu_ns()

    def _identify(self, pid: int) -> None:
        """Note the host's pid of the worker and what must die with it, and put it into its control groups."""
        pidfds: list[int] = []
        try:
            pidfds.append(os.pidfd_open(pid))
            pidfds += map(os.pidfd_open, self.child.above(pid))
            self.tree = Tree(pid, pidfds)
        except (ProcessLookupError, FileNotFoundError):
            for pidfd in pidfds:
                os.close(pidfd)
            raise Ended("exit") from None
        self.channel.watch(pidfds[0])
        if self.child.worker_pid is None:
            self._join_group(pid)
        elif self.child.worker_pid != pid:
            raise SandboxUnavailable(f"A process answers for a worker that is another: {pid}.")

    def _join_group(self, pid: int | None) -> None:
        """Put the worker into control groups of its own, where the host has some and the sandbox wants them."""
        if pid is None or not self.launch.control_group:
            return
        self.group = cgroups.make(self.limits)
        if self.group is not None:
            self.group.add(pid)

    def _end(self, ended: Ended, *, wall_ns: int = 0, cpu_ns: int = 0) -> Reply:
        """Kill what is left and turn the end into the reply that this worker gives from now on."""
        by, detail = ended.by, ended.detail
        if by == "exit":
            by, detail = _cause(self)
        self.kill()
        self.child.wait(START_WALL_S)
        with contextlib.suppress(Ended):
            self.channel.drain()
        self.ended = Reply(ended_by=by, detail=detail, wall_ns=wall_ns, cpu_ns=cpu_ns)
        return self.ended

    def _free(self) -> Usage:
        with contextlib.suppress(SandboxUnavailable):  # the sandbox has failed, and the worker is gone with it
            self.child.wait(START_WALL_S)
        with contextlib.suppress(Ended):
            self.channel.drain()
        self.channel.close()
        if self.tree is not None:
            self.tree.close()
        if self.group is not None:
            self.group.close()
        _remove(self.launch.scratch)
        ended_by = self.ended.ended_by if self.ended else None
        self.ended = self.ended or Reply(ended_by="exit", detail="the worker was closed")
        wall_s, cpu_s = time.monotonic() - self.started, self.tree.cpu_ns / 1e9 if self.tree else 0.0
        return Usage(wall_s=wall_s, cpu_s=cpu_s, ended_by=ended_by, stderr=self.stderr())


def _blame_host(tree: Tree, wall_ns: int, cpu_ns: int) -> None:
    """Kill a worker that was late and raise ``SandboxUnavailable`` if it wanted its core and was not given it."""
    if wall_ns > STARVED_WALL_NS and cpu_ns < wall_ns // STARVED_PART and tree.ready():
        tree.kill()
        raise SandboxUnavailable(
            f"A worker was ready to run for {wall_ns / 1e9:.1f} s and was given {cpu_ns / 1e6:.1f} ms of CPU time: "
            "this host is overloaded, or keeps its cores for others. Free a core, or give the run fewer workers."
        )


def _relay(channel: Channel, tree: Tree, goes: Sequence[tuple[bytes, int]], deadline_ns: int) -> list[bytearray]:
    """Return the answer to each go; the next is sent as soon as the last is answered, before any is read."""
    bodies: list[bytearray] = []
    room = channel.max_bytes
    for go, inputs in goes:
        channel.send_with(go, inputs)
        if not bodies:
            tree.resume()
        bodies.append(channel.receive(deadline_ns))
        room -= len(bodies[-1])
        if room < 0:
            raise Ended("output", f"answers of more than {channel.max_bytes} bytes together")
    return bodies


def only(reply: Reply) -> Reply:
    """Return the reply to a single request, with its answer as ``output``."""
    return replace(reply, output=reply.output[0]) if reply.ok else reply


def _replies(bodies: Sequence[bytearray], first: int) -> Reply:
    """Return the answers as one reply, or the first error among them, without the clocks; raises ``Garbled``.

    ``first`` is the number of the request that the first body answers.
    """
    replies = [_reply(body, first + index) for index, body in enumerate(bodies)]
    return next((reply for reply in replies if not reply.ok), Reply(output=[reply.output for reply in replies]))


def _reply(body: bytearray, number: int) -> Reply:
    """Return what a worker answered to the request of this number, without the clocks; raises ``Garbled``."""
    message = codec.decode(body)
    if type(message) is not list or len(message) != 3 or message[0] != number:
        raise codec.Garbled("it is not the answer to the question that was asked")
    _, kind, value = message
    if kind == "value":
        return Reply(output=value)
    if kind in {"error", "unfit"} and type(value) is str:
        return Reply(error=value, unfit=kind == "unfit")
    raise codec.Garbled("it is neither a value nor an error")


def _cause(worker: WorkerProcess) -> tuple[EndedBy, str]:
    """Find out why a worker is gone; one that only hung up is not."""
    try:
        status = worker.child.wait(2)
    except TimeoutError:
        return "garbled", "it closed its line to the judge"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else None
    if name == "SIGXCPU":
        return "timeout", f"more than {worker.limits.cpu_s:g} s of CPU time used"
    with contextlib.suppress(Ended):
        worker.channel.drain()
    how = f"killed by {name}" if name else f"it ended itself with exit code {status}"
    starved = name == "SIGKILL" and worker.group is not None and worker.group.out_of_memory()
    if starved or (status != 0 and any(word in worker.stderr() for word in _OUT_OF_MEMORY)):
        return "memory", f"{how} after running out of memory (limit {worker.limits.memory_mb} MB)"
    return ("signal" if name else "exit"), how


def _why(worker: WorkerProcess, error: Exception) -> str:
    """Explain a worker that never came up by what it, or the program that confines it, printed."""
    worker.kill()
    worker.child.wait(START_WALL_S)
    with contextlib.suppress(Ended):
        worker.channel.drain()
    lines = [line for line in worker.stderr().splitlines() if line.strip()]
    return f"A worker did not start: {lines[-1].rstrip('.') if lines else str(error) or 'no message'}."


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
