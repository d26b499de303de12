"""Rewrites of loops."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import libcst as cst

from outpace.agent.proposers.operators.expressions import names_in
from outpace.agent.proposers.operators.rewrites.compiled import compiled
from outpace.agent.proposers.operators.rewrites.edits import disjoint, statements
from outpace.agent.proposers.operators.scope import all_names, fresh
from outpace.agent.proposers.operators.source import Edit, Source, walk

PURE = {"len", "abs", "float", "int"}
_Loop = cst.For | cst.While
_SOMETIMES = (cst.FunctionDef, cst.Lambda, cst.BaseComp, cst.AssignTarget, cst.BooleanOperation, cst.IfExp)
"""What is evaluated only sometimes, where computing it ahead may be an error; and targets, which are not read."""


def hoist(source: Source, entry: str) -> Sequence[Edit]:
    """Compute expressions that do not change in a loop before it, once for each round of the loop around it."""
    taken = all_names(source)
    found: dict[tuple[int, str], tuple[_Loop, list[cst.BaseExpression]]] = {}
    for function in source.functions():
        for node in _candidates(source, function.body):
            loop = _outermost(source, node)
            if loop is not None:
                key = (source.span(loop)[0], source.code(node))
                found.setdefault(key, (loop, []))[1].append(node)
    edits: list[Edit] = []
    lines: dict[int, tuple[_Loop, list[str]]] = {}
    for (_, code), (loop, nodes) in found.items():
        name = fresh("fixed", taken)
        edits += [source.replace(node, name) for node in nodes]
        lines.setdefault(id(loop), (loop, []))[1].append(f"{name} = {code}")
    return [*edits, *(source.before(loop, ahead) for loop, ahead in lines.values())]


def _candidates(source: Source, node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """Yield the largest expressions without effects whose loop does not change them."""
    for child in node.children:
        if isinstance(child, _SOMETIMES):
            continue
        if isinstance(child, cst.AugAssign):
            yield from _candidates_of(source, child.value)
        else:
            yield from _candidates_of(source, child)


def _candidates_of(source: Source, node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    worth = isinstance(node, cst.BinaryOperation | cst.Call | cst.Subscript)
    worth = worth and _pure(source, node) and bool(names_in(node))
    if worth and isinstance(node, cst.BaseExpression) and _outermost(source, node) is not None:
        yield node
        return
    if not isinstance(node, _SOMETIMES):
        yield from _candidates(source, node)


def _pure(source: Source, node: cst.CSTNode) -> bool:
    """Return whether an expression is made of names, numbers, arithmetic, elements and functions without effects."""
    if isinstance(node, cst.Name | cst.Integer | cst.Float):
        return True
    if isinstance(node, cst.BinaryOperation):
        return _pure(source, node.left) and _pure(source, node.right)
    if isinstance(node, cst.UnaryOperation):
        return _pure(source, node.expression)
    if isinstance(node, cst.Call):
        known = source.code(node.func) in PURE or source.code(node.func).startswith("math.")
        return known and all(not argument.star and _pure(source, argument.value) for argument in node.args)
    if isinstance(node, cst.Subscript):
        indices = [element.slice for element in node.slice]
        return isinstance(node.value, cst.Name) and all(
            isinstance(index, cst.Index) and _pure(source, index.value) for index in indices
        )
    return False


def _outermost(source: Source, node: cst.BaseExpression) -> _Loop | None:
    """Return the outermost loop that does not change ``node``, if the innermost one around it does not."""
    names, below, best = names_in(node), node, None
    for above in source.ancestors(node):
        if isinstance(above, cst.FunctionDef | cst.Lambda | cst.BaseComp):
            break
        in_head = isinstance(above, cst.For) and below is above.iter
        if isinstance(above, cst.For | cst.While) and not in_head:
            if names & _changed(source, above):
                break
            best = above
        below = above  # type: ignore[assignment]
    return best


def _changed(source: Source, loop: _Loop) -> set[str]:
    """Return the names that a loop binds, or whose elements it may change."""
    found: set[str] = set()
    for node in walk(loop):
        targets: list[cst.CSTNode] = []
        if isinstance(node, cst.AssignTarget | cst.AugAssign | cst.AnnAssign | cst.For | cst.CompFor | cst.NamedExpr):
            targets = [node.target]
        elif isinstance(node, cst.Call):
            if isinstance(node.func, cst.Attribute):
                targets = [node.func.value]  # a method may change its object
            if source.code(node.func) not in PURE | {"range", "min", "max", "sum", "enumerate", "zip"}:
                targets += [argument.value for argument in node.args]
        for target in targets:
            found |= names_in(target)
    return found - {"math"}


def reuse(source: Source, entry: str) -> Sequence[Edit]:
    """Keep a list that each round makes anew: two lists change places in ``previous = current``."""
    edits: list[Edit] = []
    for function in source.functions():
        for loop in walk(function.body):
            if isinstance(loop, cst.For) and isinstance(loop.body, cst.IndentedBlock):
                edits += _swapped(source, loop)
    return edits


def _swapped(source: Source, loop: cst.For) -> list[Edit]:
    body = [one for one in loop.body.body if isinstance(one, cst.SimpleStatementLine) and len(one.body) == 1]
    changed = _changed(source, loop)
    made = {_name(one): one for one in body if _is_filled(one.body[0], changed)}
    for one in body:
        old, new = _name(one), _value_name(one)
        if not old or new not in made or made[new] is one:
            continue
        line = made[new]
        end = source.data.index(b"\n", source.span(line)[1]) + 1
        return [
            Edit(source.line_start(line), end, ""),
            source.before(loop, [source.code(line.body[0])]),
            source.replace(one.body[0], f"{old}, {new} = {new}, {old}"),
        ]
    return []


def _name(line: cst.SimpleStatementLine) -> str:
    small = line.body[0]
    if isinstance(small, cst.Assign) and len(small.targets) == 1 and isinstance(small.targets[0].target, cst.Name):
        return small.targets[0].target.value
    return ""


def _value_name(line: cst.SimpleStatementLine) -> str:
    small = line.body[0]
    return small.value.value if isinstance(small, cst.Assign) and isinstance(small.value, cst.Name) else ""


def _is_filled(small: cst.BaseSmallStatement, changed: set[str]) -> bool:
    """Return whether a statement makes a list of one repeated number, or an array of one, the same in each round."""
    if not isinstance(small, cst.Assign) or names_in(small.value) & changed:
        return False
    value = small.value
    if isinstance(value, cst.BinaryOperation):
        return isinstance(value.operator, cst.Multiply) and isinstance(value.left, cst.List)
    if isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute):
        return value.func.attr.value in ("full", "zeros", "empty")
    return False


def comprehensions(source: Source, entry: str) -> Sequence[Edit]:
    """Put ``out = [e for x in xs]`` in place of ``out = []`` and a loop that only appends."""
    edits = []
    for assign, loop, name in _appending(source):
        body = list(loop.body.body)
        condition = ""
        if len(body) == 1 and isinstance(body[0], cst.If) and body[0].orelse is None:
            condition = f" if {source.code(body[0].test)}"
            body = list(body[0].body.body)
        value = _appended(source, body[0], name) if len(body) == 1 else None
        if value is None or name in names_in(loop.iter) | names_in(value):
            continue
        text = f"{name} = [{source.code(value)} for {source.code(loop.target)} in {source.code(loop.iter)}{condition}]"
        edits.append(Edit(source.span(assign)[0], source.span(loop)[1], text))
    return disjoint(edits)


def preallocate(source: Source, entry: str) -> Sequence[Edit]:
    """Make a list in its final length and set its elements, where a loop over a range appends once a round."""
    edits: list[Edit] = []
    for assign, loop, name in _appending(source):
        ranged = isinstance(loop.iter, cst.Call) and source.code(loop.iter.func) == "range" and len(loop.iter.args) == 1
        appends = [one for one in loop.body.body if _appended(source, one, name) is not None]
        uses = sum(isinstance(node, cst.Name) and node.value == name for node in walk(loop))
        leaves = any(isinstance(node, cst.Continue | cst.Break) for node in walk(loop))
        if not ranged or len(appends) != 1 or uses != 1 or leaves or not isinstance(loop.target, cst.Name):
            continue
        value = _appended(source, appends[0], name)
        if value is None or loop.target.value in _changed(source, cst.While(cst.Name("True"), loop.body)):
            continue
        count = source.code(loop.iter.args[0].value)  # type: ignore[attr-defined]
        edits.append(source.replace(assign, f"{name} = [None] * ({count})"))
        edits.append(source.replace(appends[0], f"{name}[{loop.target.value}] = {source.code(value)}"))
    return edits


def _appending(source: Source) -> Iterator[tuple[cst.SimpleStatementLine, cst.For, str]]:
    """Yield ``name = []`` with the loop right after it, outside compiled functions."""
    for function in source.functions():
        if compiled(function):
            continue
        for body in statements(function.body):
            for first, second in pairwise(body):
                if not isinstance(first, cst.SimpleStatementLine) or len(first.body) != 1:
                    continue
                small = first.body[0]
                empty = isinstance(small, cst.Assign) and isinstance(small.value, cst.List) and not small.value.elements
                plain = isinstance(second, cst.For) and second.orelse is None and second.asynchronous is None
                if empty and plain and _name(first) and isinstance(second, cst.For):
                    yield first, second, _name(first)


def _appended(source: Source, statement: cst.CSTNode, name: str) -> cst.BaseExpression | None:
    """Return the expression of ``name.append(expression)``, None for any other statement."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    small = statement.body[0]
    if not isinstance(small, cst.Expr) or not isinstance(small.value, cst.Call) or len(small.value.args) != 1:
        return None
    return small.value.args[0].value if source.code(small.value.func) == f"{name}.append" else None
