"""Parametrise: an expression becomes itself plus a weighted sum of basis functions of the names in scope.

The basis is that of a low-order expansion with the two shapes that polynomials are bad at: for two features x and y,
brought to the unit interval by the largest magnitude in the call, the products x x, x y, x x y, x y y, the root of x
and the reciprocal of 1 + the feature's plain size (sharp near zero). Further variants draw from a wider menu
(exponentials, logarithms, ratios, indicators). The weights start near zero, so that the parent's behaviour is nearly
kept; ``tune`` finds what they should be.

Searching a heuristic as a weighted sum of simple features is the idea of linear value functions in approximate dynamic
programming (Bertsekas, Tsitsiklis, Neuro-Dynamic Programming, 1996).
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, zip_longest

import libcst as cst

from outpace.agent.proposers.operators.scope import Numbers, all_names, fresh, module_alias, numbers_at
from outpace.agent.proposers.operators.source import Source, walk
from outpace.errors import ProposalError

CANONICAL = ("x * x", "y * x", "y * x * x", "y * y * x", "root", "sharp")
MENU = (
    *CANONICAL,
    "x",
    "y",
    "y * y",
    "x * x * x",
    "y * root",
    "y * sharp",
    "{exp}(-8.0 * {abs}(x))",
    "{log1p}({abs}(a))",
    "x / ({abs}(x) + {abs}(y) + 1e-9)",
    "(a == b)",
    "(a > b)",
)
_LETTER = re.compile(r"(?<![\w.])[abxy]\b")
WEIGHT = 0.001
"""Largest first weight, in units of the features: the parent's behaviour is nearly kept."""


@dataclass(frozen=True, slots=True)
class Parametrised:
    """A parametrised program: its text, and the fresh weights as they stand in it, in the order of the text."""

    text: str
    weights: tuple[str, ...]
    thought: str


@dataclass(frozen=True, slots=True)
class _Site:
    """An expression that can be parametrised: its statement, and the names in scope."""

    node: cst.BaseExpression
    statement: cst.SimpleStatementLine
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class _Library:
    """Spelling of the functions in the program at hand; ``array`` where names may be arrays."""

    array: bool
    imports: tuple[str, ...]
    words: dict[str, str]


def parametrise(source: Source, entry: str, *, variant: int, seed: int) -> Parametrised:
    """Return variant number ``variant`` (from 0) of the program with one expression parametrised.

    The first variants are canonical: the entry's returned expressions first, each pair of features in turn. Those after
    them draw site, pair and basis by chance from ``seed``.

    Raises:
        ProposalError: no expression of the block has a numeric name in scope.
    """
    sites = list(_sites(source, entry))
    columns = zip_longest(*([(site, *pair) for pair in _pairs(source, site)] for site in sites))
    plans = [plan for column in columns for plan in column if plan is not None]
    if not plans:
        raise ProposalError("Nothing to parametrise: no arithmetic expression of the block has numeric names in scope.")
    rng = random.Random(f"{seed} {variant}")  # noqa: S311 (a search, not a secret)
    if variant < len(plans):
        return _write(source, plans[variant], CANONICAL, rng, entry)
    weights = [1.0 / (1 + position) for position in range(len(plans))]
    plan = rng.choices(plans, weights)[0]
    kept = [term for term in CANONICAL if rng.random() < 0.7]
    others = [term for term in MENU if term not in kept]
    terms = kept + rng.sample(others, len(CANONICAL) + 1 - len(kept))
    return _write(source, plan, tuple(sorted(terms, key=MENU.index)), rng, entry)


def canonical_variants(source: Source, entry: str) -> int:
    """Return how many variants are canonical."""
    return sum(len(list(_pairs(source, site))) for site in _sites(source, entry))


def _sites(source: Source, entry: str) -> Iterator[_Site]:
    """Yield the places to parametrise, the most promising first: what the entry returns, other returns, assignments."""
    functions = sorted(source.functions(), key=lambda function: function.name.value != entry)
    found: list[tuple[int, _Site]] = []
    for order, function in enumerate(functions):
        for node in walk(function.body):
            if not isinstance(node, cst.SimpleStatementLine) or len(node.body) != 1:
                continue
            small = node.body[0]
            if not isinstance(small, cst.Return | cst.Assign | cst.AugAssign) or small.value is None:
                continue
            for value in _values(small.value):
                numbers = numbers_at(source, value)
                if numbers.names and _innermost(source, node, function):
                    found.append(((0 if isinstance(small, cst.Return) else 10) + order, _Site(value, node, numbers)))
    yield from (site for _, site in sorted(found, key=lambda pair: pair[0]))


def _innermost(source: Source, node: cst.CSTNode, function: cst.FunctionDef) -> bool:
    return next((one for one in source.ancestors(node) if isinstance(one, cst.FunctionDef)), None) is function


def _values(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """Yield the numeric expressions that a statement evaluates unconditionally: itself, elements, call arguments."""
    if isinstance(node, cst.BinaryOperation | cst.UnaryOperation) and not _is_constant(node):
        yield node
    elif isinstance(node, cst.Tuple | cst.List):
        for element in node.elements:
            yield from _values(element.value)
    elif isinstance(node, cst.Call):
        for argument in node.args:
            if argument.star == "":
                yield from _values(argument.value)


def _is_constant(node: cst.CSTNode) -> bool:
    return not any(isinstance(one, cst.Name) for one in walk(node))


def _core(node: cst.CSTNode) -> cst.CSTNode:
    """Return the expression without signs in front of it."""
    while isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus | cst.Plus):
        node = node.expression
    return node


