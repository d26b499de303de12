"""Which cores are for timing, and who stays off them."""

import os
import threading
from collections.abc import Iterator

import pytest

from outpace.evaluators.machine import Lane, available_cores, lane, load, machine

CORES = available_cores()
needs_two = pytest.mark.skipif(len(CORES) < 2, reason="one core only: nothing can stay off the lane")


@pytest.fixture
def neighbour() -> Iterator[int]:
    """Give the number of another thread of this process."""
    numbers: list[int] = []
    ready, done = threading.Event(), threading.Event()

    def wait() -> None:
        numbers.append(threading.get_native_id())
        ready.set()
        done.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    yield numbers[0]
    done.set()
    thread.join()


@pytest.mark.parametrize(
    ("threads", "cores", "taken", "rest"),
    [(1, (0, 1, 2, 3), (3,), (0, 1, 2)), (3, (0, 1, 2, 3), (1, 2, 3), (0,)), (2, (4, 6), (4, 6), (4, 6)),
     (1, (5,), (5,), (5,)), (8, (0, 1), (0, 1), (0, 1))],
)  # fmt: skip
def test_the_lane_is_at_the_end_and_leaves_a_core_where_there_is_one(
    threads: int, cores: tuple[int, ...], taken: tuple[int, ...], rest: tuple[int, ...]
) -> None:
    assert lane(cores, threads) == Lane(taken, rest)


@needs_two
def test_all_threads_keep_off_the_lane_and_come_back(neighbour: int) -> None:
    free = lane(CORES, 1)
    before = os.sched_getaffinity(0), os.sched_getaffinity(neighbour)
    with free.kept_free():
        assert os.sched_getaffinity(0) == os.sched_getaffinity(neighbour) == set(free.rest)
        assert available_cores() == CORES, "the machine has not shrunk"
        assert int(machine()["cores"]) == len(CORES)
        assert load() >= 0
    assert (os.sched_getaffinity(0), os.sched_getaffinity(neighbour)) == before


@needs_two
def test_a_thread_made_meanwhile_is_let_back_too() -> None:
    seen: list[set[int]] = []
    go = threading.Event()

    def look() -> None:
        seen.append(os.sched_getaffinity(0))
        go.wait()
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=look)
    with lane(CORES, 1).kept_free():
        thread.start()
        while not seen:
            pass
    go.set()
    thread.join()
    assert seen == [set(CORES[:-1]), set(CORES)]


@needs_two
def test_two_who_keep_it_free_do_not_forget_where_threads_were(neighbour: int) -> None:
    before = os.sched_getaffinity(neighbour)
    first, second = lane(CORES, 1).kept_free(), lane(CORES, 1).kept_free()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert os.sched_getaffinity(neighbour) == set(CORES[:-1])
    second.__exit__(None, None, None)
    assert os.sched_getaffinity(neighbour) == before
