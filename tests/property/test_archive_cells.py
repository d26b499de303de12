"""The archive of cells and the features that name them."""

from hypothesis import given
from hypothesis import strategies as st

from outpace.agent.proposal import Member
from outpace.agent.strategies.archive import Archive, Elite, Features
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate

CELLS = st.tuples(st.integers(0, 4), st.integers(0, 4))
RANKS = st.floats(allow_nan=False, allow_infinity=False, width=16)
PROGRAMS = st.text(alphabet="abx01+-*/=() \n", max_size=200)


def elite(number: int, rank: float) -> Elite:
    member = Member(Candidate({"program.py": f"x = {number}\n"}), Evaluation(status="ok", score=rank))
    return Elite(member, rank)


@given(st.lists(st.tuples(CELLS, RANKS), max_size=60))
def test_each_cell_keeps_its_first_best(seen: list[tuple[tuple[int, int], float]]) -> None:
    archive, expected = Archive(), dict[tuple[int, int], Elite]()
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
def test_leaders_are_the_best_in_order(seen: list[tuple[tuple[int, int], float]], n: int) -> None:
    archive = Archive()
    for number, (cell, rank) in enumerate(seen):
        archive.add(cell, elite(number, rank))
    leaders = [one.rank for _, one in archive.leaders(n)]
    everyone = sorted((one.rank for _, one in archive.leaders(99)), reverse=True)
    assert leaders == everyone[:n]


@given(st.lists(CELLS, min_size=1, max_size=40), st.floats(0, 1, exclude_max=True))
def test_every_fraction_leads_to_a_cell_and_every_cell_is_reached(cells: list[tuple[int, int]], where: float) -> None:
    archive = Archive()
    for number, cell in enumerate(cells):
        archive.add(cell, elite(number, 1.0))
    everyone = {one.member.candidate.id for _, one in archive.leaders(99)}
    assert archive.at(where).member.candidate.id in everyone
    reached = {archive.at((index + 0.5) / len(archive)).member.candidate.id for index in range(len(archive))}
    assert reached == everyone


@given(PROGRAMS, PROGRAMS)
def test_features_are_stable_and_the_same_for_every_layout(program: str, start: str) -> None:
    features = Features(Candidate({"program.py": start}))
    cell = features.cell(Candidate({"program.py": program}))
    assert cell == Features(Candidate({"program.py": start})).cell(Candidate({"program.py": program}))
    assert cell[0] == len(program).bit_length()
    assert features.cell(Candidate({"program.py": start}))[1] == 0
    spaced = program.replace(" ", "  ")
    assert features.cell(Candidate({"program.py": spaced}))[1] == cell[1]  # blanks are no tokens


@given(PROGRAMS, PROGRAMS)
def test_difference_is_the_same_both_ways(one: str, other: str) -> None:
    a, b = Candidate({"program.py": one}), Candidate({"program.py": other})
    assert Features(a).cell(b)[1] == Features(b).cell(a)[1]


def test_only_the_evolve_blocks_count() -> None:
    def program(outside: str, inside: str) -> Candidate:
        return Candidate({"program.py": f"{outside}# EVOLVE-BLOCK-START\n{inside}# EVOLVE-BLOCK-END\n"})

    features = Features(program("", "x = 1\n"))
    assert features.cell(program("import os\n" * 99, "x = 1\n")) == (3, 0)
    assert features.cell(program("", "x = 2.5e-3\n")) == (4, 2)  # one number went, one came


def test_a_program_with_broken_markers_is_taken_whole() -> None:
    broken = Candidate({"program.py": "# EVOLVE-BLOCK-START\nx = 1\n"})
    assert Features(broken).cell(broken) == (len(broken.program).bit_length(), 0)
