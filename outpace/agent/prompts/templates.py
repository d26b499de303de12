"""The template files of prompts: ours, and those of a task or a user that replace them.

Templates are Jinja2, in a sandboxed environment. ``{% extends "outpace/user.md.j2" %}`` leads to ours, so that a file
may change a block of it and keep the rest.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from outpace.errors import UnknownName, UsageError
from outpace.tasks.spec import Task

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

NAMES = tuple(sorted(path.name for path in Path(__file__).parent.glob("*.j2")))
FOLDER = "prompts"
"""Where a task folder keeps templates of its own."""


class Templates:
    """The templates that a run uses: of each name the one of the first folder that has it, or ours."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Look into ``folders``; raises ``UsageError`` for one that is not there, or a file of no name of ours."""
        self.folders = tuple(folders)
        self._environment = _environment(self.folders)
        for folder in self.folders:
            for path in _files(folder):
                self._parsed(path)

    def render(self, name: str, **facts: object) -> str:
        """Return a template filled in; raises ``UsageError`` with file and line where it cannot be."""
        from jinja2 import TemplateError

        try:
            return self._environment.get_template(name).render(**facts).strip("\n") + "\n"
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            path, line = self._place(error, name)
            why, known = str(error).rstrip("."), ", ".join(sorted(facts))
            raise UsageError(
                f"{path}:{line}: the prompt cannot be rendered: {why}. Given to {name}: {known}."
            ) from None

    def _parsed(self, path: Path) -> None:
        from jinja2 import TemplateSyntaxError

        if path.name not in NAMES:
            raise UsageError(f"{path.parent}: {UnknownName('prompt', path.name, NAMES)}")
        try:
            self._environment.compile(path.read_text(encoding="utf-8"), path.name, str(path))
        except TemplateSyntaxError as error:
            raise UsageError(f"{path}:{error.lineno}: not a Jinja template: {error.message}.") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: byte {error.start} is not UTF-8 text.") from None
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}.") from None

    def _place(self, error: Exception, name: str) -> tuple[str, int]:
        """Return file and line of an error: the innermost of ours that it passed through."""
        path, line = name, getattr(error, "lineno", None) or 0
        trace = error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if file.endswith(".j2"):
                path, line = file, trace.tb_lineno
            trace = trace.tb_next
        return path, line


def templates_of(task: Task, chosen: str | None = None) -> Templates:
    """Return the templates for a task: those of the folder that a user has chosen, then the task's own, then ours.

    Raises ``UsageError`` for a folder that is not there, a file of an unknown name, or one that is no template.
    """
    folders = [] if chosen is None else [Path(chosen).expanduser()]
    own = task.folder / FOLDER if task.folder else None
    if own is not None and own.is_dir():
        folders.append(own)
    return Templates(folders)


def fence(text: str, language: str = "") -> str:
    """Return ``text`` in a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    mark = "`" * max(3, longest + 1)
    ending = "" if text.endswith("\n") or not text else "\n"
    return f"{mark}{language}\n{text}{ending}{mark}"


def figure(value: float) -> str:
    """Return a number as prompts show it."""
    return f"{value:.6g}"


@cache
def ours() -> Templates:
    """Return the templates that come with Outpace."""
    return Templates()


def _environment(folders: Sequence[Path]) -> "SandboxedEnvironment":
    from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    own = PackageLoader("outpace.agent.prompts", ".")
    environment = SandboxedEnvironment(
        loader=ChoiceLoader([*map(FileSystemLoader, folders), own, PrefixLoader({"outpace": own})]),
        undefined=StrictUndefined,
        autoescape=False,  # prompts are plain text: HTML escapes would change programs
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"fence": fence, "figure": figure}
    return environment


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "is not there"
        raise UsageError(f"The folder of prompts '{folder}' {what}. Expected a folder with any of: {', '.join(NAMES)}.")
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.name.endswith("~"))
