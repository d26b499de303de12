"""Limits without isolation, for code that you trust."""

import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox import confined_worker, interpreter
from outpace.sandbox.base import Job
from outpace.sandbox.confined_worker import ConfinedWorker
from outpace.sandbox.launch import Launch, environment, rlimits
from outpace.sandbox.seccomp import filter_program


class ProcessSandbox:
    """A plain child process with limits, an empty environment and a folder of its own.

    It may read every file that you may read: for trusted code, asked for by name. The system-call filter is that of the
    isolated sandboxes (no network, no further processes), so that what runs here runs there.
    """

    name = "process"
    isolated = False

    def probe(self) -> None:
        """Raise ``SandboxUnavailable`` where a worker cannot be started."""
        self.missing(())

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Return those of ``packages`` that a worker cannot import."""
        job = Job(files={}, entry="", limits=Limits())
        found: list[str] = confined_worker.ask(self._launch(job), job.limits, "find", list(packages))
        return found

    async def start(self, job: Job) -> ConfinedWorker:
        """Start a worker; raises ``SandboxUnavailable``."""
        return await confined_worker.start(self._launch(job), job)

    def _launch(self, job: Job) -> Launch:
        if sys.platform != "linux":
            raise SandboxUnavailable(f"The sandbox 'process' runs on Linux only; this is {platform.system()}.")
        program = filter_program(allow_exec=False)
        scratch = Path(tempfile.mkdtemp(prefix="outpace-"))
        folder = str(scratch / "work")
        return Launch(
            argv=interpreter.command(),
            env=environment(job, folder),
            folder=folder,
            filter=program,
            rlimits=rlimits(job.limits),
            die_with_parent=True,
            scratch=scratch,
        )
