"""Where an imported task comes from: ``FORMAT:PATH``, with options behind a question mark."""

import hashlib
import importlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from platformdirs import user_cache_path

from outpace.errors import TaskError, UnknownName, UsageError

FORMATS = {
    "algotune": "a checkout of AlgoTune, or a task's folder in it",
    "eoh": "a folder with a problem class of EoH",
    "funsearch": "a file with @funsearch.evolve and @funsearch.run",
    "gpumode": "a checkout of GPU MODE's reference kernels, or a problem's folder in it",
    "kernelbench": "a checkout of KernelBench, or a problem's file in it",
    "llm4ad": "a folder with an evaluation class of LLM4AD",
    "openevolve": "a folder with initial_program.py and evaluator.py",
    "shinka": "a folder with initial.py and evaluate.py",
}
"""What the path of each format leads to, by the name of its module in this package."""
Files = Mapping[str, bytes]
"""The files of a task folder: path below it to content."""
_CROSSING = ("program.py", "driver.py", "support/")
"""What of a task folder a sandbox sees."""
_KEY = re.compile(
    rb"""(?i)\bapi[_-]?key["']?\s*[:=]\s*["']?(?=[\w-]*\d)[\w-]{20,}["']?\s*(?:$|[,})#\r\n])|\bsk-[\w-]{20,}"""
)


@dataclass(frozen=True, slots=True)
class Source:
    """What a text such as ``algotune:~/AlgoTune/svm?n=100`` says."""

    format: str
    path: Path
    options: Mapping[str, str] = field(default_factory=dict)

    def option(self, name: str, default: str) -> str:
        """Return an option as it was given, or the default."""
        return self.options.get(name, default)

    def whole(self, name: str, default: int | None = None) -> int | None:
        """Return an option that is a whole number from 1 on; raises ``UsageError``."""
        given = self.options.get(name)
        if given is None:
            return default
        if not (given.isascii() and given.isdecimal() and int(given) > 0):
            raise UsageError(f"Option '{name}' of {self.format}: got '{given:.40}', expected a whole number from 1 on.")
        return int(given)

    def switch(self, name: str, *, default: bool) -> bool:
        """Return an option that is ``yes`` or ``no``; raises ``UsageError``."""
        given = self.options.get(name)
        if given not in ("yes", "no", None):
            raise UsageError(f"Option '{name}' of {self.format}: got '{given:.40}', expected yes or no.")
        return default if given is None else given == "yes"


class Importer(Protocol):
    """What a module of this package offers."""

    OPTIONS: Mapping[str, str]
    """The options that it takes, each with one line that says what it expects."""

    def tasks(self, path: Path) -> list[str]:
        """Return what there is below ``path``, each as the rest of a path to be given to ``files``, sorted.

        ``path`` is a checkout, a part of it, or a single task (then the one text is empty).

        Raises:
            TaskError: there is no such thing; which file or folder was looked for.
        """

    def files(self, source: Source) -> Files:
        """Return the task folder that this task makes; raises ``TaskError`` with what is missing."""


def is_source(text: str) -> bool:
    """Tell whether a text names a task in another format."""
    head, colon, _ = text.partition(":")
    return bool(colon) and head.isidentifier()


def split(text: str) -> tuple[str, str, str]:
    """Return format, path and the rest of ``FORMAT:PATH?OPTIONS``: the question mark with what follows, or ""."""
    name, _, rest = text.partition(":")
    place, mark, query = rest.partition("?")
    return name, place, mark + query


def parsed(text: str) -> Source:
    """Return what a text ``FORMAT:PATH?NAME=VALUE&NAME=VALUE`` says.

    Raises:
        UnknownName: there is no such format, or no such option of it.
        UsageError: no path is given, or an option without a value.
    """
    name, place, query = split(text)
    if name not in FORMATS:
        raise UnknownName("format", name, FORMATS)
    try:
        options = dict(parse_qsl(query[1:], strict_parsing=True, keep_blank_values=True)) if query else {}
    except ValueError:
        raise UsageError(
            f"Cannot read the options '{query[1:]:.80}' of '{name}'; expected NAME=VALUE&NAME=VALUE."
        ) from None
    if not place:
        raise UsageError(f"'{text}' names no folder; expected {name}:PATH, the path of {FORMATS[name]}.")
    for option in options:
        if option not in (known := importer(name).OPTIONS):
            raise UnknownName(f"option of {name}", option, known)
    return Source(name, Path(place).expanduser(), options)


def importer(name: str) -> Importer:
    """Return the importer of a format."""
    found: Importer = importlib.import_module(f"outpace.tasks.importers.{name}")
    return found


def listed(text: str) -> list[str]:
    """Return the tasks below ``FORMAT:PATH``, each as a text that names it alone; raises ``TaskError``."""
    source = parsed(text)
    _, _, query = split(text)
    head = f"{source.format}:{str(source.path).rstrip('/')}"
    found = importer(source.format).tasks(source.path)
    return [f"{head}/{name}{query}" if name else f"{head}{query}" for name in found]


def folder_of(text: str) -> Path:
    """Return a task folder made of ``FORMAT:PATH``, below the cache of this user, named after all that it holds.

    Raises:
        TaskError: there is no such task; what is missing.
    """
    source = parsed(text)
    files = _made(source)
    place = user_cache_path("outpace") / "imported" / source.format
    folder = place / _digest(files)
    if folder.is_dir():
        return folder
    try:
        place.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".", dir=place))
        write(files, made)
        made.chmod(0o755)
        try:
            made.rename(folder)
        except OSError:  # another process was quicker: what it made is the same
            if not folder.is_dir():
                raise
    except OSError as error:
        raise TaskError(f"Cannot write the imported task below {place}: {error.strerror}.") from error
    return folder


def _made(source: Source) -> Files:
    """Return the task folder of a source; raises ``TaskError`` also where a candidate would see a key in it."""
    files = importer(source.format).files(source)
    for name, content in files.items():
        if name.startswith(_CROSSING) and (found := _KEY.search(content)):
            line = content.count(b"\n", 0, found.start()) + 1
            raise TaskError(
                f"{source.path}: {name}:{line} of the task made of it seems to hold a key, and candidates see that "
                "file; take the key out, or move the file to another folder"
            )
    return files


def write(files: Files, folder: Path) -> None:
    """Write the files of a task folder into one that is there; raises ``OSError``."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def written(text: str, folder: Path) -> list[str]:
    """Write the task of ``FORMAT:PATH`` into a new folder; return the paths of its files.

    Raises:
        TaskError: there is no such task.
        UsageError: something is there already, or it cannot be written.
    """
    if os.path.lexists(folder):
        raise UsageError(
            f"Cannot write the task '{folder}': it exists already. Nothing was changed; give another path."
        )
    source = parsed(text)
    files = _made(source)
    try:
        folder.mkdir(parents=True)
        write(files, folder)
    except OSError as error:
        raise UsageError(f"Cannot write the task '{folder}': {error.strerror} ({error.filename}).") from error
    return sorted(files)


def _digest(files: Files) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]
