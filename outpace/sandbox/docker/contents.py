"""What is in a container, and what its worker may reach of it: this host's interpreter, or what an image holds."""

import os
import secrets
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path

from outpace.errors import SandboxUnavailable
from outpace.sandbox import interpreter, view
from outpace.sandbox.base import Job
from outpace.sandbox.bubblewrap import spare_uids
from outpace.sandbox.channel import MEGABYTE
from outpace.sandbox.docker import image
from outpace.sandbox.docker.meeting import FETCH, MEETING_PLACE
from outpace.sandbox.docker.recipe import Recipe
from outpace.sandbox.forking import DISK_FILES_PER_MB
from outpace.sandbox.launch import Launch, environment, rlimits
from outpace.sandbox.seccomp import filter_program

ZYGOTE_MB, PRELOADED_MB = 128, 512
"""What a container may use beside its worker: a zygote with numpy, and what else it was told to import."""
OWN_PROCESSES = 8
"""Processes and threads of a container that are not its worker's."""
_IN_IMAGES = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/opt", "/etc")
_ENGINES_OWN = (Path("/sys"), Path(MEETING_PLACE))


class Contents:
    """The contents of the containers of one sandbox: from ``image``, or from this host's own files (None)."""

    def __init__(self, image: str | None, runtime: str | None) -> None:
        """Name the image and the engine's runtime (None: its default)."""
        self.image, self.runtime = image, runtime

    def recipe(self, job: Job, image_id: str) -> Recipe:
        """Return how a container for ``job`` is made from the image with this id."""
        limits = job.limits
        memory_mb = limits.memory_mb + limits.disk_mb + ZYGOTE_MB + (PRELOADED_MB if job.preload else 0)
        mounts, hidden = self._view(job)
        return Recipe(
            image=image_id,
            command=self._command,
            user=self._user,
            environment=self._environment(job),
            mounts=mounts,
            hidden=hidden,
            folder=str(view.SCRATCH[0]),  # emptied after each worker
            disk_bytes=limits.disk_mb * MEGABYTE,
            disk_files=max(1, limits.disk_mb) * DISK_FILES_PER_MB,
            memory_bytes=memory_mb * MEGABYTE,
            processes=limits.processes + OWN_PROCESSES,
            cpus=limits.threads + 1,  # a bound on hogs; an honest worker must never feel it
            runtime=self.runtime,
        )

    def _view(self, job: Job) -> tuple[tuple[tuple[Path, Path], ...], tuple[Path, ...]]:
        if self.image is not None:
            return tuple((path.resolve(), path) for path in job.mounts), ()
        return image.host_view(view.mounts_of(job))

    def _environment(self, job: Job) -> tuple[tuple[str, str], ...]:
        env = environment(job, view.FOLDER)
        if self.image is not None and "PATH" not in job.env:
            del env["PATH"]  # the image's own counts
        return tuple(sorted(env.items()))

    @cached_property
    def _command(self) -> tuple[str, ...]:
        *options, text = interpreter.command()
        if self.image is not None:  # its packages are where its own ``site`` says
            options = ["python3", *(word for word in options[1:] if word != "-S")]
        return (*options, FETCH + text)

    def launch(self, job: Job) -> Launch:
        """Return how a worker is forked in it, and what it gives up there."""
        return Launch(
            env={},
            folder=view.FOLDER,
            filter=_filter(programs=job.may_start_programs),
            rlimits=rlimits(job.limits),
            landlock=self._reachable(job),
            artefacts=job.artefacts,
            control_group=False,
            disk_mb=job.limits.disk_mb,
        )

    def _reachable(self, job: Job) -> dict[str, list[str]]:
        rules = view.reachable(job)
        if self.image is None:
            return rules
        return {kind: [*paths, *(_IN_IMAGES if kind != "write" else ())] for kind, paths in rules.items()}

    @cached_property
    def _user(self) -> str:
        """The user of all containers: as root one that nobody else is, else ourselves, whom we may stop and pin."""
        uids = spare_uids(Path("/proc/self/uid_map").read_text()) if os.geteuid() == 0 else None
        uid, gid = (secrets.choice(uids),) * 2 if uids else (os.geteuid(), os.getegid())
        if uids and self.image is None:
            view.must_be_open(interpreter.readable_paths())
        return f"{uid}:{gid}"


def must_leave_room(mounts: Iterable[Path]) -> None:
    """Refuse mounts that would cover what a container has of its own."""
    for path in mounts:
        for own in _ENGINES_OWN:
            if own.is_relative_to(path):
                raise SandboxUnavailable(
                    f"{path} cannot be mounted: a container has its own {own}. Remedy: mount the folders below it"
                )


@cache
def _filter(*, programs: bool) -> bytes:
    return filter_program(allow_exec=programs, allow_fork=programs)
