"""Waits between tries."""

import random
import time
from email.utils import formatdate

import pytest

from outpace.agent.models.retry import Retry, asked_wait_s
from outpace.errors import UsageError


def test_waits_double_up_to_the_cap_and_stay_within_the_jitter() -> None:
    retry, chance = Retry(first_s=1.0, cap_s=10.0, jitter=0.25), random.Random(1)
    for tries, longest_s in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (5000, 10.0)]:
        waits_s = [retry.wait_s(tries, None, chance) for _ in range(200)]
        assert 0.75 * longest_s <= min(waits_s) <= max(waits_s) <= longest_s
        assert max(waits_s) - min(waits_s) > 0.1 * longest_s


def test_what_the_endpoint_asks_for_counts_where_it_is_longer() -> None:
    retry, chance = Retry(first_s=1.0, jitter=0.0), random.Random(1)
    assert retry.wait_s(1, 7.5, chance) == 7.5
    assert retry.wait_s(1, 0.0, chance) == 1.0


@pytest.mark.parametrize(
    ("headers", "asked_s"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 01 Jan 2021 00:00:00 GMT"}, 0.0),
    ],
)
def test_the_wait_that_a_response_asks_for(headers: dict[str, str], asked_s: float | None) -> None:
    assert asked_wait_s(headers) == asked_s


def test_a_date_is_a_wait_from_now() -> None:
    asked_s = asked_wait_s({"retry-after": formatdate(time.time() + 3600, usegmt=True)})
    assert asked_s is not None
    assert 3000 < asked_s <= 3600


@pytest.mark.parametrize(
    "wrong", [{"first_s": -1.0}, {"cap_s": 0.1}, {"jitter": 2.0}, {"deadline_s": 0.0}, {"garbled": 0}]
)
def test_impossible_waits_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="Retry: "):
        Retry(**wrong)  # type: ignore[arg-type]
