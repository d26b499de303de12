"""The gate in front of an endpoint: it finds out how many requests are taken at a time."""

import asyncio

import pytest

from outpace.agent.models.gate import Gate


async def crowd(gate: Gate, *, capacity: int, requests: int) -> tuple[int, int]:
    """Send requests to an endpoint that refuses what is more than its capacity; return the refusals and the most."""
    served = refusals = most = 0

    async def request() -> None:
        nonlocal served, refusals, most
        while True:
            async with gate.passed() as ticket:
                served += 1
                most = max(most, served)
                crowded = served > capacity
                await asyncio.sleep(0.0002 if crowded else 0.001)
                served -= 1
            if not crowded:
                gate.answered()
                return
            refusals += 1
            gate.refused(ticket)

    await asyncio.wait_for(asyncio.gather(*(request() for _ in range(requests))), 60)
    return refusals, most


def test_an_endpoint_with_little_room_refuses_ever_less() -> None:
    gate = Gate(first=32)
    refusals, _ = asyncio.run(crowd(gate, capacity=4, requests=400))
    assert refusals < 200, "at most every third, where all of 32 at a time would mean seven of eight"
    assert 1 <= gate.width <= 10


def test_an_endpoint_with_room_gets_more() -> None:
    gate = Gate(first=4, most=16)
    refusals, most = asyncio.run(crowd(gate, capacity=1000, requests=400))
    assert (refusals, most, gate.width) == (0, 16, 16.0)


def test_one_crowd_is_counted_once() -> None:
    async def run() -> None:
        gate = Gate(first=8)
        async with gate.passed() as first, gate.passed() as second:
            gate.refused(first)
            gate.refused(second)
        assert gate.width == 4.0
        async with gate.passed() as later:
            gate.refused(later)
        assert gate.width == 2.0

    asyncio.run(run())


def test_one_request_always_passes_and_who_is_cancelled_takes_no_room() -> None:
    async def run() -> None:
        gate = Gate(first=1)
        async with gate.passed() as ticket:
            gate.refused(ticket)
            waiting = asyncio.create_task(gate.passed().__aenter__())
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert (gate.width, gate.under_way) == (1.0, 0)
        async with asyncio.timeout(5), gate.passed():
            assert gate.under_way == 1

    asyncio.run(run())
