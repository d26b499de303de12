"""A warm container with a zygote in it, and the pool of those that a sandbox has."""

import os
import select
import signal
import socket
import threading
from collections.abc import Sequence

from outpace.errors import SandboxUnavailable
from outpace.sandbox import cgroups
from outpace.sandbox.channel import Channel
from outpace.sandbox.child import Child
from outpace.sandbox.docker.engine import Container, Engine
from outpace.sandbox.docker.meeting import started
from outpace.sandbox.docker.recipe import Recipe
from outpace.sandbox.forking import Zygote
from outpace.sandbox.launch import Launch

MOST_IDLE = 8
"""How many containers are kept warm without a worker; each holds some 40 MB."""


class Pool:
    """The containers of one engine: those with a worker, and those that wait for one. Safe for several threads."""

    def __init__(self, engine: Engine) -> None:
        """Start with none."""
        self.engine = engine
        self._lock = threading.Lock()
        self._all: list[Slot] = []
        self._idle: list[Slot] = []

    def take(self, recipe: Recipe, *, preload: Sequence[str] = (), fresh: bool = False) -> "Slot":
        """Return a container made by ``recipe`` that has no worker: a warm one, unless ``fresh``, or a new one."""
        wanted = (recipe, tuple(preload))
        while not fresh and (slot := self._warm(wanted)):
            if slot.is_fit():
                return slot
            self.discard(slot)
        slot = Slot(self.engine, recipe, preload=preload)
        with self._lock:
            self._all.append(slot)
        return slot

    def give_back(self, slot: "Slot") -> None:
        """Keep a container warm; of too many, the one that has waited longest goes."""
        with self._lock:
            if slot in self._all and slot.is_fit():
                self._idle.append(slot)
                if len(self._idle) <= MOST_IDLE:
                    return
                slot = self._idle.pop(0)
        self.discard(slot)

    def discard(self, slot: "Slot") -> None:
        """Remove a container that must not be used again."""
        with self._lock:
            self._all = [other for other in self._all if other is not slot]
        slot.close()

    def close(self) -> None:
        """Remove all containers."""
        with self._lock:
            slots, self._all, self._idle = self._all, [], []
        for slot in slots:
            slot.close()

    def _warm(self, wanted: tuple[Recipe, tuple[str, ...]]) -> "Slot | None":
        with self._lock:
            for slot in reversed(self._idle):
                if (slot.recipe, slot.preload) == wanted:
                    self._idle.remove(slot)
                    return slot
        return None


class Slot:
    """A container in which workers are forked, one at a time."""

    def __init__(self, engine: Engine, recipe: Recipe, *, preload: Sequence[str] = ()) -> None:
        """Start it and let it get ready; raises ``SandboxUnavailable``."""
        self.recipe, self.preload = recipe, tuple(preload)
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._printed, their_printed = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._printed, False)
        self._open, self.doubtful = True, False
        try:
            with theirs:
                self.container = started(engine, recipe, theirs.fileno(), their_printed)
        except BaseException:
            self._hang_up()
            raise
        finally:
            os.close(their_printed)
        self._zygote = Zygote(self._line, explain=self.printed)
        try:
            self._zygote.begin(view=None, preload=preload, scratch=recipe.folder)
        except BaseException:
            self.close()
            raise

    def spawn(self, launch: Launch, channel: Channel) -> Child:
        """Fork a worker in the container; a ``Spawn`` for ``WorkerProcess``."""
        return _Contained(self._zygote.spawn(launch, channel), self)

    def is_fit(self) -> bool:
        """Tell whether another worker can be forked here, with nothing left of the last one."""
        if not self._open or self.doubtful or self._zygote.failed:
            return False
        return not select.select([self._line], [], [], 0)[0]  # it speaks when it is asked, so it has hung up

    def printed(self) -> str:
        """Return the last line of what the zygote has printed."""
        try:
            lines = os.read(self._printed, 1 << 16).decode(errors="replace").split("\n")
        except (BlockingIOError, OSError):
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        """Kill and remove the container, and whatever runs in it. Safe to call twice."""
        if self._open:
            self._open = False
            self.container.remove()
            self._zygote.close()  # and so a container whose engine did not answer ends too
            self._hang_up()

    def _hang_up(self) -> None:
        self._line.close()
        os.close(self._printed)


class _Contained:
    """A worker in a container; a ``Child``."""

    def __init__(self, forked: Child, slot: Slot) -> None:
        """Wrap what the zygote forked."""
        self.greeting, self.worker_pid = forked.greeting, forked.worker_pid
        self._forked, self._slot = forked, slot

    def above(self, pid: int) -> list[int]:
        """Return what must die with it."""
        return self._forked.above(pid)

    def wait(self, timeout_s: float) -> int:
        """Reap it. Raises ``SandboxUnavailable`` if its container is gone, unless for want of memory, and if the zygote
        cannot clear away what it left; either way the container must not have another worker.
        """
        try:
            return self._forked.wait(timeout_s)
        except SandboxUnavailable:
            self._slot.doubtful = True
            if self._slot.container.ran_out_of_memory():
                return -signal.SIGKILL
            raise

    def kill(self) -> None:
        """Kill it."""
        self._forked.kill()


class Memory(cgroups.Group):
    """The control groups that the engine made for a container, as a worker's; they go with the container."""

    def __init__(self, container: Container) -> None:
        """Look at this container."""
        super().__init__(0, [])
        self._container = container

    def out_of_memory(self) -> bool:
        """Tell whether the kernel has killed a process of the container for lack of memory."""
        return self._container.ran_out_of_memory()
