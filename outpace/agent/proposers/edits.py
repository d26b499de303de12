"""From a model's answer to a candidate.

Three forms are understood: SEARCH/REPLACE blocks, the same as JSON, and the new program (or the inside of its evolve
block) in a fence. Whatever the form, only the inside of the evolve blocks changes; every other byte stays. A program
without markers may change as a whole.

A candidate may have several files. A block or a fence is for the file that is named before it, and for the program
where none is; JSON names it in ``file``. Files with evolve blocks may change, or all where none has any; no file comes
or goes.
"""

import dis
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import CodeType
from typing import Any

from outpace.agent.proposal import EditMode
from outpace.agent.proposers import matching
from outpace.agent.proposers.answers import (
    EditError,
    Replacement,
    code_among,
    code_of,
    fences_of,
    json_of,
    replacements_of,
    schema_of,
    thought_of,
    without_thinking,
)
from outpace.errors import MarkerError
from outpace.tasks.candidate import PROGRAM, Candidate, blocks, changeable, replace_block

MAX_PROGRAM = 1_000_000  # characters; more is no program but an accident
_AROUND = 3  # lines shown before and after one that does not parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What an answer amounts to: the new candidate, the form it came in, and what the answer says besides."""

    candidate: Candidate
    mode: EditMode
    thought: str


def apply(answer: str, parent: Candidate, *, entry: str | None = None, language: str = "python") -> Edit:
    """Apply a model's answer to ``parent``.

    ``entry`` is the function that must still be there, checked where ``language`` is Python.

    Raises:
        EditError: nothing to apply, no unique match, a change outside the evolve blocks, no change, or text that does
            not parse. Its ``excerpt`` is what the model should see to do better.
    """
    answer = without_thinking(answer.replace("\r\n", "\n"))
    if not answer.strip():
        raise EditError("The answer holds no edit: it is empty, apart from thoughts perhaps.")
    found = replacements_of(answer)
    mode: EditMode = "whole" if not found else "diff" if json_of(answer) is None else "json"
    files = _replaced(parent.files, found, mode) if found else _rewritten(parent.files, answer, language)
    changed = {path: text for path, text in files.items() if text != parent.files[path]}
    if not changed:
        raise EditError("No change: the program after the edit is the program before it.")
    for path, text in changed.items():
        _check_text(text)
        if language == "python" and path.endswith(".py"):
            _check_python(text, path, entry if path == PROGRAM else None)
    bare = not found and code_of(answer) is None  # the answer is nothing but the program
    candidate = Candidate({**parent.files, **changed})
    return Edit(candidate=candidate, mode=mode, thought="" if bare else thought_of(answer))


def schema_for(parent: Candidate) -> dict[str, Any]:
    """Return the JSON schema that an answer in the form ``json`` is to fit."""
    try:
        return schema_of(changeable(parent.files))
    except MarkerError:
        return schema_of([PROGRAM])


def _replaced(files: Mapping[str, str], found: Sequence[Replacement], mode: EditMode) -> dict[str, str]:
    """Apply replacements in order, each to what the ones before left."""
    texts = dict(files)
    for number, replacement in enumerate(found, 1):
        place = f"Edit {number}" if mode == "json" else f"SEARCH block {number}"
        path = _meant(files, replacement.file, place)
        place += f" (for {path})" if path != PROGRAM else ""
        text = matching.replaced(texts[path], replacement, place)
        if _outside(text, f"After {place} the markers no longer pair up") != _outside(files[path]):
            raise EditError(f"{place} changes the program outside of the evolve block: only its inside may change.")
        texts[path] = text
    return texts


def _meant(files: Mapping[str, str], named: str | None, place: str) -> str:
    """Return the path of the file that an edit is for; refuse one that is not there, or not to be changed."""
    if len(files) == 1 or named is None:
        named = PROGRAM  # whatever the only file is called
    path = named.removeprefix("./")
    if path not in files:
        raise EditError(
            f"{place} is for '{path}', which is not there: the files are {', '.join(files)}; none may be added."
        )
    try:
        allowed = changeable(files)
    except MarkerError as error:
        raise EditError(f"The markers of the program do not pair up: line {error.line}: {error.reason}.") from None
    if path not in allowed:
        raise EditError(f"{place} is for '{path}', which stays as it is: only {', '.join(allowed)} may change.")
    return path


def _outside(text: str, broken: str = "The markers of the program do not pair up") -> list[str]:
    """Return what stands before, between and after the blocks, markers included; an empty list without markers."""
    try:
        found, lines = blocks(text), matching.lines_of(text)
    except MarkerError as error:
        raise EditError(f"{broken}: line {error.line}: {error.reason}.") from None
    starts, ends = [0, *(block.end - 1 for block in found)], [*(block.start for block in found), len(lines)]
    return ["".join(lines[start:end]) for start, end in zip(starts, ends, strict=True)] if found else []


