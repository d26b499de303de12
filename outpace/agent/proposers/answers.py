"""The parts of a model's answer: SEARCH/REPLACE blocks, the same as JSON, fenced code, and the words around them."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from outpace.errors import ProposalError
from outpace.tasks.candidate import PROGRAM

MAX_THOUGHT = 2000  # characters
_SEARCH = re.compile(r"\s*<{4,}\s*SEARCH\s*$")
_DIVIDER = re.compile(r"\s*={7}\s*$")
_REPLACE = re.compile(r"\s*>{4,}\s*REPLACE\s*$")
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
_THINKING = re.compile(r"\s*<think(ing)?>")
_THOUGHT_END = re.compile(r"</think(ing)?>")
_NAME = re.compile(
    r"\s*(#+\s)?[*`]{0,3}(file(name)?:?\s)?\s*[*`]{0,3}(?P<path>[\w.-]+(/[\w.-]+)*\.\w+)[*`:]{0,5}\s*", re.IGNORECASE
)
_LONGEST_NAME = 200  # characters of a line that may name a file
_PYTHON = {"python", "python3", "py"}
_JSON_FORM = '{"thought": "…", "edits": [{"search": "…", "replace": "…"}]}'


class EditError(ProposalError):
    """An answer that cannot be applied: the reason in one line.

    ``excerpt`` holds numbered lines of the program that help to do better, "" where there are none.
    """

    def __init__(self, reason: str, excerpt: str = "") -> None:
        self.excerpt = excerpt
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Replacement:
    """One SEARCH/REPLACE block, in lines without their ends; ``file`` is the path that the answer names for it."""

    search: tuple[str, ...]
    replace: tuple[str, ...]
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Fence:
    """Fenced text: lines ``start`` to ``end`` of the answer (from 0, half open, fences included).

    ``file`` is the path that the answer names for it.
    """

    start: int
    end: int
    info: str
    text: str
    file: str | None = None


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


def schema_of(paths: Sequence[str]) -> dict[str, Any]:
    """Return the JSON schema of an answer in the form ``json`` that changes files at ``paths``.

    The program alone needs no name. No keyword beyond those that every endpoint's strict mode takes, so no lengths: an
    answer that does not end is cut off at the token limit.
    """
    text = {"type": "string"}
    edit: dict[str, Any] = {"search": text, "replace": text}
    if list(paths) != [PROGRAM]:
        edit = {"file": {"type": "string", "enum": list(paths)}, **edit}
    item = {"type": "object", "properties": edit, "required": list(edit), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"thought": text, "edits": {"type": "array", "items": item}},
        "required": ["thought", "edits"],
        "additionalProperties": False,
    }


def json_of(answer: str) -> dict[str, Any] | None:
    """Return an answer in the form ``json`` (alone, or in a fence), None for one in another form.

    Only that it is a JSON object with ``edits`` is checked. Raises ``EditError`` for one that begins like it and is no
    JSON.
    """
    if '"edits"' not in answer:
        return None
    texts = (text.strip() for text in (answer, *(fence.text for fence in fences_of(answer))))
    text = next((text for text in texts if text.startswith("{") and '"edits"' in text), None)
    if text is None:
        return None
    try:
        given = json.loads(text, strict=False)  # constrained decoding lets control characters through
    except (ValueError, RecursionError) as error:
        raise EditError(f"The answer is no valid JSON: {error}. Expected {_JSON_FORM}.") from None
    return given if isinstance(given, dict) and "edits" in given else None


def replacements_of(answer: str) -> list[Replacement]:
    """Return the SEARCH/REPLACE blocks in order, or those of JSON; raises ``EditError`` where one is malformed."""
    if (given := json_of(answer)) is not None:
        return _given(given["edits"])
    lines = answer.split("\n")
    return [
        _replacement(lines[start + 1 : end], number, closed, _name_before(lines, start)[0])
        for number, (start, end, closed) in enumerate(_spans(lines), 1)
    ]


def _given(edits: object) -> list[Replacement]:
    """Return the replacements of an answer in JSON, whatever a schema has promised."""
    if not isinstance(edits, list) or not edits:
        raise EditError(f"The answer holds no edit: 'edits' must be a list of at least one. Expected {_JSON_FORM}.")
    return [_given_one(edit, number) for number, edit in enumerate(edits, 1)]


def _given_one(edit: object, number: int) -> Replacement:
    if not isinstance(edit, dict):
        raise EditError(f"Edit {number} is no JSON object. Expected {_JSON_FORM}.")
    search, replace, file = edit.get("search"), edit.get("replace"), edit.get("file")
    if not isinstance(search, str) or not isinstance(replace, str) or not isinstance(file, str | None):
        raise EditError(f"Edit {number} lacks a text 'search' or 'replace', or its 'file' is no text.")
    if not search.strip():
        raise EditError(f"Edit {number} is empty: 'search' must hold lines of the program, to be found and replaced.")
    return Replacement(_lines(search), _lines(replace), file)


def _lines(text: str) -> tuple[str, ...]:
    text = text.replace("\r\n", "\n").removesuffix("\n")
    return tuple(text.split("\n")) if text else ()


def _name_before(lines: Sequence[str], start: int) -> tuple[str | None, int]:
    """Return the path that the line before line ``start`` names, and that line; blank lines and a fence may be between.

    A path is a name with a suffix that stands alone on its line, as ``lib/fast.py``, ``**lib/fast.py**`` or
    ``### File: lib/fast.py`` do.
    """
    fenced = False
    for index in range(start - 1, -1, -1):
        line = lines[index]
        if len(line) <= _LONGEST_NAME and (named := _NAME.fullmatch(line)):
            return named["path"], index
        if fence := None if fenced else _FENCE.match(line):
            fenced = True
            if path := _named_in(fence["info"]):
                return path, index
        elif line.strip():
            break
    return None, start


def _named_in(info: str) -> str | None:
    """Return the path in the words after an opening fence: ``python lib/fast.py``."""
    words = info.split()
    named = _NAME.fullmatch(words[-1]) if words and len(words[-1]) <= _LONGEST_NAME else None
    return named["path"] if named else None


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


def _replacement(lines: Sequence[str], number: int, closed: bool, file: str | None) -> Replacement:
    dividers = [index for index, line in enumerate(lines) if _DIVIDER.match(line)]
    if not closed or not dividers:
        missing = "'>>>>>>> REPLACE'" if dividers else "'======='"
        raise EditError(f"SEARCH block {number} is incomplete: there is no line {missing} after it.")
    if len(dividers) > 1:
        raise EditError(f"SEARCH block {number} holds {len(dividers)} lines '=======': expected one between its parts.")
    search, replace = _unfenced(lines[: dividers[0]]), _unfenced(lines[dividers[0] + 1 :])
    if not any(line.strip() for line in search):
        raise EditError(f"SEARCH block {number} is empty: it must hold lines of the program, to be found and replaced.")
    return Replacement(tuple(search), tuple(replace), file)


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
    text, info = "".join(f"{line}\n" for line in lines[start + 1 : end]), opening["info"].strip()
    file = _named_in(info) or _name_before(lines, start)[0]
    return Fence(start, min(end + 1, len(lines)), info, text, file)


def code_of(answer: str) -> str | None:
    """Return the largest fenced part, of those marked as Python if there are any; None where nothing is fenced."""
    return code_among(fences_of(answer))


def code_among(found: Sequence[Fence]) -> str | None:
    """Return the largest of these parts, of those marked as Python if there are any; None where there is none."""
    marked = [fence for fence in found if fence.info.lower().split(" ")[0] in _PYTHON]
    return max((fence.text for fence in marked or found), key=len, default=None)


def thought_of(answer: str) -> str:
    """Return the words around edits and fenced code, or the thought of JSON, at most ``MAX_THOUGHT`` characters."""
    given = json_of(answer)
    words = str(given.get("thought", "")).strip() if given is not None else _words_of(answer)
    return words if len(words) <= MAX_THOUGHT else words[: MAX_THOUGHT - 1] + "…"


def _words_of(answer: str) -> str:
    given = answer.split("\n")  # names are looked for in it: what is taken out below looks like blank lines
    lines = given.copy()
    for start, end, _ in _spans(given):
        first = _name_before(given, start)[1]
        lines[first : end + 1] = [""] * (min(end + 1, len(lines)) - first)
    for fence in fences_of("\n".join(lines)):
        first = _name_before(given, fence.start)[1]
        lines[first : fence.end] = [""] * (fence.end - first)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()