def _pairs(source: Source, site: _Site) -> Iterator[tuple[str, str]]:
    """Yield pairs of features: the expression itself with each name, then the names with each other, then one alone."""
    core = _core(site.node)
    own = [source.code(core)] if isinstance(core, cst.BinaryOperation) else []
    inside = {node.value for node in walk(core) if isinstance(node, cst.Name)}
    names = sorted(site.numbers.names, key=lambda name: (name not in inside, site.numbers.names.index(name)))[:6]
    if own:
        yield from ((own[0], name) for name in names)
    yield from combinations(names, 2)
    if len(names) == 1 and not own:
        yield names[0], names[0]


def _library(source: Source, site: _Site) -> _Library:
    """Choose numpy where the program uses it and a name may hold an array, plain arithmetic and ``math`` elsewhere."""
    alias = module_alias(source, "numpy")
    if alias and set(site.numbers.names) - site.numbers.scalars:
        words = {"abs": "abs", "sqrt": "sqrt", "exp": "exp", "log1p": "log1p"}
        return _Library(True, (), {word: f"{alias}.{name}" for word, name in words.items()} | {"np": alias})
    math = module_alias(source, "math")
    imports = () if math else ("import math",)
    words = {word: f"{math or 'math'}.{word}" for word in ("sqrt", "exp", "log1p")}
    return _Library(False, imports, {"abs": "abs", **words})


def _write(
    source: Source, plan: tuple[_Site, str, str], terms: tuple[str, ...], rng: random.Random, entry: str
) -> Parametrised:
    site, first, second = plan
    library = _library(source, site)
    taken = all_names(source)
    lines, local = _features(site, library, (first, second), taken)
    spelled = [_spell(term, library, local) for term in terms]
    for stem, formula in (("root", "{sqrt}({abs}(x))"), ("sharp", "1.0 / (1.0 + {abs}(a))")):
        spelled = _share(stem, _spell(formula, library, local), spelled, lines, taken)
    weights = [f"{rng.uniform(-WEIGHT, WEIGHT):.6f}" for _ in spelled]
    indent = source.indent(site.statement)
    text = _expression(source.code(site.node), local["unit"], list(zip(weights, spelled, strict=True)), indent)
    edits = [source.before(site.statement, lines), source.replace(site.node, text)]
    if library.imports:
        edits.append(source.top(library.imports))
    thought = f"{source.code(site.node)} plus a weighted sum of {', '.join(terms)} with x from {first}, y from {second}"
    return Parametrised(source.apply(edits, entry), tuple(weights), thought)


def _features(
    site: _Site, library: _Library, pair: tuple[str, str], taken: set[str]
) -> tuple[list[str], dict[str, str]]:
    """Return the statements that define the features, and what the letters of the menu stand for."""
    first, second = pair
    lines: list[str] = []
    local = {"a": first, "b": second}
    if not first.isidentifier():
        local["a"] = fresh("feature", taken)
        lines.append(f"{local['a']} = {first}")
    local["unit"] = fresh("unit", taken)
    sizes = dict.fromkeys(_size(name, name in site.numbers.scalars, library) for name in _measured(site, local, second))
    lines.append(f"{local['unit']} = {_largest(list(sizes))}")
    for letter, feature in (("x", local["a"]), ("y", second)):
        local[letter] = fresh(letter, taken)
        lines.append(f"{local[letter]} = {feature} / {local['unit']}")
    return lines, local


def _measured(site: _Site, local: dict[str, str], second: str) -> list[str]:
    """Return what sets the unit: the arrays that the features are made of, if any (they hold the values at hand)."""
    made_of = {node.value for node in walk(_core(site.node)) if isinstance(node, cst.Name)} | {local["a"], second}
    names = [name for name in site.numbers.names if name in made_of]
    arrays = [name for name in names if name not in site.numbers.scalars]
    return arrays or names


def _size(name: str, scalar: bool, library: _Library) -> str:
    if library.array and not scalar:
        return f"{library.words['np']}.max({library.words['abs']}({name}), initial=1e-9)"
    return f"abs({name})"


def _largest(sizes: list[str]) -> str:
    if len(sizes) == 1 and "initial" in sizes[0]:
        return sizes[0]
    return f"max({', '.join(sizes)}, 1e-9)"


def _spell(term: str, library: _Library, local: dict[str, str]) -> str:
    """Return a term of the menu with the program's own names in it."""
    return _LETTER.sub(lambda found: local[found.group()], term.format(**library.words))


def _share(stem: str, formula: str, spelled: list[str], lines: list[str], taken: set[str]) -> list[str]:
    """Write ``formula`` in place of its stem: inline where one term uses it, through a local name where several do."""
    uses = [term for term in spelled if stem in term.split()]
    if not uses:
        return spelled
    text = formula
    if len(uses) > 1:
        text = fresh(stem, taken)
        lines.append(f"{text} = {formula}")
    return [" ".join(text if word == stem else word for word in term.split()) for term in spelled]


def _expression(own: str, unit: str, terms: list[tuple[str, str]], indent: str) -> str:
    """Return the sum, one term a line."""
    inner, outer = indent + " " * 8, indent + " " * 4
    lines: list[str] = []
    for weight, term in terms:
        sign = ("- " if weight.startswith("-") else "+ ") if lines else ("-" if weight.startswith("-") else "")
        joined = term.removeprefix("1.0") if term.startswith("1.0 / ") else f" * {term}"
        lines.append(f"{inner}{sign}{weight.lstrip('-')}{joined}")
    body = "\n".join(lines)
    return f"(\n{outer}{own}\n{outer}+ {unit}\n{outer}* (\n{body}\n{outer})\n{indent})"
