"""The numbers of a program: which literals may be tuned, and how a program is written with other ones.

A *template* is a program with its tunable numbers taken out; all programs that differ in those numbers only share it.
It is made from the syntax tree once; writing a sample is joining strings, so that a sample costs microseconds.
"""

import ast
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from outpace.agent.proposers.operators.source import block_spans

GUARD = 1e-6
"""Literals smaller than this guard against division by zero and the like; they are not tuned."""
STRUCTURAL = {0.0, 1.0}
"""Floats in arithmetic that say what an expression is (1 - x, 1 / x), not how much of it; tuned where they are data."""
SIZES = {
    "range",
    "zeros",
    "ones",
    "empty",
    "full",
    "arange",
    "linspace",
    "reshape",
    "round",
    "enumerate",
    "eye",
    "repeat",
}
_SIGN = re.compile(rb"([+-])\s*\Z")


@dataclass(frozen=True, slots=True)
class Slot:
    """One tunable number: the bytes it takes, its value, and how it is written.

    ``joined`` tells that the bytes begin with the plus or minus sign that joins a term to a sum; ``bound`` that a
    negative number needs parentheses.
    """

    start: int
    end: int
    value: float
    whole: bool
    joined: bool = False
    bound: bool = False

    def write(self, value: float) -> str:
        """Return the text of ``value`` in this place."""
        text = str(round(value)) if self.whole else _float(value)
        if self.joined:
            return f"- {text[1:]}" if text.startswith("-") else f"+ {text}"
        return f"({text})" if self.bound and text.startswith("-") else text


@dataclass(frozen=True, slots=True)
class Template:
    """A program without its tunable numbers: ``pieces`` of text around ``slots``; ``key`` names it."""

    key: str
    pieces: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def values(self) -> tuple[float, ...]:
        """The numbers of the program that the template was made from."""
        return tuple(slot.value for slot in self.slots)

    def write(self, values: Sequence[float]) -> str:
        """Return the program with these numbers."""
        parts = [self.pieces[0]]
        for slot, value, piece in zip(self.slots, values, self.pieces[1:], strict=True):
            parts += (slot.write(value), piece)
        return "".join(parts)


def template(text: str) -> Template | None:
    """Return the template of a program, None where its blocks hold no number that may be tuned.

    Raises:
        ProposalError: the program has no evolve block.
    """
    data = text.encode()
    regions = block_spans(text)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    slots = [_joined(slot, node, data) for slot, node in _slots(tree, starts)]
    kept = sorted(
        (slot for slot in slots if any(first <= slot.start and slot.end <= last for first, last in regions)),
        key=lambda slot: slot.start,
    )
    if not kept:
        return None
    bounds = [0, *(edge for slot in kept for edge in (slot.start, slot.end)), len(data)]
    pieces = tuple(data[bounds[i] : bounds[i + 1]].decode() for i in range(0, len(bounds), 2))
    key = hashlib.sha256("\0".join(pieces).encode()).hexdigest()[:12]
    return Template(key, pieces, tuple(kept))


def _float(value: float) -> str:
    text = f"{value:.6g}"
    return text if any(mark in text for mark in ".en") else f"{text}.0"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: ``role`` decides what is tuned there, ``sum`` whether it begins a term of a sum.

    Roles: ``statement`` (nothing), ``argument`` (floats), ``arithmetic`` (whole numbers too), ``data`` (0 and 1 too).
    """

    role: str = "statement"
    sum: bool = False
    bound: bool = False


def _slots(tree: ast.AST, starts: list[int]) -> Iterator[tuple[Slot, _Place]]:
    """Yield the tunable literals with their places."""
    stack: list[tuple[ast.AST, _Place]] = [(tree, _Place())]
    while stack:
        node, place = stack.pop()
        constant = _constant(node)
        if constant is None:
            stack.extend(_children(node, place))
        elif isinstance(node, ast.expr) and _tunable(constant, place):
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or node.col_offset)
            start = starts[node.lineno - 1] + node.col_offset
            yield Slot(start, end, float(constant), isinstance(constant, int), bound=place.bound), place


def _constant(node: ast.AST) -> int | float | None:
    """Return the value of a numeric literal, a minus sign right before it included."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = _constant(node.operand)
        tight = (node.operand.lineno, node.operand.col_offset) == (node.lineno, node.col_offset + 1)
        return -value if tight and value is not None else None
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    return None


def _tunable(value: float, place: _Place) -> bool:
    if abs(value) >= 1e12 or (value and abs(value) < GUARD):
        return False
    if isinstance(value, int):
        return place.role in ("arithmetic", "data") and abs(value) > 2
    return place.role == "data" or (place.role in ("arithmetic", "argument") and value not in STRUCTURAL)


def _children(node: ast.AST, place: _Place) -> Iterator[tuple[ast.AST, _Place]]:
    """Yield the children of a node that may hold tunable numbers, with their places."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from ((child, _Place()) for child in node.body)  # not decorators, defaults, annotations
    elif isinstance(node, ast.BinOp):
        yield from _operands(node, place)
    elif isinstance(node, ast.Subscript):
        yield node.value, place  # not the index
    elif isinstance(node, ast.Call):
        yield from _called(node)
    elif isinstance(node, ast.Tuple | ast.List):
        yield from ((element, _Place("data")) for element in node.elts)
    elif isinstance(node, ast.Dict):
        yield from ((value, _Place("data")) for value in node.values)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return):
        if node.value is not None:
            yield node.value, _Place("argument" if _constant(node.value) is not None else "arithmetic")
    elif not isinstance(node, ast.JoinedStr):
        inner = _Place("arithmetic") if isinstance(node, ast.Compare | ast.IfExp | ast.UnaryOp) else _Place(place.role)
        yield from ((child, inner) for child in ast.iter_child_nodes(node))


def _called(node: ast.Call) -> Iterator[tuple[ast.AST, _Place]]:
    """Yield function and arguments of a call; keywords are left out (axes, data types, orders)."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    yield node.func, _Place("argument")
    if name not in SIZES:
        yield from ((argument, _Place("argument")) for argument in node.args)


def _operands(node: ast.BinOp, place: _Place) -> Iterator[tuple[ast.AST, _Place]]:
    if isinstance(node.op, ast.Pow):
        yield node.left, _Place("arithmetic", bound=True)
        yield node.right, _Place("argument")  # whole exponents say what the expression is
    elif isinstance(node.op, ast.Add | ast.Sub):
        yield node.left, _Place("arithmetic")
        yield node.right, _Place("arithmetic", sum=True)
    elif isinstance(node.op, ast.Mult | ast.Div):
        yield node.left, _Place("arithmetic", sum=place.sum)
        yield node.right, _Place("arithmetic")
    else:  # whole numbers in //, %, <<, @ and the like say what the expression is
        yield node.left, _Place("argument")
        yield node.right, _Place("argument")


def _joined(slot: Slot, place: _Place, data: bytes) -> Slot:
    """Take into a slot what its sign decides: the parentheses of a base, the sign that joins a term to a sum."""
    if slot.bound and data[slot.start - 1 : slot.start] == b"(" and data[slot.end : slot.end + 1] == b")":
        return replace(slot, start=slot.start - 1, end=slot.end + 1)
    sign = _SIGN.search(data, max(0, slot.start - 200), slot.start) if place.sum else None
    if sign is None:
        return slot
    value = -slot.value if sign.group(1) == b"-" else slot.value
    return Slot(sign.start(), slot.end, value, slot.whole, joined=True)
