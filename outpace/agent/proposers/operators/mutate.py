"""Mutate: one expression of the block is changed, as in genetic programming (Koza, Genetic Programming, 1992).

A mutation replaces, wraps, extends or cuts one expression, using the names in scope; whether that is any good is for
the evaluator to say.
"""

import random
from collections.abc import Callable

import libcst as cst

from outpace.agent.proposers.operators.expressions import arithmetic, places
from outpace.agent.proposers.operators.scope import module_alias, numbers_at
from outpace.agent.proposers.operators.source import Edit, Source
from outpace.errors import ProposalError

TRIES = 40
OPERATORS = ("+", "-", "*", "/")
ORDERS = ("<", "<=", ">", ">=", "==", "!=")
_Mutation = Callable[[Source, list[cst.BaseExpression], random.Random], tuple[Edit, str] | None]


def mutate(source: Source, entry: str, *, seed: int) -> tuple[str, str]:
    """Return a mutated program, and what was done in words.

    Raises:
        ProposalError: the block holds no expression to mutate, or chance found none that compiles.
    """
    found = places(source)
    if not found:
        raise ProposalError("Nothing to mutate: the functions of the block hold no expressions.")
    rng = random.Random(seed)  # noqa: S311 (a search, not a secret)
    for _ in range(TRIES):
        done = rng.choice(MUTATIONS)(source, found, rng)
        if done is None:
            continue
        edit, thought = done
        try:
            text = source.apply([edit], entry)
        except ProposalError:
            continue
        if text != source.text:
            return text, thought
    raise ProposalError(f"{TRIES} mutations were tried, and none gave a new program that compiles.")


def _leaf(source: Source, node: cst.CSTNode, rng: random.Random) -> str:
    """Return a name in scope of ``node``, or a number."""
    names = numbers_at(source, node).names
    if names and rng.random() < 0.75:
        return rng.choice(names)
    return f"{rng.choice((0.1, 0.5, 2.0, 5.0)) * rng.uniform(0.5, 1.5):.3g}"


def _operator(source: Source, found: list[cst.BaseExpression], rng: random.Random) -> tuple[Edit, str] | None:
    """Put another arithmetic operator between two operands."""
    nodes = [
        node for node in found if isinstance(node, cst.BinaryOperation) and source.code(node.operator) in OPERATORS
    ]
    if not nodes:
        return None
    node = rng.choice(nodes)
    old = source.code(node.operator)
    new = rng.choice([operator for operator in OPERATORS if operator != old])
    text = f"({_text(source, node.left)} {new} {_text(source, node.right)})"
    return source.replace(node, text), f"'{source.code(node)}': '{new}' in place of '{old}'"


def _order(source: Source, found: list[cst.BaseExpression], rng: random.Random) -> tuple[Edit, str] | None:
    """Put another comparison between two operands."""
    nodes = [node for node in found if isinstance(node, cst.Comparison) and len(node.comparisons) == 1]
    nodes = [node for node in nodes if source.code(node.comparisons[0].operator) in ORDERS]
    if not nodes:
        return None
    node = rng.choice(nodes)
    part = node.comparisons[0]
    old = source.code(part.operator)
    new = rng.choice([order for order in ORDERS if order != old])
    text = f"({_text(source, node.left)} {new} {_text(source, part.comparator)})"
    return source.replace(node, text), f"'{source.code(node)}': '{new}' in place of '{old}'"


def _swap(source: Source, found: list[cst.BaseExpression], rng: random.Random) -> tuple[Edit, str] | None:
    """Put a name in scope or a number in place of an expression."""
    node = rng.choice(found)
    leaf = _leaf(source, node, rng)
    return source.replace(node, leaf), f"'{source.code(node)}' becomes '{leaf}'"


def _copy(source: Source, found: list[cst.BaseExpression], rng: random.Random) -> tuple[Edit, str] | None:
    """Put another expression of the program in place of one; names out of scope are caught by the evaluator."""
    target, donor = rng.choice(found), rng.choice(arithmetic(found) or found)
    return source.replace(target, _text(source, donor)), f"'{source.code(target)}' becomes '{source.code(donor)}'"


def _cut(source: Source, found: list[cst.BaseExpression], rng: random.Random) -> tuple[Edit, str] | None:
    """Keep one operand of an operation, or the argument of a call."""
    nodes = arithmetic(found)
    if not nodes:
        return None
    node = rng.choice(nodes)
    kept: cst.BaseExpression
    if isinstance(node, cst.BinaryOperation):
        kept = rng.choice((node.left, node.right))
    elif isinstance(node, cst.UnaryOperation):
        kept = node.expression
    elif isinstance(node, cst.Call) and node.args and not node.args[0].star:
        kept = node.args[0].value
    elif isinstance(node, cst.IfExp):
        kept = rng.choice((node.body, node.orelse))
    else:
        return None
    return source.replace(node, _text(source, kept)), f"'{source.code(node)}' is cut to '{source.code(kept)}'"


def _extend(source: Source, found: list[cst.BaseExpression], rng: random.Random) -> tuple[Edit, str] | None:
    """Join a name in scope, a number or a product of both to an expression."""
    node = rng.choice(arithmetic(found) or found)
    leaf = _leaf(source, node, rng)
    if rng.random() < 0.5:
        leaf = f"{rng.uniform(-1, 1):.3g} * {leaf}"
    operator = rng.choice(OPERATORS)
    return (
        source.replace(node, f"({_text(source, node)} {operator} ({leaf}))"),
        f"'{source.code(node)}' is followed by '{operator} {leaf}'",
    )


def _wrap(source: Source, found: list[cst.BaseExpression], rng: random.Random) -> tuple[Edit, str] | None:
    """Wrap an expression in a function of one or two arguments."""
    node = rng.choice(arithmetic(found) or found)
    own, leaf = _text(source, node), _leaf(source, node, rng)
    numpy = module_alias(source, "numpy")
    forms = [f"abs({own})", f"({own}) * ({own})", f"(({own}) if ({own}) > ({leaf}) else ({leaf}))", f"(-({own}))"]
    if numpy:
        forms = [
            f"abs({own})",
            f"{numpy}.square({own})",
            f"{numpy}.sqrt(abs({own}))",
            f"{numpy}.log1p(abs({own}))",
            f"{numpy}.exp(-abs({own}))",
            f"{numpy}.tanh({own})",
            f"{numpy}.minimum({own}, {leaf})",
            f"{numpy}.maximum({own}, {leaf})",
        ]
    form = rng.choice(forms)
    return source.replace(node, f"({form})"), f"'{source.code(node)}' becomes '{form}'"


def _text(source: Source, node: cst.CSTNode) -> str:
    """Return the text of an expression, in parentheses unless it is an atom."""
    code = source.code(node)
    return code if isinstance(node, cst.Name | cst.Float | cst.Integer | cst.Call | cst.Subscript) else f"({code})"


MUTATIONS: tuple[_Mutation, ...] = (_operator, _order, _swap, _copy, _cut, _extend, _extend, _wrap)
"""The kinds of mutation; one named twice is twice as likely."""
