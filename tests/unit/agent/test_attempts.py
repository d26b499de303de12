"""What a run remembers of what was tried and failed."""

from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.proposers.attempts import FREQUENT, LAST, LINE, PROGRAMS, REASONS, Attempts
from outpace.evaluators.base import Evaluation, Status
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")


def program(value: object) -> Candidate:
    return Candidate({"program.py": f"x = {value!r}\n"})


START = Member(program("start"), Evaluation(status="ok", score=4.0))


def failed(reason: str, status: Status = "wrong") -> Evaluation:
    return Evaluation(status=status, feedback=reason)


def result(
    number: int,
    evaluation: Evaluation | None,
    *,
    thought: str = "Sort first.",
    parent: Member = START,
    seen_before: bool = False,
) -> Result:
    brief = Brief(number=number, parents=(parent,), seed=number)
    if evaluation is None:
        return Result(brief=brief, failure="SEARCH block 1 matches nothing.\n(more)")
    proposal = Proposal(
        candidate=program(number), proposer="m", operator="diff", parents=(parent.candidate.id,), thought=thought
    )
    return Result(brief=brief, proposal=proposal, evaluation=evaluation, seen_before=seen_before)


def told(*results: Result) -> Attempts:
    attempts = Attempts()
    attempts.tell(results)
    return attempts


def changes(attempts: Attempts, member: Member = START) -> tuple[str, ...]:
    return attempts.of(member.candidate.id, GAP).changes


def test_a_change_is_told_with_what_became_of_it() -> None:
    attempts = told(
        result(1, Evaluation(status="ok", score=3.5), thought="## Sort the items first. Then pack.\nMore."),
        result(2, Evaluation(status="ok", score=4.25), thought=""),
        result(3, Evaluation(status="ok", score=4.0), thought="Rename all\nof it."),
        result(4, failed("\nCase '5k': item 3 lies in no bin\nTraceback …")),
        result(5, None),
    )
    assert changes(attempts) == (
        "Sort the items first -> 3.5 %, better than 4",
        "diff -> 4.25 %, worse than 4",
        "Rename all -> 4 %, the same as 4",
        "Sort first -> wrong: Case '5k': item 3 lies in no bin",
        "an answer -> of no use: SEARCH block 1 matches nothing.",
    )


def test_a_duplicate_is_told_as_such() -> None:
    again = result(7, Evaluation(status="ok", score=3.5), seen_before=True)
    assert changes(told(again)) == (
        f"Sort first -> the same program as {program(7).id}, which had been judged before, 3.5 %, better than 4",
    )


def test_only_the_last_changes_of_this_program_are_told() -> None:
    other = Member(program("other"), Evaluation(status="ok", score=1.0))
    attempts = told(
        *(result(n, failed("no"), thought=f"Idea {n}.", parent=other if n % 2 else START) for n in range(1, 41))
    )
    found = attempts.of(START.candidate.id, GAP)
    assert found.of == 20
    assert [line.split(" ->")[0] for line in found.changes] == [f"Idea {n}" for n in range(30, 41, 2)][-LAST:]
    assert attempts.of(program("nobody").id, GAP).changes == ()


def test_frequent_failures_are_counted_by_kind() -> None:
    """Those that differ in their numbers are one kind, told as it came last; a single one is none."""
    attempts = told(
        *(result(n, failed(f"no answer within {n}.5 s", "timeout")) for n in range(1, 6)),
        result(6, failed("division by zero", "crashed")),
        *(result(n, None) for n in (7, 8)),
        *(result(n, Evaluation(status="ok", score=4.0), seen_before=True) for n in (9, 10, 11)),
    )
    assert attempts.of("any", GAP).failures == (
        "5 times: timeout: no answer within 5.5 s",
        "3 times: the same program again",
        "2 times: of no use: SEARCH block 1 matches nothing.",
    )


def test_our_own_faults_say_nothing() -> None:
    attempts = told(*(result(n, failed("no room", "infra")) for n in (1, 2, 3)))
    assert attempts.of(START.candidate.id, GAP) == Attempts().of("x", GAP)


def test_briefs_without_parents_are_about_the_start() -> None:
    start = Result(
        brief=Brief(number=0, parents=(), seed=0),
        proposal=Proposal(candidate=START.candidate, proposer="task", operator="start", parents=()),
        evaluation=START.evaluation,
    )
    attempts = told(start, Result(brief=Brief(number=1, parents=(), seed=0), failure="empty"))
    assert changes(attempts) == ("an answer -> of no use: empty",)


def test_the_memory_is_bounded() -> None:
    """However long the texts, however many programs and reasons there are."""
    long = "long words " * 1000
    attempts = Attempts()
    for number in range(PROGRAMS + 50):
        parent = Member(program(f"parent {number}"), Evaluation(status="ok", score=1.0))
        kind = number % 10 if number % 10 < FREQUENT else number  # some often, the others once
        reason = "".join(chr(97 + int(digit)) for digit in str(kind)) + long
        for repeat in range(LAST + 1 if number == PROGRAMS + 49 else 1):
            attempts.tell([result(number * 10 + repeat, failed(reason), thought=long, parent=parent)])
    assert changes(attempts, Member(program("parent 49"), START.evaluation)) == ()
    assert len(changes(attempts, Member(program("parent 50"), START.evaluation))) == 1
    found = attempts.of(program(f"parent {PROGRAMS + 49}").id, GAP)
    assert len(found.changes) == LAST and len(found.failures) == FREQUENT
    assert PROGRAMS > REASONS and found.failures[0].startswith("415 times: wrong: ")
    assert all(len(line) <= LINE and "\n" not in line for line in (*found.changes, *found.failures))


def test_telling_at_once_is_telling_one_by_one() -> None:
    results = [result(n, failed(f"reason {n % 3}")) for n in range(1, 30)]
    single = Attempts()
    for one in results:
        single.tell([one])
    assert single.of(START.candidate.id, GAP) == told(*results).of(START.candidate.id, GAP)
