"""A search tree over programs: nodes that are never discarded, the backup of the best, and the choice of a path.

The value of a node is the rank of its program until it is expanded, and from then on the best value of its children
(https://arxiv.org/abs/2501.08603 and https://arxiv.org/abs/2303.05510 both back up the best, not the mean). A node from
whose expansion nothing came has the lowest value there is: what came of it counts, not what it is.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from outpace.agent.strategies.population import Entry

BARREN = -math.inf
"""The value of a node from which nothing came."""
OUT = 128
"""How many expansions in flight are held against their paths; of more, the oldest are let go."""
NEWS = 512
"""Of how many results it is known that they came."""
_FAINTEST = -50.0  # log-probabilities below this are as good as impossible, and would make a sum of nothing but zeros


@dataclass(slots=True, eq=False)
class Node:
    """A program in the tree; the root has none.

    ``visits`` counts what was tried at the node and below it, itself included; ``out`` is how much of that is in flight
    on top; ``coming`` how many of those in flight would be its own children; ``failed`` how often it was expanded in
    vain. ``weight`` is the mean probability of a token (geometric) of the answer that wrote the program, None where it
    is not known; ``weights`` and ``weighed`` are the sum and the count of those known among the children. ``below`` are
    the nodes of its subtree, kept for the children of the root only.
    """

    number: int
    above: "Node | None" = None
    depth: int = 0
    entry: Entry | None = None
    value: float = BARREN
    weight: float | None = None
    visits: int = 0
    out: int = 0
    coming: int = 0
    failed: int = 0
    weights: float = 0.0
    weighed: int = 0
    children: "list[Node]" = field(default_factory=list)
    below: "list[Node]" = field(default_factory=list)

    @property
    def program(self) -> Entry:
        """The program of a node; the root has none."""
        assert self.entry is not None
        return self.entry

    def above_it(self) -> "Iterator[Node]":
        """Yield all nodes above, the root last."""
        node = self.above
        while node is not None:
            yield node
            node = node.above

    def path(self) -> "list[Node]":
        """Return the nodes from below the root to this one."""
        return [self, *self.above_it()][-2::-1]

    def send(self, amount: int) -> None:
        """Put ``amount`` expansions in flight (below 0: take them off): the path looks worse meanwhile."""
        self.coming += amount
        self.out += amount
        for node in self.above_it():
            node.out += amount


Scores = Callable[["Tree", Node], list[float]]
"""From a node to how much each of its children should be looked into."""


class Tree:
    """The nodes in order of their making (the root is number 0), and the bounds of their programs' ranks."""

    def __init__(self) -> None:
        """Start with the root alone."""
        self.root = Node(0)
        self.nodes = [self.root]
        self.lowest, self.highest = math.inf, -math.inf

    def add(self, above: Node, entry: Entry, *, logprob: float | None = None) -> Node:
        """Hang a program under a node, and back up the best and the visit."""
        node = Node(len(self.nodes), above, above.depth + 1, entry, entry.rank, visits=1)
        self.nodes.append(node)
        self.lowest, self.highest = min(self.lowest, entry.rank), max(self.highest, entry.rank)
        if logprob is not None:
            node.weight = math.exp(max(logprob, _FAINTEST))
            above.weights, above.weighed = above.weights + node.weight, above.weighed + 1
        above.children.append(node)
        node.path()[0].below.append(node)
        before, above.value = above.value, entry.rank if len(above.children) == 1 else max(above.value, entry.rank)
        _back_up(above, before)
        _visit(above)
        return node

    def fail(self, node: Node, patience: int) -> None:
        """Note an expansion in vain: a visit, and after ``patience`` of them without a child the lowest value."""
        node.failed += 1
        _visit(node)
        if not node.children and node.failed >= patience:
            before, node.value = node.value, BARREN
            _back_up(node, before)

    def worths(self, nodes: Sequence[Node]) -> list[float]:
        """Return the values of nodes, from 0 for the lowest rank in the tree to 1 for the highest.

        Once something is better than the first program, that one and all below it count 0: one very bad program would
        make all good ones look alike. Each expansion in flight counts as a visit that found nothing (the virtual loss
        of Chaslot et al. 2008, https://doi.org/10.1007/978-3-540-87608-3_6).
        """
        first = self.nodes[1].program.rank
        low = first if first < self.highest else self.lowest
        breadth = self.highest - low
        if breadth <= 0:
            return [0.0] * len(nodes)
        return [
            0.0 if node.value <= low else (node.value - low) / breadth * (node.visits / (node.visits + node.out))
            for node in nodes
        ]

    def descend(self, scores: Scores, most_depth: int) -> Node:
        """Return the node that the best scores lead to: one without children, or one of ``most_depth``."""
        node = self.root
        while node.children and node.depth < most_depth:
            found = scores(self, node)
            node = node.children[found.index(max(found))]
        return node


