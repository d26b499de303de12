"""What of this host a compile stage needs to see beside what a worker sees: headers, and places of compilers."""

import sysconfig
from functools import cache
from pathlib import Path

PLACES = ("/usr/local/cuda",)
"""Where compilers lie that may be links to folders outside of the system's own."""


@cache
def readable_paths() -> tuple[Path, ...]:
    """Return the folders to mount for a build: the interpreter's headers, for C extensions, and those of ``PLACES``."""
    wanted = [sysconfig.get_path("include"), sysconfig.get_path("platinclude"), *PLACES]
    found = (Path(path).resolve() for path in wanted if path and Path(path).exists())
    return tuple(dict.fromkeys(found))


__all__ = ["PLACES", "readable_paths"]
