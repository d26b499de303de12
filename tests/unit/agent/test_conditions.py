"""Sandboxes are held to a level and closed whatever happens; the noise of another machine does not serve."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import outpace
from outpace.agent.conditions import least_level, noise_here, opened_sandbox, task_of
from outpace.agent.evolve import RunOptions, start_run
from outpace.agent.store import open_store
from outpace.agent.store.contract import NOISE, config
from outpace.errors import MissingPackage, SandboxUnavailable, TaskError
from outpace.evaluators.machine import machine
from outpace.sandbox.base import Containment, Job, Level, Worker
from outpace.tasks import registry
from outpace.tasks.spec import Task


class Box:
    """A sandbox that starts nothing and counts how often it was closed."""

    name = "box"
    level: Level = "B"
    lacks: tuple[str, ...] = ()
    closed = 0

    def probe(self) -> Containment:
        return Containment(level=self.level, lacking="no control groups. Remedy: mount them")

    def missing(self, packages: Sequence[str]) -> list[str]:
        return [package for package in packages if package in self.lacks]

    async def start(self, job: Job) -> Worker:
        raise SandboxUnavailable("no room")

    def close(self) -> None:
        Box.closed += 1


PATH = f"{__name__}:Box"


@pytest.fixture(autouse=True)
def _box() -> Iterator[None]:
    Box.closed, Box.lacks, Box.level = 0, (), "B"
    yield
    Box.closed, Box.lacks, Box.level = 0, (), "B"


@pytest.fixture(scope="module")
def task() -> Task:
    return registry.find("edit_distance")


def test_a_sandbox_is_given_with_its_level_and_closed_at_the_end(task: Task) -> None:
    with opened_sandbox(PATH, "B", task) as (box, containment):
        assert (box.name, containment.level, Box.closed) == ("box", "B", 0)
    assert Box.closed == 1


def test_it_is_closed_when_the_block_raises(task: Task) -> None:
    with pytest.raises(KeyboardInterrupt), opened_sandbox(PATH, "B", task):
        raise KeyboardInterrupt
    assert Box.closed == 1


def test_a_level_that_is_not_reached_is_refused_with_the_remedy(task: Task) -> None:
    with pytest.raises(SandboxUnavailable, match=r"reaches level B here, level A was asked for.*Remedy: mount them"):
        opened_sandbox(PATH, "A", task).__enter__()
    assert Box.closed == 1


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(task: Task) -> None:
    Box.lacks = ("numba",)
    with pytest.raises(MissingPackage, match=r"needs numba .*pip install 'outpace\[numba\]'"):
        opened_sandbox(PATH, "B", task).__enter__()
    assert Box.closed == 1


def test_a_run_that_cannot_begin_closes_its_sandbox(tmp_path: Path) -> None:
    options = RunOptions(task="circle_packing", sandbox=PATH, budget=outpace.Budget(evaluations=2))
    with pytest.raises(SandboxUnavailable, match="no room"):
        asyncio.run(start_run(options, home=tmp_path))
    assert Box.closed == 1
    with closing(open_store(tmp_path)) as store:
        assert store.runs() == []


def test_limits_only_are_enough_where_they_are_asked_for_by_name() -> None:
    assert [least_level("zygote"), least_level("process"), least_level(PATH)] == ["B", "D", "B"]
    assert least_level("process", "B") == "B"
    assert least_level("zygote", "A") == "A"


def test_noise_serves_again_on_the_same_machine_only(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        run = store.add_run(config()).id
        assert noise_here(store, run) is None
        store.add_noise(run, NOISE, machine())
        assert noise_here(store, run) == NOISE
        store.add_noise(run, NOISE, {**machine(), "cpu": "another"})
        assert noise_here(store, run) is None


def test_a_task_that_has_changed_is_refused(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        run = store.add_run(replace(config(), task="circle_packing"))
    with pytest.raises(TaskError, match="has changed since run"):
        task_of(run)
