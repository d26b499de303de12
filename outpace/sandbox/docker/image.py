"""What a container is made from: this host's own files, or an image that is built here when asked.

Nothing in this package asks the engine for an image that it does not have: a registry is contacted by the user's own
``docker pull`` only. ``python -m outpace.sandbox.docker --help`` tells how to build an image.
"""

import argparse
import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from outpace.errors import OutpaceError
from outpace.sandbox import view
from outpace.sandbox.docker.engine import Engine

HOST_ROOT = "outpace/host"
"""The name of the imported root into which this host's files are mounted; its tag is the hash of its content."""
TAG = "outpace-sandbox"
"""The name of an image built here, if none is given."""
_FOLDERS = ("dev", "etc", "proc", "run", "sys", "tmp", "usr")
_NEEDED = ("numpy", "msgpack")
_ARGUMENTS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
"""Settings of pip that a build takes over from the environment."""


@cache
def host_root() -> tuple[str, bytes]:
    """Return the name and the tar archive of a root that holds nothing but folders and the system's links."""
    links = [step for step in view.steps(()) if step.kind == "link"]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in _FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for step in links:
            entry = tarfile.TarInfo(str(step.path.relative_to("/")))
            entry.type, entry.linkname = tarfile.SYMTYPE, step.source
            archive.addfile(entry)
    return f"{HOST_ROOT}:{hashlib.sha256(data.getvalue()).hexdigest()[:12]}", data.getvalue()


def host_view(mounts: tuple[Path, ...]) -> tuple[tuple[tuple[Path, Path], ...], tuple[Path, ...]]:
    """Return what a container needs of this host: pairs of a path here and the path inside; and what to hide of it."""
    steps = view.steps(mounts)
    shown = tuple((Path(step.source), step.path) for step in steps if step.kind == "bind")
    return shown, tuple(step.path for step in steps if step.kind == "mask")


def build(base: str, requirements: Sequence[str], *, tag: str = TAG, network: str | None = None) -> str:
    """Build the image ``tag`` on ``base``, which the engine must have, with pip's ``requirements`` in it.

    ``network`` is the engine's network for pip (None: its default). Returns the id of the image.

    Raises:
        SandboxUnavailable: no engine, no such base image, or the build failed; the text says which.
    """
    engine = Engine()
    try:
        engine.image(base, remedy=f"docker pull {base}")
        text = Path(__file__).with_name("Dockerfile").read_text(encoding="utf-8")
        arguments = {name: os.environ[name] for name in _ARGUMENTS if name in os.environ}
        arguments |= {"BASE": base, "REQUIREMENTS": " ".join(requirements)}
        return engine.build(text, tag=tag, arguments=arguments, network=network)
    finally:
        engine.close()


def default_base() -> str:
    """Return the name of a small official image with the version of Python that runs here."""
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def pinned(names: Sequence[str]) -> list[str]:
    """Return ``names`` as requirements of the versions installed here; one that states a version stays as it is."""
    return [f"{name}=={_installed(name)}" if _installed(name) else name for name in names]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build an image from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m outpace.sandbox.docker", description="Build an image for candidates."
    )
    parser.add_argument(
        "--base", default=default_base(), help="image with the same minor version of Python (%(default)s)"
    )
    parser.add_argument("--tag", default=TAG, help="name of the new image (%(default)s)")
    parser.add_argument("--network", help="the engine's network for pip (default: the engine's default)")
    parser.add_argument("requirements", nargs="*", help="packages that programs import, beside numpy")
    given = parser.parse_args(arguments)
    try:
        wanted = pinned([*_NEEDED, *given.requirements])
        build(given.base, wanted, tag=given.tag, network=given.network)
    except OutpaceError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"Built {given.tag} with {' '.join(wanted)}. To use it: export OUTPACE_DOCKER_IMAGE={given.tag}")
    return 0


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except (PackageNotFoundError, ValueError):
        return None
