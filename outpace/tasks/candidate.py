"""A candidate is a program: its files and nothing else; its id is the hash of its files."""

import ast
import hashlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from outpace.errors import MarkerError

PROGRAM = "program.py"
BLOCK_START = "EVOLVE-BLOCK-START"
BLOCK_END = "EVOLVE-BLOCK-END"

_COMMENT = r"(?:#+|//+|/\*+|\*|--+|%+|<!--|;+|!|\(\*)"
_MARKER = re.compile(rf"^\s*{_COMMENT}\s*({BLOCK_START}|{BLOCK_END})(?![\w-])")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_DIRECTIVE = re.compile(r"^\s*#\s*(?:pythran\b|cython\b|distutils\b|language: )", re.MULTILINE)
_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Candidate:
    """``files`` maps relative POSIX paths to text; ``id`` is the first 16 hex digits of their SHA-256."""

    files: Mapping[str, str]
    id: str = field(init=False)

    def __post_init__(self) -> None:
        """Freeze the files and derive the id from them."""
        files = dict(sorted(self.files.items()))
        digest = hashlib.sha256()
        for path, text in files.items():
            for part in (path, text):
                data = part.encode()
                digest.update(len(data).to_bytes(8, "big") + data)
        object.__setattr__(self, "files", MappingProxyType(files))
        object.__setattr__(self, "id", digest.hexdigest()[:16])

    @property
    def program(self) -> str:
        """Text of the main file, ``program.py``."""
        return self.files[PROGRAM]

    @property
    def shape(self) -> str:
        """16 hex digits that candidates share which differ in nothing that runs: the same program, written otherwise.

        Comments, formatting and docstrings of Python files do not count; other files count by their text, as does what
        does not parse, what speaks to a compiler in its comments (``# pythran export``), and what says that it is of
        another language (``# language: r``), for that may parse all the same. Another version of Python may see
        another shape: then the two are taken for different programs.
        """
        digest = hashlib.sha256()
        for path, text in self.files.items():
            for part in (path, _normalised(text) if path.endswith(".py") else text):
                data = part.encode()
                digest.update(len(data).to_bytes(8, "big") + data)
        return digest.hexdigest()[:16]

    def with_program(self, text: str) -> "Candidate":
        """Return a candidate that differs only in ``program.py``."""
        return Candidate({**self.files, PROGRAM: text})

    def __hash__(self) -> int:
        """Hash by id, as equality of files implies equality of ids."""
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a program that may be changed.

    ``start`` and ``end`` are the lines of its two markers, counted from 1; ``text`` is what stands between them, whole
    lines with their line ends.
    """

    start: int
    end: int
    text: str


def blocks(text: str) -> list[Block]:
    """Return the evolve blocks of a program, in order; an empty list where there are no markers at all.

    A marker is a line that holds nothing but a comment (``#``, ``//``, ``/*``, ``--``, ``%``, ``<!--``, ``;``, ``!``,
    ``(*``) whose first word is ``EVOLVE-BLOCK-START`` or ``EVOLVE-BLOCK-END``; what follows the word does not matter.

    Raises:
        MarkerError: a block inside a block, an end without a start, or a start without an end.
    """
    found: list[Block] = []
    lines = _LINE.findall(text)
    start = 0
    for number, line in enumerate(lines, 1):
        word = _marker(line)
        if word == BLOCK_START:
            if start:
                raise MarkerError(number, f"{BLOCK_START} inside the block of line {start}; expected {BLOCK_END} first")
            start = number
        elif word == BLOCK_END:
            if not start:
                raise MarkerError(number, f"{BLOCK_END} without a {BLOCK_START} before it")
            found.append(Block(start, number, "".join(lines[start : number - 1])))
            start = 0
    if start:
        raise MarkerError(start, f"{BLOCK_START} without a {BLOCK_END} after it")
    return found


def changeable(files: Mapping[str, str]) -> tuple[str, ...]:
    """Return the paths of the files that may change: those with evolve blocks, or all where none has any.

    Raises ``MarkerError`` where the markers of a file do not pair up.
    """
    marked = tuple(path for path, text in files.items() if blocks(text))
    return marked or tuple(files)


def replace_block(text: str, index: int, new: str) -> str:
    """Return ``text`` with the inside of its block number ``index`` (from 0) replaced; every other byte stays.

    A missing line end after ``new`` is added, so that the end marker keeps its own line.

    Raises:
        MarkerError: the markers of ``text`` do not pair up, or ``new`` holds a marker (its line counts within ``new``).
        IndexError: there is no such block.
    """
    for number, line in enumerate(_LINE.findall(new), 1):
        if word := _marker(line):
            raise MarkerError(number, f"the new text of a block holds the marker {word}; markers stay as they are")
    block = blocks(text)[index]
    lines = _LINE.findall(text)
    ending = "\n" if new and not new.endswith("\n") else ""
    return "".join([*lines[: block.start], new + ending, *lines[block.end - 1 :]])


@lru_cache(maxsize=256)  # a program is looked up several times on its way
def _normalised(text: str) -> str:
    """Return the syntax tree of a Python file as text, without its docstrings; the file itself where that cannot be."""
    if _DIRECTIVE.search(text):
        return text
    try:
        with warnings.catch_warnings():  # a candidate's odd escapes are its own affair
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        parts: list[str] = []
        _write(tree, parts)
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text


def _write(node: ast.AST, parts: list[str]) -> None:
    """Write a syntax tree down, without docstrings; quicker than ``ast.dump``, for every candidate comes this way."""
    parts.append(type(node).__name__)
    if isinstance(node, ast.Constant):
        parts.append(ascii(node.value))  # and not its kind: u"text" is "text"
        return
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            if name != "ctx":  # it follows from where the name stands
                _write(value, parts)
        elif isinstance(value, list):
            parts.append("[")
            for item in value[1:] if name == "body" and _is_documented(node) else value:
                if isinstance(item, ast.AST):
                    _write(item, parts)
                else:
                    parts.append(ascii(item))
            parts.append("]")
        else:
            parts.append(ascii(value))


def _is_documented(node: ast.AST) -> bool:
    return isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None


def _marker(line: str) -> str | None:
    match = _MARKER.match(line)
    return match.group(1) if match else None
