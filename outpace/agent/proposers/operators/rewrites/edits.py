"""What the rewrites share: edits that do not overlap, and which expressions are cheap to repeat."""

from collections.abc import Iterable, Iterator

import libcst as cst

from outpace.agent.proposers.operators.source import Edit


def disjoint(edits: Iterable[Edit]) -> list[Edit]:
    """Return the edits that do not lie in another one; of two at the same place the first."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def simple(node: cst.CSTNode) -> bool:
    """Return whether an expression may be written twice: a name, a number, an attribute or an element by names."""
    if isinstance(node, cst.Name | cst.Integer | cst.Float):
        return True
    if isinstance(node, cst.Attribute):
        return simple(node.value)
    if isinstance(node, cst.Subscript):
        indices = [element.slice for element in node.slice]
        return simple(node.value) and all(isinstance(index, cst.Index) and simple(index.value) for index in indices)
    return False


def statements(node: cst.CSTNode) -> Iterator[list[cst.CSTNode]]:
    """Yield the statement lists below ``node``, its own first."""
    if isinstance(node, cst.IndentedBlock):
        yield list(node.body)
    for child in node.children:
        yield from statements(child)
