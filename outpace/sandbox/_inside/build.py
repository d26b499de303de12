"""A compile stage: run the job's build command in the folder of the candidate, and gather the files that it made.

The worker that does this imports nothing of the candidate's; it is confined like any other, but may start programs.
"""

from __future__ import annotations

import errno
import os
import sys

from .landlock import call

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    import subprocess
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

HEAD_BYTES, TAIL_BYTES = 1200, 2400
"""How much of what the command printed is kept: from its beginning (the first error) and from its end."""
MAX_FILES = 2000
MAX_PRINTED_BYTES = 64 << 20
ABSENT = "is not installed where candidates run"
"""In the error of a build whose program does not exist: the host's fault, not the candidate's."""
TEMPORARY = ".tmp"
"""The folder for temporary files, below the candidate's; what is left there is no artefact."""
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/cuda/bin"
"""Where programs are looked for, after this interpreter under the name ``python``."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SIGKILL, _SIGTERM = 9, 15
_ROUNDS = 200


class BuildFailed(Exception):
    """The command failed, or printed or made too much; the text holds what it printed, in part."""


def run(command: Sequence[str], folder: str, max_bytes: int) -> dict[str, bytes]:
    """Run ``command`` in ``folder`` and return the regular files that it made or changed, by relative path.

    Nothing that it started is left when this returns, or soon after this process has died. No link is followed.
    Raises ``BuildFailed``.
    """
    before = dict(_contents(folder, max_bytes))
    for path in before:
        os.utime(f"{folder}/{path}", (0, 0))  # caches that compare times (numba's) then hold for the run stage as well
    _run(command, folder)
    made: dict[str, bytes] = {}
    size = 0
    for path, content in _contents(folder, max_bytes):
        if before.get(path) == content:
            continue
        size += len(path) + len(content)
        if size > max_bytes or len(made) == MAX_FILES:
            raise BuildFailed(
                f"The build made too much: more than {MAX_FILES} files or {max_bytes >> 20} MB. "
                "Let it remove what the program does not need."
            )
        made[path] = content
    return made


def _run(command: Sequence[str], folder: str) -> None:
    """Have a keeper run the command: it takes in what that leaves behind, and hears when this process dies."""
    os.makedirs(f"{folder}/{TEMPORARY}", exist_ok=True)  # noqa: PTH103
    answer, keepers_answer = os.pipe()
    worker = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        _keep(command, folder, keepers_answer, worker)
    os.close(keepers_answer)
    with os.fdopen(answer, "rb") as line:
        text = line.read()
    os.waitpid(keeper, 0)
    if text != b"done":
        raise BuildFailed(text.decode(errors="replace") or "The build command killed the process that watches over it.")


def _keep(command: Sequence[str], folder: str, answer: int, worker: int) -> NoReturn:
    """Run the command, kill all that it leaves, answer and end; also when the worker dies first."""
    import signal

    try:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_kill_children()))
        call("prctl", _PR_SET_CHILD_SUBREAPER, 1)
        call("prctl", _PR_SET_PDEATHSIG, _SIGTERM)
        if os.getppid() == worker:
            os.write(answer, _outcome(command, folder).encode(errors="replace"))
    finally:
        os._exit(_kill_children())


def _outcome(command: Sequence[str], folder: str) -> str:
    """Run the command; return "done" or what went wrong."""
    import subprocess

    try:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return _unstartable(command[0], folder, error)
    said, reason = _watch(process)
    _kill_children()
    code = process.returncode
    if reason is None and code == 0:
        return "done"
    reason = reason or (f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}")
    shown = " ".join(command)
    return f"The build command '{shown:.300}' {reason}." + (f" It printed:\n{said}" if said else "")


def _watch(process: subprocess.Popen[bytes]) -> tuple[str, str | None]:
    """Read what is printed until the command ends; return it shortened, and why to stop the command if so."""
    import select
    import time

    assert process.stdout is not None
    line = process.stdout.fileno()
    os.set_blocking(line, False)
    poll = select.poll()
    poll.register(line, select.POLLIN)
    head, tail, printed, open_ = b"", b"", 0, True
    while printed <= MAX_PRINTED_BYTES:
        poll.poll(50) if open_ else time.sleep(0.02)
        gone = process.poll() is not None
        while open_ and printed <= MAX_PRINTED_BYTES and (data := _available(line)) is not None:
            open_ = bool(data)
            printed += len(data)
            head += data[: HEAD_BYTES - len(head)]
            tail = (tail + data)[-TAIL_BYTES:]
        if gone:
            return _shortened(head, tail, printed), None
    return _shortened(head, tail, printed), f"printed more than {MAX_PRINTED_BYTES >> 20} MB"


def _shortened(head: bytes, tail: bytes, printed: int) -> str:
    if printed <= len(head):
        text = head
    elif printed <= len(head) + len(tail):
        text = head + tail[len(head) - printed :]
    else:
        text = head + b"\n[...]\n" + tail
    return text.decode(errors="replace").strip()


def _available(line: int) -> bytes | None:
    """Return what can be read at once: nothing at the end of the line, None if there is nothing yet."""
    try:
        return os.read(line, 1 << 16)
    except BlockingIOError:
        return None


def _kill_children() -> int:
    """Kill all that was started, and what that started, until nothing is left; return 0, for an exit code.

    What gets away from this (there is no /proc, or it forks faster than we look) ends with the worker, by the PID
    namespace or the control group.
    """
    import time

    for _ in range(_ROUNDS):
        for pid in _children():
            try:
                os.kill(pid, _SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            break
        time.sleep(0.001)
    return 0


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:  # noqa: PTH123
            return list(map(int, file.read().split()))
    except OSError:
        return []


def _environment(folder: str) -> dict[str, str]:
    """Return the worker's own environment, with this interpreter first on PATH under the name ``python``."""
    tools = f"{folder}/{TEMPORARY}/bin"
    os.makedirs(tools, exist_ok=True)  # noqa: PTH103
    for name in ("python", "python3"):
        if not os.path.lexists(f"{tools}/{name}"):
            os.symlink(sys.executable, f"{tools}/{name}")  # noqa: PTH211
    packages = [path for path in sys.path if path.endswith("-packages")]
    return {
        **os.environ,
        "PATH": f"{tools}:{PATH}",
        "TMPDIR": f"{folder}/{TEMPORARY}",
        "PYTHONPATH": ":".join(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }


def _unstartable(program: str, folder: str, error: OSError) -> str:
    if error.errno == errno.ENOENT and not os.path.lexists(f"{folder}/{program}"):
        return (
            f"The program '{program}' of the build command {ABSENT} (PATH is {PATH}). Install it on the host, or in "
            "the image of the Docker sandbox; gcc, g++ and make come with the Debian package build-essential."
        )
    return f"The build command '{program}' cannot be started: {error.strerror}."


def _contents(folder: str, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the regular files below ``folder``, one more byte at most than ``max_bytes`` each."""
    for parent, folders, names in os.walk(folder):
        if parent == folder:
            folders[:] = [name for name in folders if name != TEMPORARY]
        folders.sort()
        for name in sorted(names):
            content = _content(f"{parent}/{name}", max_bytes)
            if content is not None:
                yield _named(f"{parent}/{name}".removeprefix(f"{folder}/")), content


def _content(path: str, max_bytes: int) -> bytes | None:
    """Return what a regular file holds, None for anything else: links, pipes, and what cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(file, "rb") as stream:
        if os.fstat(file).st_mode & 0o170000 != 0o100000:
            return None
        return stream.read(max_bytes + 1)


def _named(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise BuildFailed(f"The build made a file whose name is no Unicode text: {os.fsencode(path)!r:.200}.") from None
    return path