class Flight:
    """Asks whose results have not come: each counts on the path to the node that it expands until one comes."""

    def __init__(self) -> None:
        """Start with none."""
        self._out: dict[int, Node] = {}  # oldest first
        self._news = deque[int](maxlen=NEWS)

    def send(self, ask: int, node: Node) -> None:
        """Note an ask that expands a node."""
        self._out[ask] = node
        node.send(1)
        if len(self._out) > OUT:
            self._take_off(next(iter(self._out)))

    def land(self, ask: int) -> None:
        """Note that a result of an ask has come; there may be more."""
        self._news.append(ask)
        self._take_off(ask)

    def landed(self, ask: int) -> bool:
        """Return whether a result of an ask is among the last that came."""
        return ask in self._news

    def out(self) -> list[list[int]]:
        """Return the asks in flight, oldest first, each with the number of its node."""
        return [[ask, node.number] for ask, node in self._out.items()]

    def _take_off(self, ask: int) -> None:
        if node := self._out.pop(ask, None):
            node.send(-1)


def uct(tree: Tree, node: Node, *, weight: float) -> list[float]:
    """Return ``Q + weight * sqrt(ln(N + 1) / n)`` for each child (MCTS-AHD): N visits of the node, n of the child.

    Visits in flight count.
    """
    spread = weight * math.sqrt(math.log(node.visits + node.out + 1))
    worths = tree.worths(node.children)
    return [worth + spread / math.sqrt(one.visits + one.out) for worth, one in zip(worths, node.children, strict=True)]


def p_ucb(tree: Tree, node: Node, *, c: float, base: float) -> list[float]:
    """Return ``Q + c(N) * P * sqrt(ln N) / (1 + n)`` with ``c(N) = ln((N + base + 1) / base) + c`` for each child.

    That is how PG-TD chooses; N and n as for ``uct``, P the share of the child among its siblings (``priors``).
    """
    visits = node.visits + node.out
    spread = (math.log((visits + base + 1) / base) + c) * math.sqrt(math.log(visits))
    worths, shares = tree.worths(node.children), priors(node)
    return [
        worth + spread * share / (1 + one.visits + one.out)
        for worth, share, one in zip(worths, shares, node.children, strict=True)
    ]


def priors(node: Node) -> list[float]:
    """Return the shares of the children in what the model expects: the softmax of their log-probabilities.

    A child of which nothing is known counts as the mean of those known; all are alike where none is.
    """
    many = len(node.children)
    if not node.weighed:
        return [1 / many] * many
    mean = node.weights / node.weighed
    return [(mean if one.weight is None else one.weight) / (mean * many) for one in node.children]


def _visit(node: Node) -> None:
    node.visits += 1
    for one in node.above_it():
        one.visits += 1


def _back_up(node: Node, before: float) -> None:
    """Carry a changed value up, from a node whose value was ``before``; what is not the best of its parent ends it."""
    while node.value != before and (above := node.above) is not None:
        old = above.value
        if node.value >= old:
            above.value = node.value
        elif before == old:
            above.value = max(child.value for child in above.children)
        node, before = above, old
