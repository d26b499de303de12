"""The process that a sandbox starts for a worker, and how it is started by a program (an interpreter, bwrap)."""

import os
import subprocess
from collections.abc import Callable
from typing import Protocol

from outpace.errors import SandboxUnavailable
from outpace.sandbox import interpreter
from outpace.sandbox.channel import Channel
from outpace.sandbox.launch import Launch
from outpace.sandbox.tree import parent_of


class Child(Protocol):
    """What was started: the worker itself, or a program that confines it and is its parent."""

    greeting: bytes
    """What must be sent to it before the first request."""

    worker_pid: int | None
    """The host's pid of the worker, where that is known before it has answered."""

    def above(self, pid: int) -> list[int]:
        """Return the processes that must die with the worker ``pid``: those between the judge and it."""
        ...

    def wait(self, timeout_s: float) -> int:
        """Reap it and return its exit code, or minus the number of the signal that ended it.

        Raises ``TimeoutError``, and ``SandboxUnavailable`` where the sandbox itself has failed.
        """
        ...

    def kill(self) -> None:
        """Kill it, if nothing more is known of the worker than this."""
        ...


Spawn = Callable[[Launch, Channel], Child]
"""Starts a process with the two ends of the channel that are its own; raises ``SandboxUnavailable``."""


class Program:
    """A program started by the judge. The kernel kills it when the thread that started it ends."""

    def __init__(self, launch: Launch, channel: Channel) -> None:
        """Start it; raises ``SandboxUnavailable``."""
        self.greeting = interpreter.code()
        self.worker_pid: int | None = None
        line = channel.their_socket.fileno()
        try:
            self._process = subprocess.Popen(
                [*launch.argv, str(line)],
                env=dict(launch.env),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=channel.their_stderr,
                stderr=channel.their_stderr,
                pass_fds=(line, *launch.fds),
                start_new_session=True,  # Ctrl-C on the terminal is for us alone
            )
        except OSError as error:
            raise SandboxUnavailable(f"Cannot start a worker with {launch.argv[0]}: {error.strerror}.") from error

    def above(self, pid: int) -> list[int]:
        """Return the parent of the worker, where that is not the judge or the program that the judge started."""
        return [parent for parent in [parent_of(pid)] if parent not in {os.getpid(), self._process.pid}]

    def wait(self, timeout_s: float) -> int:
        """Reap it and return its exit code; bwrap tells a signal as 128 + its number."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(str(error)) from error
        return status if status <= 128 else 128 - status

    def kill(self) -> None:
        """Kill the program."""
        self._process.kill()
