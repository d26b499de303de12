"""Languages that programs of other tools are written in, told by the suffix of their files."""

from dataclasses import dataclass
from pathlib import Path

from outpace.errors import MarkerError, TaskError
from outpace.tasks.candidate import BLOCK_END, BLOCK_START, blocks


@dataclass(frozen=True, slots=True)
class Language:
    """A name as prompts and fences have it, and how a line of comment begins (and ends); "" where there is none."""

    name: str
    comment: str = ""
    comment_end: str = ""


PYTHON = Language("python", "#")
LANGUAGES = {
    ".py": PYTHON,
    ".c": Language("c", "//"),
    ".cc": Language("cpp", "//"),
    ".cpp": Language("cpp", "//"),
    ".cu": Language("cuda", "//"),
    ".f90": Language("fortran", "!"),
    ".go": Language("go", "//"),
    ".java": Language("java", "//"),
    ".jl": Language("julia", "#"),
    ".js": Language("javascript", "//"),
    ".json": Language("json"),
    ".r": Language("r", "#"),
    ".rs": Language("rust", "//"),
    ".sh": Language("bash", "#"),
    ".sv": Language("systemverilog", "//"),
    ".swift": Language("swift", "//"),
    ".ts": Language("typescript", "//"),
    ".v": Language("verilog", "//"),
    ".wl": Language("wolfram", "(*", " *)"),
}
"""By suffix, in lower case."""


def language_of(program: Path) -> Language:
    """Return the language of a program's file; raises ``TaskError`` for a suffix that is not known."""
    found = LANGUAGES.get(program.suffix.lower())
    if found is None:
        raise TaskError(
            f"{program}: the suffix '{program.suffix}' tells no language that is known; known: {', '.join(LANGUAGES)}"
        )
    return found


def marked(text: str, language: Language, path: Path) -> str:
    """Return a program with evolve blocks: its own, or all of it in one; and with a line that says its language.

    That line stands where a text of the language may look like Python, for then it does not count as Python.

    Raises:
        TaskError: its markers do not pair up, or it has none and the language no comments.
    """
    head, body = _parted(text, language)
    try:
        if blocks(text):
            return head + body
    except MarkerError as error:
        raise TaskError(f"{path}:{error.line}: {error.reason}") from None
    if not language.comment:
        raise TaskError(f"{path}: no {BLOCK_START}, and {language.name} has no comments to put one into")
    if not text.strip():
        raise TaskError(f"{path}: is empty; expected a program to begin with")
    start, end = (f"{language.comment} {word}{language.comment_end}" for word in (BLOCK_START, BLOCK_END))
    return f"{head}{start}\n{body.strip()}\n{end}\n"


def _parted(text: str, language: Language) -> tuple[str, str]:
    """Return what must stand above all blocks, and the rest."""
    if language.comment != "#" or language is PYTHON:
        return "", text
    first, newline, rest = text.partition("\n") if text.startswith("#!") else ("", "", text)
    said = f"# language: {language.name}\n"
    return f"{first}{newline}{said}", rest.removeprefix(said)
