"""CMA-ES sessions and the brackets that share the evaluations out."""

import math

import pytest

from outpace.agent.proposers.operators.numbers import Template, template
from outpace.agent.proposers.operators.schedule import Schedule
from outpace.agent.proposers.operators.tune import Opening, Session, open_session

QUADRATIC = "# EVOLVE-BLOCK-START\ny = 3.5 * a + 0.5 * b - 2.5 * c\n# EVOLVE-BLOCK-END\n"
FLAT = "# EVOLVE-BLOCK-START\nz = 0.5 * a\n# EVOLVE-BLOCK-END\n"


def opening(text: str = QUADRATIC, *, rank: float = -100.0, fresh: tuple[int, ...] = ()) -> Opening:
    found = template(text)
    assert found is not None
    return Opening(found, found.values, "origin", rank, frozenset(fresh))


def sphere(text: str, shape: Template) -> float:
    found = template(text)
    assert found is not None and found.key == shape.key
    return -sum((value - wanted) ** 2 for value, wanted in zip(found.values, (7.0, -2.0, 1.25), strict=True))


def generation(session: Session) -> list[str]:
    return [sample.text for sample in session.samples]


def test_a_session_finds_the_best_numbers() -> None:
    session = open_session(opening(), name="a.0", seed=1)
    for _ in range(60):
        if session.over:
            break
        for index, text in enumerate(generation(session)):
            session.tell(session.generation, index, sphere(text, session.template))
    assert session.best > -1e-3
    assert session.best_values == pytest.approx((7.0, -2.0, 1.25), abs=0.05)


def test_samples_follow_from_seed_and_ranks_alone() -> None:
    first, second = (open_session(opening(), name="a.0", seed=1) for _ in range(2))
    for _ in range(4):
        texts = generation(first)
        assert generation(second) == texts
        now = first.generation
        for index in range(len(texts)):
            first.tell(now, index, sphere(texts[index], first.template))
        for index in reversed(range(len(texts))):  # another order of arrival
            second.tell(now, index, sphere(texts[index], second.template))
    assert generation(open_session(opening(), name="a.1", seed=1)) != generation(
        open_session(opening(), name="a.0", seed=1)
    )


def test_failures_count_as_worst_and_strangers_count_for_nothing() -> None:
    session = open_session(opening(), name="a.0", seed=1)
    count = len(session.samples)
    session.tell(session.generation + 1, 0, 5.0)
    session.tell(session.generation, count, 5.0)
    assert session.best == -100.0
    for index in range(count):
        session.tell(0, index, None)
    assert session.generation == 1
    for index in range(len(session.samples)):
        session.tell(1, index, None)
    assert session.generation == 2
    assert all(math.isfinite(value) for sample in session.samples for value in session.values(sample.point))


def test_whole_numbers_move_by_whole_steps() -> None:
    session = open_session(opening("# EVOLVE-BLOCK-START\ny = 3 * a\n# EVOLVE-BLOCK-END\n"), name="a.0", seed=1)
    assert len(set(generation(session))) == len(generation(session)) > 1
    assert all(text.split()[4].lstrip("-").isdigit() for text in generation(session))


def test_no_program_is_asked_for_twice() -> None:
    session = open_session(opening("# EVOLVE-BLOCK-START\ny = 7 * a\n# EVOLVE-BLOCK-END\n"), name="a.0", seed=1)
    asked: list[str] = []
    while not session.over:
        index = next(index for index, sample in enumerate(session.samples) if not sample.told)
        asked.append(session.samples[index].text)
        session.tell(session.generation, index, -abs(float(asked[-1].split()[4]) - 9.0))
    assert len(asked) == len(set(asked)) < 60
    assert session.best_values == pytest.approx((9.0,), abs=0.5)


def play(schedule: Schedule, evaluations: int) -> list[str]:
    """Serve samples one by one, in order; return their session's names."""
    names = []
    for _ in range(evaluations):
        session, index = next(schedule.samples())
        names.append(session.name)
        text = session.samples[index].text
        rank = sphere(text, session.template) if "y" in text else -1000.0
        schedule.tell(session.name, session.generation, index, rank, f"candidate {len(names)}")
        schedule.settle()
    return names


def bracket() -> Schedule:
    schedule = Schedule(seed=1)
    for text, rank in ((QUADRATIC, -100.0), (FLAT, -1000.0)):
        schedule.learn(opening(text, rank=rank), gathered=True)
        schedule.arrived()
    schedule.settle()
    return schedule


def test_a_bracket_waits_for_its_parametrisations() -> None:
    schedule = Schedule(seed=1)
    schedule.learn(opening(), gathered=True)
    schedule.arrived()
    schedule.settle()
    assert not list(schedule.samples())
    schedule.arrived()
    schedule.settle()
    assert {session.template.key for session, _ in schedule.samples()} == {opening().template.key}


def test_halving_leaves_the_promising_template() -> None:
    schedule = bracket()
    assert len(schedule.live) == 4
    play(schedule, 300)
    assert {session.template.key for session in schedule.live} == {opening().template.key}
    assert len(schedule.sessions) == len(schedule.live)


def test_the_next_bracket_goes_on_from_the_best_numbers() -> None:
    schedule = bracket()
    while schedule.wanted == 0:
        play(schedule, 1)
    for text in (FLAT, FLAT.replace("z", "q")):
        schedule.learn(opening(text, rank=-1000.0), gathered=True)
        schedule.arrived()
    schedule.settle()
    refined = schedule.live[0]
    assert refined.template.key == opening().template.key
    assert tuple(refined.centre) == pytest.approx((7.0, -2.0, 1.25), abs=0.2)
    assert refined.origin.startswith("candidate")