def _rewritten(files: Mapping[str, str], answer: str, language: str) -> dict[str, str]:
    """Put whole new files, or the new insides of their blocks, in the place of the old ones."""
    if len(files) == 1:
        return {PROGRAM: _rewritten_one(files[PROGRAM], code_of(answer), answer, language)}
    fences = fences_of(answer)
    named: dict[str, str | None] = {
        _meant(files, one.file, "A fence"): one.text for one in fences if one.file is not None
    }
    if PROGRAM not in named and (code := code_among([one for one in fences if one.file is None])) is not None:
        named[_meant(files, None, "A fence without a name")] = code
    if not named:
        named[_meant(files, None, "The answer")] = None
    return dict(files) | {path: _rewritten_one(files[path], code, answer, language) for path, code in named.items()}


def _rewritten_one(program: str, code: str | None, answer: str, language: str) -> str:
    """Put a whole new text, or the new inside of the block, in the place of the old one; without code, the answer."""
    if code is None:
        if language == "python" and not _is_program(answer):
            raise EditError("The answer holds no edit: expected SEARCH/REPLACE blocks or a program in a ``` fence.")
        code = answer.strip("\n") + "\n"
    if not code.strip():
        raise EditError("The answer holds an empty program.")
    if len(code) > MAX_PROGRAM:
        raise EditError(f"The program is too long: {len(code)} characters, at most {MAX_PROGRAM} are taken.")
    try:
        old, new = blocks(program), blocks(code)
    except MarkerError as error:
        raise EditError(f"The markers of the program do not pair up: line {error.line}: {error.reason}.") from None
    if not old:
        return code
    if new:
        _check_same_outside(program, code)
        inside = [block.text for block in new]
    elif len(old) == 1:
        inside = [_inside_of(program, code)]
    else:
        raise EditError(f"The program has {len(old)} evolve blocks: give the whole file, with all its markers.")
    for index, text in enumerate(inside):
        program = replace_block(program, index, text)
    return program


def _check_same_outside(program: str, code: str) -> None:
    """Refuse a whole file that differs outside of the blocks by more than white space at line ends."""
    before, after = _outside(program) or [], _outside(code) or []
    if len(before) != len(after):
        count = f"The program has {len(before) - 1} evolve blocks, the answer {len(after) - 1}"
        raise EditError(f"{count}: keep all markers as they are.")
    was, now = ([line.rstrip() for line in "\n".join(parts).strip().split("\n")] for parts in (before, after))
    for old, new in zip_longest(was, now):
        if old != new:
            shown = (repr(line.strip()) if line is not None else "nothing" for line in (new, old))
            difference = f"First difference: {' in place of '.join(shown)}."
            raise EditError(f"The answer changes the program outside of the evolve block. {difference}")


def _inside_of(program: str, code: str) -> str:
    """Return the new inside of the only block from code without markers: a whole file, or the inside alone."""
    before, after = _outside(program) or ["", ""]
    head = _bare(matching.lines_of(before)[:-1])  # without the marker
    tail = _bare(matching.lines_of(after)[1:])
    lines = code.strip("\n").split("\n")
    bare = [line.rstrip() for line in lines]
    if len(bare) >= len(head) + len(tail) and bare[: len(head)] == head and bare[len(bare) - len(tail) :] == tail:
        lines = lines[len(head) : len(lines) - len(tail)]
    inside = "\n".join(lines).strip("\n")
    return matching.indented_like(blocks(program)[0].text, f"{inside}\n" if inside else "")


def _bare(lines: Sequence[str]) -> list[str]:
    """Return the lines without white space at their ends, and without blank ones at the start and at the end."""
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    return text.split("\n") if text else []


def _check_text(text: str) -> None:
    if len(text) > MAX_PROGRAM:
        raise EditError(f"The program is too long: {len(text)} characters, at most {MAX_PROGRAM} are taken.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EditError("The program holds half a surrogate pair: it cannot be written as UTF-8.") from None


def _check_python(text: str, path: str, entry: str | None) -> None:
    """Refuse what does not compile, and a program that lost its entry."""
    edited = "The edited program" if path == PROGRAM else f"The edited file {path}"
    try:
        code = _compiled(text)
    except SyntaxError as error:
        number = error.lineno or 1
        line = text.split("\n")[number - 1 : number]
        shown = f": '{line[0].strip()[:100]}'" if line else ""
        around = matching.numbered(text, number - 1 - _AROUND, number + _AROUND)
        raise EditError(f"{edited} does not parse: line {number}: {error.msg}{shown}.", around) from None
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        raise EditError(f"{edited} does not parse: {error or type(error).__name__}.") from None
    if entry and not {entry, "*"} & _names(code):
        raise EditError(f"The edited program no longer defines '{entry}', which is what gets called.")


def _compiled(text: str) -> CodeType:
    with warnings.catch_warnings():  # a candidate's odd escapes are its own affair
        warnings.simplefilter("ignore")
        return compile(text, PROGRAM, "exec", dont_inherit=True)


def _names(code: CodeType) -> set[str]:
    """Return the names that a module binds at its top level, ``*`` among them for a star import.

    Read off the compiled code, which is cheaper than a syntax tree.
    """
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("STORE_NAME", "STORE_GLOBAL")}
    return names | ({"*"} if ("*",) in code.co_consts else set())


def _is_program(text: str) -> bool:
    """Return whether a bare answer is Python that defines something: any single word is an expression, too."""
    try:
        return bool(_names(_compiled(text)) - {"__doc__"})
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
        return False
