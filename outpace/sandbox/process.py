"""Limits without isolation, for code that you trust."""

import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox import confined_worker, interpreter, level
from outpace.sandbox.base import Containment, Job
from outpace.sandbox.confined_worker import ConfinedWorker
from outpace.sandbox.launch import Launch, environment, rlimits
from outpace.sandbox.seccomp import filter_program

LACKING = (
    "its workers are plain processes of yours with limits, for code that you trust. "
    "Remedy: a sandbox that isolates, such as zygote, bubblewrap or docker"
)


class ProcessSandbox:
    """A plain child process with limits, an empty environment and a folder of its own.

    It may read every file that you may read: for trusted code, asked for by name. The system-call filter is that of the
    isolated sandboxes (no network, no further processes), so that what runs here runs there.
    """

    name = "process"

    def probe(self) -> Containment:
        """Start a worker and stop it; tell what holds it, at best level D. Raises ``SandboxUnavailable``."""
        job = Job(files={}, entry="")
        return replace(level.probe(self._launch(job), job.limits), level="D", lacking=LACKING)

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Return those of ``packages`` that a worker cannot import."""
        job = Job(files={}, entry="", limits=Limits())
        found: list[str] = confined_worker.ask(self._launch(job), job.limits, "find", list(packages))
        return found

    async def start(self, job: Job) -> ConfinedWorker:
        """Start a worker; raises ``SandboxUnavailable``."""
        return await confined_worker.start(self._launch(job), job)

    def close(self) -> None:
        """Do nothing: no worker outlives its job, and nothing is kept warm."""

    def _launch(self, job: Job) -> Launch:
        if sys.platform != "linux":
            raise SandboxUnavailable(f"The sandbox 'process' runs on Linux only; this is {platform.system()}.")
        programs = job.may_start_programs
        program = filter_program(allow_exec=programs, allow_fork=programs)
        scratch = Path(tempfile.mkdtemp(prefix="outpace-"))
        folder = str(scratch / "work")
        return Launch(
            argv=interpreter.command(),
            env=environment(job, folder),
            folder=folder,
            filter=program,
            rlimits=rlimits(job.limits),
            artefacts=job.artefacts,
            die_with_parent=True,
            scratch=scratch,
        )
