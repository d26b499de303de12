"""What a few seeds can tell: exact figures against counting by hand."""

import itertools
from collections.abc import Sequence

import pytest

from outpace.agent.compare import odds


def counted(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Return the p of the rank sums by dealing the values out in every way."""

    def doubled(values: Sequence[float]) -> list[int]:
        return [sum(2 * (one > other) + (one == other) for other in values) + 1 for one in values]

    ranked = [(doubled([*one, *other]), len(one)) for one, other in pairs]
    middle = sum(count * sum(ranks) / len(ranks) for ranks, count in ranked)
    seen = abs(sum(sum(ranks[:count]) for ranks, count in ranked) - middle)
    deals = [[sum(some) for some in itertools.combinations(ranks, count)] for ranks, count in ranked]
    far = [abs(sum(deal) - middle) >= seen - 1e-9 for deal in itertools.product(*deals)]
    return sum(far) / len(far)


def test_superiority_counts_ties_half() -> None:
    assert odds.superiority([2, 3], [1, 1]) == 1.0
    assert odds.superiority([1, 2], [1, 2]) == 0.5
    assert odds.superiority([1, 1, 5], [1, 4]) == pytest.approx((0.5 + 0.5 + 1 + 1) / 6)


def test_five_seeds_on_one_task_can_give_two_in_252_at_the_least() -> None:
    assert odds.p_value([([6, 7, 8, 9, 10], [1, 2, 3, 4, 5])]) == pytest.approx(2 / 252)
    assert odds.least_p([(5, 5)]) == pytest.approx(2 / 252)
    assert odds.least_p([(5, 5), (5, 5)]) == pytest.approx(2 / 252**2)


@pytest.mark.parametrize(
    "pairs",
    [
        [([1, 5, 3], [2, 2, 4])],
        [([1, 1, 1], [1, 1, 2])],
        [([1, 1], [1, 1])],
        [([1, 2, 3], [4, 5, 6]), ([3, 1, 1], [1, 9, 9])],
        [([7, 2], [1, 1, 1]), ([0.5, 0.25], [0.25, 0.25, 0.1])],
    ],
)
def test_p_is_that_of_counting_every_deal(pairs: list[tuple[list[float], list[float]]]) -> None:
    assert odds.p_value(pairs) == pytest.approx(counted(pairs))


def test_holm_raises_each_p_by_how_many_are_left_and_never_below_the_one_before() -> None:
    adjusted = odds.holm({("a", "b"): 0.01, ("a", "c"): 0.04, ("b", "c"): 0.03})
    assert adjusted == pytest.approx({("a", "b"): 0.03, ("b", "c"): 0.06, ("a", "c"): 0.06})


def test_mean_ranks_share_ties_and_lie_in_their_intervals() -> None:
    ranks = odds.mean_ranks(
        {"good": [[3, 4, 5], [1, 1, 1]], "bad": [[0, 1, 2], [1, 1, 1]], "worst": [[-1] * 3, [0] * 3]}
    )
    assert [ranks[name][0] for name in ("good", "bad", "worst")] == [1.25, 1.75, 3.0]
    assert all(low <= rank <= high for rank, low, high in ranks.values())
    assert ranks["worst"] == (3.0, 3.0, 3.0), "it is the last whatever seeds are drawn"
    assert ranks == odds.mean_ranks(
        {"good": [[3, 4, 5], [1, 1, 1]], "bad": [[0, 1, 2], [1, 1, 1]], "worst": [[-1] * 3, [0] * 3]}
    ), "the same seeds are drawn every time"


def test_groups_are_the_longest_stretches_without_a_difference() -> None:
    apart = {("a", "c"): True, ("a", "d"): True, ("b", "d"): True}
    assert odds.groups(["a", "b", "c", "d"], apart) == [("a", "b"), ("b", "c"), ("c", "d")]
    assert odds.groups(["a", "b", "c"], {}) == [("a", "b", "c")]
    assert odds.groups(["a", "b"], {("b", "a"): True}) == []
