"""The catalogue, in the order in which it is tried: compilers first, then loops, then single expressions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from outpace.agent.proposers.operators.rewrites import compiled, loops, single
from outpace.agent.proposers.operators.source import Edit, Source
from outpace.errors import ProposalError


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A rewritten program: its text, the name of the rewrite and what it did in words."""

    text: str
    name: str
    thought: str


@dataclass(frozen=True, slots=True)
class _Rewrite:
    """One entry of the catalogue; ``edits`` returns nothing where the rewrite does not apply."""

    name: str
    thought: str
    edits: Callable[[Source, str], Sequence[Edit]]
    needs: str = ""


CATALOGUE = (
    _Rewrite("njit", "compile all functions with numba", compiled.njit, "numba"),
    _Rewrite(
        "njit_kernel", "compile the entry's body with numba, convert its arguments outside", compiled.kernel, "numba"
    ),
    _Rewrite("njit_callees", "compile all functions but the entry with numba", compiled.callees, "numba"),
    _Rewrite("arrays", "arrays in place of lists of one number", compiled.arrays, "numba"),
    _Rewrite("reuse", "take lists that are filled anew in each round out of the loop", loops.reuse),
    _Rewrite("conditional", "conditional expressions in place of min and max", single.conditionals),
    _Rewrite("hoist", "take what does not change out of loops", loops.hoist),
    _Rewrite("njit_fastmath", "let numba reorder floating-point arithmetic", compiled.fastmath, "numba"),
    _Rewrite("njit_errors", "let numba divide without a check for zero", compiled.error_model, "numba"),
    _Rewrite("power", "products and roots in place of powers", single.powers),
    _Rewrite("comprehension", "comprehensions in place of loops that append", loops.comprehensions),
    _Rewrite("preallocate", "lists of their final length in place of appending", loops.preallocate),
    _Rewrite("local", "local names for functions of modules", single.local_names),
    _Rewrite("memoise", "remember the answers of recursive functions", single.memoise),
)


def names() -> list[str]:
    """Return the names of the catalogue."""
    return [rewrite.name for rewrite in CATALOGUE]


def rewrites(source: Source, entry: str, *, requires: Sequence[str] = ()) -> Iterator[Rewritten]:
    """Yield the program once for each rewrite that applies to it, the most promising first.

    ``requires`` are the packages that the task may use: rewrites that need another one are left out.
    """
    for rewrite in CATALOGUE:
        if rewrite.needs and rewrite.needs not in requires:
            continue
        edits = rewrite.edits(source, entry)
        if not edits:
            continue
        try:
            text = source.apply(edits, entry)
        except ProposalError:
            continue
        if text != source.text:
            yield Rewritten(text, rewrite.name, rewrite.thought)
