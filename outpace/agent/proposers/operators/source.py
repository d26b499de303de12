"""A program as the operators see it: text, libcst tree, and the byte spans that may be edited.

Operators read the tree and write text: an edit replaces the bytes of one node, so whatever it does not name stays as
the author wrote it, and nothing outside the evolve block can change.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, CodeSpan, MetadataWrapper, ParentNodeProvider

from outpace.errors import MarkerError, ProposalError
from outpace.tasks.candidate import blocks

_LINE = re.compile(r"[^\n]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Edit:
    """Put ``text`` in place of the bytes ``start`` to ``end`` of the program."""

    start: int
    end: int
    text: str


class Source:
    """A parsed program with its evolve blocks.

    Raises ``ProposalError`` when constructed from a program without blocks, or one that does not parse.
    """

    def __init__(self, text: str) -> None:
        """Parse ``text``."""
        self.text = text
        self.data = text.encode()
        self.regions = block_spans(text)
        try:
            wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        except cst.ParserSyntaxError as error:
            raise ProposalError(f"The program does not parse: {str(error).splitlines()[0]}") from error
        self.module = wrapper.module
        found = wrapper.resolve_many([ByteSpanPositionProvider, ParentNodeProvider])
        self._spans = cast("Mapping[cst.CSTNode, CodeSpan]", found[ByteSpanPositionProvider])
        self._parents = cast("Mapping[cst.CSTNode, cst.CSTNode]", found[ParentNodeProvider])

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return first byte and end of ``node``, without parentheses or whitespace around it."""
        span = self._spans[node]
        return span.start, span.start + span.length

    def code(self, node: cst.CSTNode) -> str:
        """Return the text of ``node`` as the author wrote it, without parentheses around it."""
        start, end = self.span(node)
        return self.data[start:end].decode()

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """Return the node that holds ``node``."""
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Yield parent, grandparent and so on up to the module."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def inside(self, node: cst.CSTNode) -> bool:
        """Return whether the whole node lies in one evolve block."""
        start, end = self.span(node)
        return any(first <= start and end <= last for first, last in self.regions)

    def functions(self) -> list[cst.FunctionDef]:
        """Return the functions that lie in the blocks, in the order of the text, inner ones too."""
        return [node for node in walk(self.module) if isinstance(node, cst.FunctionDef) and self.inside(node)]

    def indent(self, node: cst.CSTNode) -> str:
        """Return the white space before the line on which ``node`` begins."""
        start = self.line_start(node)
        line = self.data[start : self.span(node)[0]].decode()
        return line[: len(line) - len(line.lstrip())]

    def line_start(self, node: cst.CSTNode) -> int:
        """Return the first byte of the line on which ``node`` begins."""
        return self.data.rfind(b"\n", 0, self.span(node)[0]) + 1

    def replace(self, node: cst.CSTNode, text: str) -> Edit:
        """Return the edit that puts ``text`` in place of ``node``."""
        return Edit(*self.span(node), text)

    def before(self, statement: cst.CSTNode, lines: Sequence[str]) -> Edit:
        """Return the edit that puts whole ``lines`` before ``statement``, at its indentation."""
        start, indent = self.line_start(statement), self.indent(statement)
        return Edit(start, start, "".join(f"{indent}{line}\n" for line in lines))

    def top(self, lines: Sequence[str]) -> Edit:
        """Return the edit that puts whole ``lines`` at the head of the first block."""
        start = self.regions[0][0]
        gap = "\n\n" if re.match(rb"(def|class|async|@)\b|@", self.data[start:]) else ""
        return Edit(start, start, "".join(f"{line}\n" for line in lines) + gap)

    def apply(self, edits: Iterable[Edit], entry: str) -> str:
        """Return the program with all ``edits`` made; insertions at the same place keep their order.

        Raises:
            ProposalError: an edit outside the blocks, text that does not compile, or a changed signature of ``entry``.
        """
        data = self.data
        ordered = sorted(edits, key=lambda edit: (edit.start, edit.end))
        for edit in ordered[::-1]:
            if not any(first <= edit.start and edit.end <= last for first, last in self.regions):
                raise ProposalError("The edit reaches outside the evolve block.")
            data = data[: edit.start] + edit.text.encode() + data[edit.end :]
        text = data.decode()
        accept(self.text, text, entry)
        return text


def block_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Return the byte span of the inside of each evolve block; raises ``ProposalError`` where there is none."""
    try:
        found = blocks(text)
    except MarkerError as error:
        raise ProposalError(f"The evolve blocks of the program do not pair up: {error}") from error
    if not found:
        raise ProposalError("The program has no evolve block: nothing in it may be changed.")
    starts = [0]
    for line in _LINE.findall(text):
        starts.append(starts[-1] + len(line.encode()))
    return tuple((starts[block.start], starts[block.end - 1]) for block in found)


def accept(old: str, new: str, entry: str) -> None:
    """Return if ``new`` compiles, keeps what stands outside the blocks of ``old`` and the signature of ``entry``."""
    if _outside(old) != _outside(new):
        raise ProposalError("The edit changes the program outside its evolve block.")
    try:
        tree = ast.parse(new)
        compile(tree, "program.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ProposalError(f"The edit gives a program that does not compile: {error}") from error
    if signature(old, entry) != _signature(tree, entry):
        raise ProposalError(f"The edit changes the signature of '{entry}'.")


def _outside(text: str) -> list[bytes]:
    data, kept, position = text.encode(), [], 0
    for start, end in block_spans(text):
        kept.append(data[position:start])
        position = end
    return [*kept, data[position:]]


def signature(text: str, entry: str) -> str | None:
    """Return the parameters of the function ``entry`` in a form that can be compared, None where it is not defined."""
    return _signature(ast.parse(text), entry)


def _signature(tree: ast.AST, entry: str) -> str | None:
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry:
            return f"{type(node).__name__} {ast.dump(node.args)} {ast.dump(node.returns) if node.returns else ''}"
    return None


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield ``node`` and all below it, in the order of the text."""
    yield node
    for child in node.children:
        yield from walk(child)
