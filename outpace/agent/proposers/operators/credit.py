"""Which of the remaining operators to use: a share for each by what it has brought so far.

Credit by improvement with a prior (adaptive operator selection: Fialho, Da Costa, Schoenauer, Sebag, Analyzing
bandit-based adaptive operator selection mechanisms, 2010), kept simple: wins over tries, both counted from a prior.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

PRIOR_WINS, PRIOR_TRIES = 1.0, 10.0


@dataclass(slots=True)
class Credit:
    """Tries and improvements of the best score for each operator."""

    tries: dict[str, int] = field(default_factory=dict)
    wins: dict[str, int] = field(default_factory=dict)

    def tell(self, operator: str, *, won: bool) -> None:
        """Count one evaluated proposal of ``operator``."""
        self.tries[operator] = self.tries.get(operator, 0) + 1
        self.wins[operator] = self.wins.get(operator, 0) + won

    def rate(self, operator: str) -> float:
        """Return the share of tries that improved the best score, with the prior."""
        return (self.wins.get(operator, 0) + PRIOR_WINS) / (self.tries.get(operator, 0) + PRIOR_TRIES)

    def choose(self, operators: Sequence[str], rng: random.Random) -> str:
        """Draw one of ``operators`` in proportion to its rate."""
        return rng.choices(operators, [self.rate(operator) for operator in operators])[0]
