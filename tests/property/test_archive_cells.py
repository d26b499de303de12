"""The archive of cells, the features that describe programs, and the cells around centres."""

import math

from hypothesis import given
from hypothesis import strategies as st

from outpace.agent.proposal import Member
from outpace.agent.strategies.archive import Archive, Elite
from outpace.agent.strategies.features import Cells, Features, Point
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Feature

CELLS = st.integers(0, 24)
RANKS = st.floats(allow_nan=False, allow_infinity=False, width=16)
PROGRAMS = st.text(alphabet="abx01+-*/=() \n", max_size=200)
FIGURES = st.one_of(st.none(), st.floats(-40, 40), st.floats(allow_nan=False, allow_infinity=False))
POINTS = st.lists(st.tuples(FIGURES, FIGURES), max_size=50)
FOUND = Evaluation(status="ok", score=1.0)


def elite(number: int, rank: float) -> Elite:
    member = Member(Candidate({"program.py": f"x = {number}\n"}), Evaluation(status="ok", score=rank))
    return Elite(member, rank)


def point(start: str, program: str) -> Point:
    return Features(Candidate({"program.py": start})).point(Candidate({"program.py": program}), FOUND)


@given(st.lists(st.tuples(CELLS, RANKS), max_size=60))
def test_each_cell_keeps_its_first_best(seen: list[tuple[int, float]]) -> None:
    archive, expected = Archive(), dict[int, Elite]()
    best = None
    for number, (cell, rank) in enumerate(seen):
        one = elite(number, rank)
        better = cell not in expected or rank > expected[cell].rank
        assert archive.add(cell, one) == better
        if better:
            expected[cell] = one
        if best is None or rank > best.rank:
            best = one
        assert archive.best == best  # never worse than before, and of equals the older
    assert dict(archive.leaders(len(seen))) == expected
    assert len(archive) == len(expected)


@given(st.lists(st.tuples(CELLS, RANKS), min_size=1, max_size=60), st.integers(1, 5))
def test_leaders_are_the_best_in_order(seen: list[tuple[int, float]], n: int) -> None:
    archive = Archive()
    for number, (cell, rank) in enumerate(seen):
        archive.add(cell, elite(number, rank))
    leaders = [one.rank for _, one in archive.leaders(n)]
    everyone = sorted((one.rank for _, one in archive.leaders(99)), reverse=True)
    assert leaders == everyone[:n]


@given(st.lists(CELLS, min_size=1, max_size=40), st.floats(0, 1, exclude_max=True))
def test_every_fraction_leads_to_a_cell_and_every_cell_is_reached(cells: list[int], where: float) -> None:
    archive = Archive()
    for number, cell in enumerate(cells):
        archive.add(cell, elite(number, 1.0))
    everyone = {one.member.candidate.id for _, one in archive.leaders(99)}
    assert archive.at(where).member.candidate.id in everyone
    reached = {archive.at((index + 0.5) / len(archive)).member.candidate.id for index in range(len(archive))}
    assert reached == everyone


@given(st.lists(st.tuples(CELLS, RANKS), min_size=1, max_size=40), st.integers(1, 12))
def test_cells_made_one_keep_the_better_member(seen: list[tuple[int, float]], remain: int) -> None:
    archive = Archive()
    for number, (cell, rank) in enumerate(seen):
        archive.add(cell, elite(number, rank))
    taken = {cell: cell % remain for cell in range(remain, 25)}
    archive.merge(taken)
    best = {cell: max(rank for at, rank in seen if at % remain == cell) for cell in {at % remain for at, _ in seen}}
    assert {cell: one.rank for cell, one in archive.leaders(99)} == best
    assert len(archive) == len(best)
    assert archive.best is not None
    assert archive.best.rank == max(rank for _, rank in seen)


@given(PROGRAMS, PROGRAMS)
def test_features_are_stable_and_the_same_for_every_layout(program: str, start: str) -> None:
    length, difference = point(start, program)
    assert length == math.log2(1 + len(program))
    assert (length, difference) == point(start, program)
    assert point(start, start)[1] == 0
    assert point(start, program.replace(" ", "  "))[1] == difference  # blanks are no tokens


@given(PROGRAMS, PROGRAMS)
def test_difference_is_the_same_both_ways(one: str, other: str) -> None:
    assert point(one, other)[1] == point(other, one)[1]


def test_only_the_evolve_blocks_count() -> None:
    def program(outside: str, inside: str) -> Candidate:
        return Candidate({"program.py": f"{outside}# EVOLVE-BLOCK-START\n{inside}# EVOLVE-BLOCK-END\n"})

    features = Features(program("", "x = 1\n"))
    assert features.point(program("import os\n" * 99, "x = 1\n"), FOUND) == (math.log2(7), 0)
    assert features.point(program("", "x = 2.5e-3\n"), FOUND) == (math.log2(12), math.log2(3))  # one went, one came


def test_a_program_with_broken_markers_is_taken_whole() -> None:
    broken = Candidate({"program.py": "# EVOLVE-BLOCK-START\nx = 1\n"})
    assert Features(broken).point(broken, FOUND) == (math.log2(1 + len(broken.program)), 0)


@given(st.one_of(st.none(), st.floats()), st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_features_of_a_task_are_its_metrics_in_steps(value: float | None, step: float) -> None:
    features = Features(Candidate({"program.py": ""}), [Feature(metric="size", step=step)])
    metrics = {"other": 1.0} if value is None else {"size": value}
    (figure,) = features.point(Candidate({"program.py": "x"}), Evaluation(status="ok", score=1.0, metrics=metrics))
    if value is None or not math.isfinite(value) or not math.isfinite(value / step):
        assert figure is None
    else:
        assert figure == value / step


@given(POINTS, st.integers(1, 6))
def test_cells_are_few_and_hardly_wider_than_they_must_be(points: list[Point], most: int) -> None:
    """Each has a point that all its others are near to: within 8 times what the best placed centres would do."""
    cells = placed(points, most)
    for has in {present(one) for one in points}:
        alike = [(one, cell) for one, cell in zip(points, cells, strict=True) if present(one) == has]
        groups = [[one for one, cell in alike if cell == wanted] for wanted in {cell for _, cell in alike}]
        assert len(groups) <= most
        allowed = max(1.0, 8 * spread([one for one, _ in alike], most))
        assert all(min(max(distance(one, centre) for one in group) for centre in group) <= allowed for group in groups)


@given(POINTS)
def test_programs_that_lack_other_figures_share_no_cell(points: list[Point]) -> None:
    kinds = {(cell, present(one)) for one, cell in zip(points, placed(points, 2), strict=True)}
    assert len(kinds) == len({cell for cell, _ in kinds})


def placed(points: list[Point], most: int) -> list[int]:
    """Return the cells that the points are in at the end."""
    cells, found = Cells(most), list[int]()
    for one in points:
        cell, taken = cells.place(one)
        found = [*(taken.get(earlier, earlier) for earlier in found), cell]
    return found


def spread(points: list[Point], most: int) -> float:
    """Return how far points are from centres placed farthest first: at most twice the best (Gonzalez 1985)."""
    centres = points[:1]
    while len(centres) < most:
        centres.append(max(points, key=lambda one: min(distance(one, centre) for centre in centres)))
    return max(min(distance(one, centre) for centre in centres) for one in points)


def present(one: Point) -> tuple[bool, ...]:
    return tuple(figure is not None for figure in one)


def distance(one: Point, other: Point) -> float:
    return max((abs(a - b) for a, b in zip(one, other, strict=True) if a is not None and b is not None), default=0.0)
