"""One process at a time carries a run on: a lock on a file beside the database, which dies with its holder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from outpace.errors import StoreError

TRIES, PAUSE_S = 10, 0.02  # outlasts a short look of ``is_held``, which takes the lock for a moment


@contextmanager
def hold(database: Path, run: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the run of this database until the block ends; ``StoreError`` if another process does, for ``wait_s``."""
    path, deadline = _path(database, run), time.monotonic() + wait_s
    try:
        while (file := _lock(path)) is None and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
    except OSError as error:
        raise StoreError(f"Cannot lock run {run} with the file {path}: {error.strerror}.") from error
    if file is None:
        raise StoreError(f"Run {run} is being run by another process{_who(path)}. Wait for it, or stop that one first.")
    try:
        with suppress(OSError):  # the disk may be full; the number only helps whoever comes second
            os.truncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # while we still hold it: nobody else can have got it
        os.close(file)


def is_held(database: Path, run: str) -> bool:
    """Return whether a living process holds the run."""
    try:
        file = os.open(_path(database, run), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _path(database: Path, run: str) -> Path:
    return database.with_name(f"{database.name}.{run}.lock")


def _lock(path: Path) -> int | None:
    """Return the open, locked file; None if somebody else holds it."""
    for _ in range(TRIES):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
                return file  # else its last holder removed it between our open and our lock: open the new one
        except BlockingIOError:
            time.sleep(PAUSE_S)
        except BaseException:
            os.close(file)
            raise
        os.close(file)
    return None


def _who(path: Path) -> str:
    try:
        holder = path.read_text().strip()
    except OSError:
        return ""
    return f" (process {holder})" if holder.isdigit() else ""
