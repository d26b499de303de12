"""The parts of a model's answer: SEARCH/REPLACE blocks, fenced code, and the words around them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outpace.errors import ProposalError

MAX_THOUGHT = 2000  # characters
_SEARCH = re.compile(r"\s*<{4,}\s*SEARCH\s*$")
_DIVIDER = re.compile(r"\s*={7}\s*$")
_REPLACE = re.compile(r"\s*>{4,}\s*REPLACE\s*$")
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
_THINKING = re.compile(r"\s*<think(ing)?>")
_THOUGHT_END = re.compile(r"</think(ing)?>")
_PYTHON = {"python", "python3", "py"}


class EditError(ProposalError):
    """An answer that cannot be applied: the reason in one line.

    ``excerpt`` holds numbered lines of the program that help to do better, "" where there are none.
    """

    def __init__(self, reason: str, excerpt: str = "") -> None:
        self.excerpt = excerpt
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Replacement:
    """One SEARCH/REPLACE block, in lines without their ends."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fence:
    """Fenced text: lines ``start`` to ``end`` of the answer (from 0, half open, fences included)."""

    start: int
    end: int
    info: str
    text: str


def without_thinking(answer: str) -> str:
    """Return the answer without the thoughts that some models write before it, between ``<think>`` and ``</think>``.

    The opening tag may be missing (chat templates put it into the prompt); then the closing one stands on its own line,
    and in no edit and no fence: there it is part of the program.
    """
    if _THINKING.match(answer):
        closing = _THOUGHT_END.search(answer)
        return answer[closing.end() :] if closing else ""
    lines = answer.split("\n")
    parts = [(start, end) for start, end, closed in _spans(lines) if closed]
    parts += [(fence.start, fence.end) for fence in fences_of(answer)]
    for index, line in enumerate(lines):
        if _THOUGHT_END.fullmatch(line.strip()) and not any(start <= index < end for start, end in parts):
            return "\n".join(lines[index + 1 :])
    return answer


def replacements_of(answer: str) -> list[Replacement]:
    """Return the SEARCH/REPLACE blocks in order; raises ``EditError`` where one is malformed."""
    lines = answer.split("\n")
    return [
        _replacement(lines[start + 1 : end], number, closed)
        for number, (start, end, closed) in enumerate(_spans(lines), 1)
    ]


def _spans(lines: Sequence[str]) -> Iterator[tuple[int, int, bool]]:
    """Yield the lines of each block's SEARCH marker and its end, and whether that is a REPLACE marker."""
    start: int | None = None
    for index, line in enumerate(lines):
        if _SEARCH.match(line):
            if start is not None:
                yield start, index, False
            start = index
        elif start is not None and _REPLACE.match(line):
            yield start, index, True
            start = None
    if start is not None:
        yield start, len(lines), False


def _replacement(lines: Sequence[str], number: int, closed: bool) -> Replacement:
    dividers = [index for index, line in enumerate(lines) if _DIVIDER.match(line)]
    if not closed or not dividers:
        missing = "'>>>>>>> REPLACE'" if dividers else "'======='"
        raise EditError(f"SEARCH block {number} is incomplete: there is no line {missing} after it.")
    if len(dividers) > 1:
        raise EditError(f"SEARCH block {number} holds {len(dividers)} lines '=======': expected one between its parts.")
    search, replace = _unfenced(lines[: dividers[0]]), _unfenced(lines[dividers[0] + 1 :])
    if not any(line.strip() for line in search):
        raise EditError(f"SEARCH block {number} is empty: it must hold lines of the program, to be found and replaced.")
    return Replacement(tuple(search), tuple(replace))


def _unfenced(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines without a fence around the whole of them."""
    fenced = len(lines) >= 2 and _FENCE.match(lines[0]) and re.fullmatch(r"\s*(`{3,}|~{3,})\s*", lines[-1])
    return lines[1:-1] if fenced else lines


def fences_of(answer: str) -> list[Fence]:
    """Return the fenced parts in order; one that is never closed reaches to the end."""
    found: list[Fence] = []
    opened: tuple[int, re.Match[str]] | None = None
    lines = answer.split("\n")
    for index, line in enumerate(lines):
        if opened is None:
            match = _FENCE.match(line)
            opened = (index, match) if match else None
        elif _closes(line, opened[1]["fence"]):
            found.append(_fence(lines, *opened, index))
            opened = None
    return found if opened is None else [*found, _fence(lines, *opened, len(lines))]


def _closes(line: str, fence: str) -> bool:
    mark = line.strip()
    return len(mark) >= len(fence) and mark == fence[0] * len(mark)


def _fence(lines: Sequence[str], start: int, opening: re.Match[str], end: int) -> Fence:
    text = "".join(f"{line}\n" for line in lines[start + 1 : end])
    return Fence(start, min(end + 1, len(lines)), opening["info"].strip(), text)


def code_of(answer: str) -> str | None:
    """Return the largest fenced part, of those marked as Python if there are any; None where nothing is fenced."""
    found = fences_of(answer)
    marked = [fence for fence in found if fence.info.lower().split(" ")[0] in _PYTHON]
    return max((fence.text for fence in marked or found), key=len, default=None)


def thought_of(answer: str) -> str:
    """Return the words around edits and fenced code, at most ``MAX_THOUGHT`` characters."""
    lines = answer.split("\n")
    for start, end, _ in _spans(lines):
        lines[start : end + 1] = [""] * (min(end + 1, len(lines)) - start)
    for fence in fences_of("\n".join(lines)):
        lines[fence.start : fence.end] = [""] * (fence.end - fence.start)
    words = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()
    return words if len(words) <= MAX_THOUGHT else words[: MAX_THOUGHT - 1] + "…"
