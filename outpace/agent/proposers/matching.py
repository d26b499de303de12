"""Where the SEARCH lines of an edit stand in a program, and what stands nearest where they do not."""

import difflib
from collections import Counter
from collections.abc import Callable, Sequence

from outpace.agent.proposers.answers import EditError, Replacement
from outpace.errors import MarkerError
from outpace.tasks.candidate import blocks

_MARGIN = 3  # lines shown before and after the nearest ones
_SHOWN = 60  # lines shown at most

Shift = tuple[str, str]
"""Indentation to add to the lines of an edit, and indentation to take from them; one of the two is empty."""


def lines_of(text: str) -> list[str]:
    """Return the lines with their ends; only a line feed ends a line (a form feed is part of one)."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def replaced(text: str, replacement: Replacement, place: str) -> str:
    """Return ``text`` with the SEARCH lines replaced where they stand.

    An exact match counts first, then one that ignores white space at line ends, then one whose indentation differs by
    the same amount on all lines (the new lines are shifted likewise); each only where it is the only one in the evolve
    blocks. ``place`` names the edit in errors.

    Raises:
        EditError: no match, several, or one outside of the evolve blocks.
    """
    lines = lines_of(text)
    allowed = _allowed(text, len(lines))
    size = len(replacement.search)
    for alike, how in ((_bare, ""), (str.rstrip, " up to white space"), (str.strip, " up to indentation")):
        shifts = _places(lines, replacement, alike)
        inside = [start for start in shifts if any(low <= start and start + size <= high for low, high in allowed)]
        if len(inside) > 1:
            numbers = ", ".join(str(start + 1) for start in inside[:5]) + (", …" if len(inside) > 5 else "")
            remedy = "Give more lines around it, so that it is the only one."
            raise EditError(f"{place} matches {len(inside)} places{how}: at lines {numbers}. {remedy}")
        if inside:
            return _with(lines, inside[0], replacement, shifts[inside[0]])
        if shifts:
            where = f"It stands at line {min(shifts) + 1}, outside of the evolve block: only its inside may change."
            raise EditError(f"{place} cannot be applied. {where}")
    raise EditError(f"{place} matches nothing: its lines are not in the program.", nearest(text, replacement.search))


def _allowed(text: str, size: int) -> list[tuple[int, int]]:
    """Return the spans of lines (from 0, half open, markers included) in which an edit may match."""
    try:
        return [(block.start - 1, block.end) for block in blocks(text)] or [(0, size)]
    except MarkerError as error:
        raise EditError(f"The markers of the program do not pair up: line {error.line}: {error.reason}.") from None


def _places(lines: Sequence[str], replacement: Replacement, alike: Callable[[str], str]) -> dict[int, Shift]:
    """Return where the SEARCH lines stand, if lines are equal that ``alike`` makes equal, and how they are shifted."""
    have, wanted = [alike(line) for line in lines], [alike(line) for line in replacement.search]
    size = len(wanted)
    starts = [start for start, line in enumerate(have) if line == wanted[0] and have[start : start + size] == wanted]
    if alike is not str.strip:
        return dict.fromkeys(starts, ("", ""))
    shifts = {start: _shifted(lines[start : start + size], replacement) for start in starts}
    return {start: shift for start, shift in shifts.items() if shift is not None}


def _bare(line: str) -> str:
    return line.removesuffix("\n")


def _shifted(lines: Sequence[str], replacement: Replacement) -> Shift | None:
    """Return by how much the indentation differs, None where it is not the same on all lines."""
    shift: Shift | None = None
    for line, wanted in zip(lines, replacement.search, strict=True):
        if not line.strip():
            continue
        is_, asked = _indentation(line), _indentation(wanted)
        if is_.endswith(asked):
            this = (is_[: len(is_) - len(asked)], "")
        elif asked.endswith(is_):
            this = ("", asked[: len(asked) - len(is_)])
        else:
            return None
        if shift not in (None, this):
            return None
        shift = this
    if shift and any(line.strip() and not line.startswith(shift[1]) for line in replacement.replace):
        return None
    return shift


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _with(lines: Sequence[str], start: int, replacement: Replacement, shift: Shift) -> str:
    """Return the text with the lines from ``start`` on replaced, in the line ends of those that go."""
    end = start + len(replacement.search)
    ending = "\r\n" if all(line.endswith("\r\n") for line in lines[start:end]) else "\n"
    new = [(shift[0] + line.removeprefix(shift[1]) if line.strip() else line) + ending for line in replacement.replace]
    if new and end == len(lines) and not lines[-1].endswith("\n"):
        new[-1] = new[-1].removesuffix(ending)
    return "".join([*lines[:start], *new, *lines[end:]])


def nearest(text: str, search: Sequence[str]) -> str:
    """Return the lines of ``text`` that come nearest to ``search``, numbered, with a few around them.

    The place is where most lines agree (up to white space at both ends), else where one line is most similar to the
    longest line of ``search``; "" where nothing is similar.
    """
    have, wanted = [line.strip() for line in text.split("\n")], [line.strip() for line in search]
    known: dict[str, list[int]] = {}
    for index, line in enumerate(have):
        if line:
            known.setdefault(line, []).append(index)
    votes = Counter(place - index for index, line in enumerate(wanted) for place in known.get(line, ()))
    if votes:
        offset = min(votes, key=lambda start: (-votes[start], start))
    else:
        longest = max(wanted, key=len)
        similar = difflib.get_close_matches(longest, known, n=1, cutoff=0.4)
        if not similar:
            return ""
        offset = known[similar[0]][0] - wanted.index(longest)
    return numbered(text, offset - _MARGIN, offset + len(wanted) + _MARGIN)


def numbered(text: str, start: int, end: int) -> str:
    """Return lines ``start`` to ``end`` of ``text`` (from 0, half open, cut to what exists), numbered from 1."""
    lines = text.rstrip("\n").split("\n")
    start = max(0, start)
    chosen = lines[start : min(end, start + _SHOWN)]
    width = len(str(start + len(chosen)))
    return "".join(f"{number:>{width}} | {line.rstrip()}\n" for number, line in enumerate(chosen, start + 1))


def indented_like(old: str, new: str) -> str:
    """Return ``new`` moved right to the indentation of ``old`` where it has none itself."""
    margin = _margin(old)
    if not margin or _margin(new):
        return new
    return "".join(margin + line if line.strip() else line for line in lines_of(new))


def _margin(text: str) -> str:
    return min((_indentation(line) for line in text.split("\n") if line.strip()), key=len, default="")
