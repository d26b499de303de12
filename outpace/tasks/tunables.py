"""Parameters that a program declares to be tunable, each in a comment on the line where its value stands.

::

    BLOCK = 64  # tunable: 16, 32, 64, 128
    THRESHOLD = 0.3  # tunable: 0.0 .. 1.0
    RATE = 0.01  # tunable: 1e-4 .. 1.0 log
    DEPTH = 3  # tunable: 1 .. 8
    #define TILE 16  // tunable: 8, 16, 32

The same in any language with line comments. A declaration that cannot be read is no error of the program: it tunes
nothing, and ``Declared.unread`` says why. All of this is done with text from outside: it never raises for any.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from outpace.errors import MarkerError
from outpace.tasks.candidate import Candidate, blocks, changeable

Value = bool | int | float | str
TUNABLES = "tunables"
"""The operator of briefs whose values are chosen already, by a strategy."""
VALUES = "values"
"""Where such a brief gives them: a mapping by the names of tunables."""
MOST = 16
"""Tunables of a program; further ones are not read."""
CHOICES = 64
"""Choices of one tunable."""
LARGEST = 1e12
"""Numbers are at most this large, and where the scale is logarithmic at least 1 / ``LARGEST``."""
LINE = 400
"""Characters of a line that is read."""
DIGITS = 6
"""Significant digits of a float that is written."""
_SIGN = "tunable:"
_DECLARED = re.compile(r"(?://+|#+|--|!|%|;)[ \t]*tunable:(?P<domain>.*)$", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(?:#(?!\s*define\b)|//|--|!|%|;|\*|/\*)")
_DEFINE = re.compile(r"\s*#\s*define\s+(?P<name>\w+)\s")
_ASSIGNED = re.compile(r"(?<![=<>!+\-*/%&|^:~@])=(?!=)")
_LITERAL = re.compile(
    r"""(?<![\w"'])(?P<text>"[^"\\]*"|'[^'\\]*')(?!["'])
    |(?<![\w.])(?P<word>True|False|true|false)(?!\w)
    |(?<![\w.])(?P<number>0[xX][0-9a-fA-F]+|(?:\d[\d_]*(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
     (?P<suffix>[fFlLuU]{1,3}|[iuf](?:8|16|32|64|128|size))?(?![\w.])""",
    re.VERBOSE,
)
_NUMBER = r"[+-]?(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"(?P<low>{_NUMBER})\s*\.\.\s*(?P<high>{_NUMBER})(?P<log>\s+log)?")
_CHOICE = re.compile(
    rf"""\s*(?P<one>"[^"\\]*"|'[^'\\]*'|True|False|true|false|[+-]?0[xX][0-9a-fA-F]+|{_NUMBER})\s*(?:,|$)"""
)
_LEADS = "=(,[{:?"
"""What may stand right before a minus sign that belongs to a number."""
_OPERATORS = _LEADS + "*/+<>%&|"


@dataclass(frozen=True, slots=True)
class Choices:
    """A few values, each with the text that stands for it."""

    values: tuple[Value, ...]
    texts: tuple[str, ...]

    def holds(self, value: Value) -> bool:
        """Return whether it is one of these."""
        return any(_kind(value) == _kind(one) and value == one for one in self.values)

    def write(self, value: Value) -> str:
        """Return the text of one of these."""
        return self.texts[self.values.index(value)]


@dataclass(frozen=True, slots=True)
class Range:
    """All numbers from ``low`` to ``high``, both included; ``whole`` ones only; ``log``: steps are factors."""

    low: float
    high: float
    whole: bool = False
    log: bool = False

    def holds(self, value: Value) -> bool:
        """Return whether it lies in the range."""
        return _kind(value) == "number" and not isinstance(value, str) and self.low <= value <= self.high

    def rounded(self, value: float) -> float:
        """Return ``value`` with the digits that are written, within the range."""
        if self.whole:
            return int(min(max(round(value), self.low), self.high))
        size = abs(value) if self.log else self.high - self.low
        places = DIGITS - math.ceil(math.log10(size)) if size > 0 else DIGITS
        return float(min(max(round(value, places), self.low), self.high))

    def write(self, value: Value) -> str:
        """Return the text of a number."""
        return str(int(value)) if self.whole else repr(float(value))


Domain = Choices | Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunable:
    """One value that may be tuned: characters ``start`` to ``end`` of a file. ``name`` is unique in its program.

    ``suffix`` is the type that is written to its number (``64u``); ``bare`` tells that a minus sign needs no
    parentheses there.
    """

    name: str
    path: str
    start: int
    end: int
    value: Value
    domain: Domain
    suffix: str = ""
    bare: bool = True

    def write(self, value: Value) -> str:
        """Return the text of ``value`` in this place."""
        text = self.domain.write(value) + self.suffix
        return f"({text})" if text.startswith("-") and not self.bare else text


@dataclass(frozen=True, slots=True)
class Declared:
    """What a program declares. ``key`` names the program with its values taken out; ``unread`` says what is wrong."""

    candidate: Candidate
    tunables: tuple[Tunable, ...]
    unread: tuple[str, ...]
    key: str

    @property
    def values(self) -> dict[str, Value]:
        """The values as they stand, by name."""
        return {one.name: one.value for one in self.tunables}

    def write(self, values: Mapping[str, Value]) -> Candidate:
        """Return the program with other values.

        Raises ``ValueError`` where ``values`` are not those of the tunables, or one lies outside of what is declared.
        """
        if values.keys() != self.values.keys() or not all(one.domain.holds(values[one.name]) for one in self.tunables):
            raise ValueError(f"The program declares {', '.join(self.values) or 'nothing'}, and was given {values}.")
        files = dict(self.candidate.files)
        for one in reversed(self.tunables):
            text = files[one.path]
            files[one.path] = text[: one.start] + one.write(values[one.name]) + text[one.end :]
        return Candidate(files)


class _Unread(Exception):
    """A declaration that cannot be read, and why."""


@lru_cache(maxsize=64)  # the strategy looks, then the proposer
def declared(candidate: Candidate) -> Declared:
    """Return the tunables of a program: those of its evolve blocks, or all where it has no markers."""
    found: list[Tunable] = []
    unread: list[str] = []
    for path, number, start, line in _lines(candidate):
        try:
            one = _read(line)
        except _Unread as why:
            unread.append(f"line {number}{'' if len(candidate.files) == 1 else f' of {path}'}: {why}")
            continue
        if one is None:
            continue
        if len(found) == MOST:
            unread.append(f"line {number}: a program has at most {MOST} tunables")
            continue
        name = _unique(one.name, {other.name for other in found})
        found.append(replace(one, name=name, path=path, start=start + one.start, end=start + one.end))
    return Declared(candidate, tuple(found), tuple(unread), _key(candidate, found))


def _lines(candidate: Candidate) -> Iterator[tuple[str, int, int, str]]:
    """Yield path, number (from 1), offset and text of each line that may change and speaks of a tunable."""
    if not any(_SIGN in text.lower() for text in candidate.files.values()):
        return
    try:
        inside = {path: blocks(candidate.files[path]) for path in changeable(candidate.files)}
    except MarkerError:
        return
    for path, parts in inside.items():
        start = 0
        for number, line in enumerate(candidate.files[path].split("\n"), 1):
            if _SIGN in line.lower() and (not parts or any(one.start < number < one.end for one in parts)):
                yield path, number, start, line
            start += len(line) + 1


def _read(line: str) -> Tunable | None:
    """Return the tunable of one line with places within it, None for a line that is all comment; raises ``_Unread``."""
    if len(line) > LINE:
        raise _Unread(f"a line with a tunable has at most {LINE} characters")
    comment = _DECLARED.search(line)
    if comment is None or _COMMENT.match(line):
        return None
    code = line[: comment.start()]
    define = _DEFINE.match(code)
    assigned = _ASSIGNED.search(code)
    if define:
        name, first = define.group("name"), define.end()
    elif assigned:
        name, first = _name(code[: assigned.start()]), assigned.end()
    else:
        raise _Unread("expected NAME = VALUE before the comment")
    found = _literal(code, first, bare=not define)
    domain = _domain(comment.group("domain").strip(), found.value)
    if not domain.holds(found.value):
        raise _Unread(f"its value {found.value!r} is none of those that are declared")
    return replace(found, name=name, domain=domain)


def _name(head: str) -> str:
    """Return the name before an equals sign: the last word, or the last before a colon and a type."""
    words = re.findall(r"\w+", re.split(r"(?<!:):(?!:)", head)[0])
    return words[-1] if words else "value"


def _unique(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(new for number in range(2, MOST + 2) if (new := f"{name} ({number})") not in taken)


def _literal(code: str, first: int, *, bare: bool) -> Tunable:
    """Return the place and the value of the only literal of ``code`` from ``first`` on; raises ``_Unread``.

    A minus sign belongs to its number, and so do parentheses around a number that are not those of a call.
    ``bare`` tells whether a minus sign may stand at the very beginning.
    """
    found = list(_LITERAL.finditer(code, first))
    if len(found) != 1:
        raise _Unread(f"expected one value after the name, found {len(found) or 'none'}")
    (one,) = found
    start, end = one.span()
    if one.group("number") is None:
        return _place(start, end, _value(one.group()))
    value, suffix = _number(one.group("number")), one.group("suffix") or ""
    before = code[first:start].rstrip()
    if before.endswith("-") and _ends(before[:-1], _OPERATORS):
        start, value, before = first + len(before) - 1, -value, before[:-1]
    before, after = before.rstrip(), code[end:]
    if before.endswith("(") and after.lstrip().startswith(")") and not re.search(r"[\w)\]>}]\s*\($", before):
        start, end = first + len(before) - 1, end + after.index(")") + 1
        before = before[:-1].rstrip()
    return replace(_place(start, end, value), suffix=suffix, bare=_ends(before, _LEADS) and (bare or bool(before)))


def _place(start: int, end: int, value: Value) -> Tunable:
    return Tunable(name="", path="", start=start, end=end, value=value, domain=Choices((), ()))


def _ends(text: str, signs: str) -> bool:
    """Return whether a text is empty or ends with one of ``signs``."""
    return not text.strip() or text.rstrip()[-1] in signs


def _value(text: str) -> Value:
    """Return what a literal stands for."""
    if text[0] in "\"'":
        return text[1:-1]
    return text.lower() == "true" if text.lower() in ("true", "false") else _number(text)


def _number(text: str) -> int | float:
    if "x" in text.lower():
        return int(text, 16)
    text = text.replace("_", "")
    return float(text) if set(text) & set(".eE") else int(text)


def _domain(text: str, value: Value) -> Domain:
    """Return what is declared of a value; raises ``_Unread``."""
    if matched := _RANGE.fullmatch(text):
        return _range(
            _value(matched.group("low")), _value(matched.group("high")), value, log=bool(matched.group("log"))
        )
    texts: list[str] = []
    at = 0
    while at < len(text):
        one = _CHOICE.match(text, at)
        if one is None:
            raise _Unread("expected choices (16, 32, 64) or a range (0.0 .. 1.0, perhaps with log after it)")
        texts.append(one.group("one"))
        at = one.end()
    values = [_value(one) for one in texts]
    _check_choices(values, value)
    return Choices(tuple(values), tuple(texts))


def _check_choices(values: Sequence[Value], value: Value) -> None:
    if {_kind(one) for one in values} - {_kind(value)}:
        raise _Unread(f"the choices are not all of the kind of its value, a {_kind(value)}")
    if not 2 <= len(values) <= CHOICES or len(set(values)) < len(values):
        raise _Unread(f"expected 2 to {CHOICES} different choices")
    if any(_too_large(one) for one in values):
        raise _Unread(f"numbers are at most {LARGEST:.0e}")


def _range(low: Value, high: Value, value: Value, *, log: bool) -> Range:
    if isinstance(low, str) or isinstance(high, str) or _kind(value) != "number":
        raise _Unread(f"a range is for numbers, and its value is a {_kind(value)}")
    if _too_large(low) or _too_large(high) or not low < high:
        raise _Unread(f"expected a range from a smaller to a larger number, of at most {LARGEST:.0e}")
    if log and low < 1 / LARGEST:
        raise _Unread(f"a range with log begins above 0, at {1 / LARGEST:.0e} or more")
    whole = all(isinstance(one, int) for one in (low, high, value))
    return Range(low, high, whole=whole, log=log)


def _kind(value: Value) -> str:
    return "truth value" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _too_large(value: Value) -> bool:
    return not isinstance(value, str) and not abs(value) <= LARGEST


def in_words(values: Mapping[str, Value]) -> str:
    """Return values as text, by their names."""
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _key(candidate: Candidate, tunables: Sequence[Tunable]) -> str:
    """Return 12 hex digits that programs share which differ in the values of their tunables only; "" without any."""
    if not tunables:
        return ""
    digest = hashlib.sha256()
    for path, text in candidate.files.items():
        at, parts = 0, [path]
        for one in (one for one in tunables if one.path == path):
            parts.append(text[at : one.start])
            at = one.end
        digest.update("\0".join([*parts, text[at:], ""]).encode())
    return digest.hexdigest()[:12]
