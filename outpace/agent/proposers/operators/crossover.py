"""Crossover: an expression of one program takes the place of one in another (subtree crossover, Koza 1992).

Where the programs have functions of the same name that differ, a whole function may cross over as well.
"""

import random

import libcst as cst

from outpace.agent.proposers.operators.expressions import arithmetic, names_in, places
from outpace.agent.proposers.operators.mutate import TRIES
from outpace.agent.proposers.operators.scope import all_names, function_of, names_at, numbers_at
from outpace.agent.proposers.operators.source import Edit, Source
from outpace.errors import ProposalError


def crossover(source: Source, donor: Source, entry: str, *, seed: int) -> tuple[str, str]:
    """Return the program with something of ``donor`` in it, and what was done in words.

    Raises:
        ProposalError: there is nothing to cross over, or chance found nothing new that compiles.
    """
    rng = random.Random(seed)  # noqa: S311 (a search, not a secret)
    targets, gifts = arithmetic(places(source)), arithmetic(places(donor))
    if not targets or not gifts:
        raise ProposalError("Nothing to cross over: one of the programs computes nothing in its block.")
    for _ in range(TRIES):
        done = _function(source, donor, rng) if rng.random() < 0.2 else None
        edit, thought = done or _expression(source, donor, (targets, gifts), rng)
        try:
            text = source.apply([edit], entry)
        except ProposalError:
            continue
        if text not in (source.text, donor.text):
            return text, thought
    raise ProposalError(f"{TRIES} crossovers were tried, and none gave a new program that compiles.")


def _function(source: Source, donor: Source, rng: random.Random) -> tuple[Edit, str] | None:
    """Take over the body of a function that both programs have, where there are several functions."""
    own = {function.name.value: function for function in source.functions()}
    pairs = [
        (own[gift.name.value], gift)
        for gift in donor.functions()
        if gift.name.value in own and donor.code(gift) != source.code(own[gift.name.value])
    ]
    if len(own) < 2 or not pairs:
        return None
    target, gift = rng.choice(pairs)
    return source.replace(target, donor.code(gift)), f"the function '{gift.name.value}' of the other program"


def _expression(
    source: Source, donor: Source, found: tuple[list[cst.BaseExpression], list[cst.BaseExpression]], rng: random.Random
) -> tuple[Edit, str]:
    """Put an expression of the donor in place of one; names that are unknown here become names in scope."""
    target, gift = rng.choice(found[0]), rng.choice(found[1])
    names = numbers_at(source, target).names
    local = names_at(source, target)
    foreign = names_at(donor, gift) | (names_in(gift) - all_names(source))
    swap = {name: rng.choice(names) for name in sorted(names_in(gift) & foreign - local)} if names else {}
    code = _renamed(donor.code(gift), swap)
    kind = "" if function_of(source, target) is None else f" in '{source.code(target)}'"
    return source.replace(target, f"({code})"), f"'{code}' from the other program takes a place{kind}"


def _renamed(code: str, swap: dict[str, str]) -> str:
    if not swap:
        return code
    wrapped = Source(f"# EVOLVE-BLOCK-START\n(\n{code}\n)\n# EVOLVE-BLOCK-END\n")
    edits = [wrapped.replace(node, swap[node.value]) for node in _names(wrapped.module) if node.value in swap]
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        wrapped.data = wrapped.data[: edit.start] + edit.text.encode() + wrapped.data[edit.end :]
    start, end = wrapped.regions[0]
    return wrapped.data[start : len(wrapped.data) - (len(wrapped.text.encode()) - end)].decode().strip()[1:-1].strip()


def _names(node: cst.CSTNode) -> list[cst.Name]:
    """Return the names that an expression reads, attributes and keywords left out."""
    if isinstance(node, cst.Name):
        return [node]
    if isinstance(node, cst.Attribute):
        return _names(node.value)
    if isinstance(node, cst.Arg):
        return _names(node.value)
    return [name for child in node.children for name in _names(child)]
