"""Monte Carlo tree search over programs: MCTS-AHD, with PG-TD's choice where the model tells its probabilities."""

import math
import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from outpace.agent.proposal import LOGPROB, Brief, Result
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.parameters import amount, share, whole, word
from outpace.agent.strategies.population import Entry, entry_of, once
from outpace.agent.strategies.tree import Flight, Node, Scores, Tree, p_ucb, uct
from outpace.tasks.spec import Goal

DEPTH = 10
"""How deep the tree is looked into: a node of this depth is expanded again and again, its children never."""
OPENING = ("i1", "e1", "e1", "e1")
"""The operators of the first asks, all at the root."""
ROUND = ("e2", "m1", "m1", "m2", "m2", "s1")
"""How a leaf is expanded: the published weights 1, 2, 2, 1."""
ELITES, PARENTS = 10, 5
"""How many of the best ``e2`` draws from, and how many programs ``e1`` is given at most."""
LAMBDA, C, BASE = 0.1, 4.0, 10.0
MOST_THOUGHT = 300
"""Characters of a thought that are kept beside its program and shown with it."""
_NOTE = "mcts"
_WHOLE = {"i1", "e1", "e2", "s1"}  # programs that are written anew come whole


class Mcts(Counted):
    """A tree whose nodes are the programs that were right, none ever discarded.

    After MCTS-AHD (Zheng et al. 2025, ICML, https://arxiv.org/abs/2501.08603). A round goes down from the root by UCT,
    over values scaled to 0 (the start) .. 1 and with an exploration that fades as the budget (``evaluations``) is used
    up. On its way each node with fewer children than ``visits ** alpha`` is asked for one more: e1 at the root, given
    programs of several subtrees, e2 further down. The leaf is asked for e2, m1, m2 and s1, which is given the whole
    path from the root. ``selection`` "p_ucb" goes down as PG-TD does (Zhang et al. 2023, ICLR,
    https://arxiv.org/abs/2303.05510): by the probabilities that the model gave its answers, where proposals tell them
    (``logprob`` in their detail). ``exploration`` is lambda_0 of UCT (0.1) or c of P-UCB (4).

    It keeps every program that was right and new, so its memory grows with the run: by what a program and its
    evaluation take, and about a kilobyte.
    """

    RANGES: ClassVar[Ranges] = {"exploration": (0.02, 0.5), "alpha": (0.3, 0.7)}

    def __init__(
        self,
        goal: Goal,
        *,
        seed: int = 0,
        evaluations: int = 1000,
        selection: str = "uct",
        exploration: float | None = None,
        alpha: float = 0.5,
    ) -> None:
        """Start with an empty tree; raises ``UsageError`` for parameters out of their range."""
        super().__init__(goal, seed=seed)
        self._evaluations = whole("evaluations", evaluations, least=1)
        self._selection = word("selection", selection, ("uct", "p_ucb"))
        usual = LAMBDA if selection == "uct" else C
        self._exploration = amount("exploration", usual if exploration is None else exploration)
        self._alpha = share("alpha", alpha)
        self._tree, self._elites = Tree(), list[Entry]()  # the best first
        self._evaluated = 0
        self._round = (0, 0)  # its leaf, and as bits the depths above at which one child more is asked for
        self._left: list[tuple[Node, str]] = []  # what is still to be asked in this round, the next one last
        self._flight = Flight()

    def tell(self, results: Sequence[Result]) -> None:
        """Grow the tree by what is right and new; all else counts as a visit from which nothing came."""
        for result in results:
            found = result.evaluation if not result.seen_before else None
            self._evaluated += found is not None and result.brief.number > 0
            self._place(result, self._home(result.brief), entry_of(result, self._goal, most=MOST_THOUGHT))

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks, the round under way with how much of it is left, and what is in flight."""
        return {**super().state(), "round": [*self._round, len(self._left)], "out": self._flight.out()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks; some of what was in flight then has been told since."""
        super().restore(state)
        leaf, wider, left = state.get("round", (0, 0, 0))
        self._round, self._left = (leaf, wider), _steps(self._tree.nodes[leaf], wider)[:left]
        for ask, number in state.get("out", ()):
            if not self._flight.landed(ask):
                self._flight.send(ask, self._tree.nodes[number])

    def _ready(self) -> bool:
        return bool(self._tree.root.children)

    def _next(self) -> Brief:
        if self._asks <= len(OPENING):
            node, operator = self._tree.root, OPENING[self._asks - 1]
        else:
            if not self._left:
                self._begin_round()
            node, operator = self._left.pop()
        brief = self._brief(node, operator, stream(self._seed, self._asks))
        self._flight.send(self._asks, node)
        return brief

    def _begin_round(self) -> None:
        """Choose the leaf, and which nodes above it are due for one child more."""
        leaf = self._tree.descend(self._scores(), DEPTH)
        due = [node for node in leaf.above_it() if int(node.visits**self._alpha) > len(node.children) + node.coming]
        wider = sum(1 << node.depth for node in due)
        self._round, self._left = (leaf.number, wider), _steps(leaf, wider)

    def _scores(self) -> Scores:
        """Return how a round compares children."""
        if self._selection == "p_ucb":
            return partial(p_ucb, c=self._exploration, base=BASE)
        return partial(uct, weight=self._exploration * max(1 - self._evaluated / self._evaluations, 0.0))

    def _home(self, brief: Brief) -> Node | None:
        """Return the node that a brief expands, None for a brief of others; its ask is no more in flight."""
        if brief.number == 0:
            return self._tree.root
        match brief.note.get(_NOTE):
            case [int(ask), int(number)] if 0 <= number < len(self._tree.nodes):
                self._flight.land(ask)
                return self._tree.nodes[number]
        return None

    def _place(self, result: Result, home: Node | None, entry: Entry | None) -> None:
        """Put what came of a brief into the tree; what others found hangs from the root if it leads, else nowhere."""
        if entry and not result.seen_before and math.isfinite(entry.rank):
            leads = not self._elites or entry.rank > self._elites[0].rank
            self._keep(entry)
            if home := home or (self._tree.root if leads else None):
                self._tree.add(home, entry, logprob=_logprob(result))
        elif home and self._tree.root.children:
            self._tree.fail(home, len(_expansion(home)))

    def _keep(self, entry: Entry) -> None:
        """Take a program among the best, of those that are alike only the first."""
        if entry.likeness not in {one.likeness for one in self._elites}:
            self._elites = sorted([*self._elites, entry], key=lambda one: -one.rank)[:ELITES]

    def _brief(self, node: Node, operator: str, chance: random.Random) -> Brief:
        parents, others = self._programs(node, operator, chance)
        thoughts = [one.thought for one in (*parents, *others)]
        return Brief(
            number=self._asks,
            parents=tuple(one.member for one in parents),
            seed=brief_seed(self._seed, self._asks),
            operator=operator,
            inspirations=tuple(one.member for one in others),
            given={} if operator == "i1" else {"thoughts": thoughts},
            edit_mode="whole" if operator in _WHOLE else "diff",
            note={_NOTE: [self._asks, node.number]},
        )

    def _programs(self, node: Node, operator: str, chance: random.Random) -> tuple[list[Entry], list[Entry]]:
        """Return the parents of a brief and what else it shows, each program once."""
        if operator == "i1":
            return [self._tree.root.children[0].program], []
        if operator == "e1":
            return self._spread(chance), []
        own = node.program
        if operator == "s1":
            return [own], [one for one in once([own, *(above.program for above in node.path()[:-1])]) if one is not own]
        others = [one for one in self._elites if one.member.candidate.id != own.member.candidate.id]
        if operator != "e2" or not others:
            return [own], []
        weights = [1 / (rank + 1 + len(others)) for rank in range(len(others))]
        return [own, *chance.choices(others, weights)], []

    def _spread(self, chance: random.Random) -> list[Entry]:
        """Return two to five programs (one, where there are no more), each of another subtree of the root."""
        tops = self._tree.root.children
        chosen = chance.sample(tops, min(chance.randint(2, PARENTS), len(tops)))
        return once([chance.choice(top.below).program for top in chosen])


def _expansion(node: Node) -> tuple[str, ...]:
    """Return the operators that expand a leaf; the path to a node below the root is that node alone, and no path."""
    return ROUND if node.depth > 1 else ROUND[:-1]


def _steps(leaf: Node, wider: int) -> list[tuple[Node, str]]:
    """Return what a round asks for, from the root down, in reverse order."""
    here = [(leaf, operator) for operator in reversed(_expansion(leaf))]
    return here + [(node, "e2" if node.depth else "e1") for node in leaf.above_it() if wider >> node.depth & 1]


def _logprob(result: Result) -> float | None:
    """Return the mean log-probability of a token of the answer that gave a program, None where nobody told it."""
    told = result.proposal.detail.get(LOGPROB) if result.proposal else None
    if isinstance(told, bool) or not isinstance(told, int | float) or not -math.inf < told <= 0:
        return None
    return float(told)
