"""What every store must do, as tests: subclass ``StoreContract`` and give it one fixture.

::

    class TestMine(StoreContract):
        @pytest.fixture
        def store(self, tmp_path: Path) -> Iterator[Store]:
            with closing(MyStore(tmp_path)) as store:
                yield store
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from outpace.agent.budget import Spent
from outpace.agent.models.base import Choice, Completion
from outpace.agent.proposal import Brief, Member, ModelUsage, Proposal, Result
from outpace.agent.store.base import Duel, Pending, Run, Store, Surprise, Verification
from outpace.agent.store.samples import GOAL, NOISE, config, judged, land, program, propose, refusal
from outpace.errors import StoreError, UnknownName, UsageError
from outpace.evaluators.base import Evaluation, Noise, Status
from outpace.tasks.spec import Objective

__all__ = [
    "GOAL",
    "NOISE",
    "StoreContract",
    "config",
    "judged",
    "land",
    "program",
    "propose",
    "refusal",
]


class RunContract:
    """Runs as wholes."""

    def test_a_run_comes_back_whole(self, store: Store) -> None:
        """What ``add_run`` returned is what ``run`` and ``runs`` find."""
        first, second = store.add_run(config()), store.add_run(config("tour"))
        assert first.config == config()
        assert (first.status, first.reason, first.champion) == ("running", "", None)
        assert store.run(first.id) == first
        assert store.run("last") == second
        assert store.runs() == [second, first]
        assert store.runs(task="packing") == [first]
        assert store.runs(task="nothing") == []

    def test_a_run_answers_to_its_unambiguous_prefixes(self, store: Store) -> None:
        """A few letters do; too few tell what there is."""
        runs = [store.add_run(config()) for _ in range(8)]
        for run in runs:
            shortest = next(n for n in range(1, 99) if sum(one.id.startswith(run.id[:n]) for one in runs) == 1)
            assert store.run(run.id[:shortest]).id == run.id
        assert "is ambiguous" in refusal(lambda: store.run(runs[0].id[:2]), UsageError)
        for unknown in ("nonsense", "", "%", "_" * len(runs[0].id)):
            assert runs[7].id in refusal(lambda given=unknown: store.run(given), UnknownName)  # type: ignore[misc]

    def test_the_last_end_counts(self, store: Store) -> None:
        """Sittings end again and again."""
        run, candidate = store.add_run(config()), program("x = 1\n")
        land(store, run, candidate, judged(1.0))
        store.end_run(run.id, "stopped", reason="interrupted")
        assert (store.run(run.id).status, store.run(run.id).reason) == ("stopped", "interrupted")
        store.end_run(run.id, "finished", reason="evaluations", champion=candidate.id)
        ended = store.run("last")
        assert (ended.status, ended.reason, ended.champion) == ("finished", "evaluations", candidate.id)
        assert store.runs() == [ended]

    def test_an_unknown_run_tells_what_there_is(self, store: Store) -> None:
        """In every method that takes one."""
        run, brief = store.add_run(config()), Brief(number=0, parents=(), seed=0)
        for call in (
            lambda: store.add_brief("nope", brief, {}),
            lambda: store.add_wall("nope", 1.0),
            lambda: store.end_run("nope", "finished"),
            lambda: list(store.results("nope")),
            lambda: store.pending("nope"),
            lambda: store.state("nope"),
            lambda: store.spent("nope"),
            lambda: store.top("nope", 1),
            lambda: store.hold("nope").__enter__(),
        ):
            assert run.id in refusal(call, UnknownName)

    def test_a_run_has_one_holder(self, store: Store) -> None:
        """The second is told which run it is; afterwards it is free again."""
        run, other = store.add_run(config()), store.add_run(config())
        assert not store.is_held(run.id)
        for _ in range(2):
            with store.hold(run.id):
                assert store.is_held(run.id)
                assert not store.is_held(other.id)
                assert run.id in refusal(lambda: store.hold(run.id).__enter__(), StoreError)
                with store.hold(other.id):
                    assert store.is_held(other.id)
            assert not store.is_held(run.id)

    def test_a_closed_store_says_so(self, store: Store) -> None:
        """And closing twice is no error."""
        store.close()
        store.close()
        assert "closed" in refusal(store.runs, StoreError)


class RecordContract:
    """What is written comes back, and what cannot is refused."""

    def test_results_come_back_as_told(self, store: Store) -> None:
        """All fields, floats to the last bit, odd text, members of briefs, in the order of telling."""
        run = store.add_run(config())
        start = land(store, run, program("x = 0\n"), judged(1 / 3))
        assert start.evaluation is not None
        parent = Member(program("x = 0\n"), start.evaluation)
        briefs = [
            Brief(
                number=number,
                parents=(parent,),
                seed=number,
                operator="tune",
                inspirations=(parent, parent),
                instruction="faster",
                edit_mode="whole",
                model_hint="big",
                note={"island": 2, "cell": [1, 2], "temperature": 0.1},
            )
            for number in (1, 2, 3, 4)
        ]
        told = [start]
        ends: tuple[Status | None, ...] = ("ok", "wrong", "infra", None)
        for brief, status in zip(reversed(briefs), ends, strict=True):
            proposal = propose(store, run, brief, program(f"x = {brief.number}\n"), parents=[parent.candidate.id])
            if status is None:
                result = Result(brief=brief, proposal=proposal, failure="lost \udc80")
            else:
                evaluation = judged(0.1 if status == "ok" else None, status)
                result = Result(brief=brief, proposal=proposal, evaluation=evaluation)
            store.add_result(run.id, result)
            told.append(result)
        assert list(store.results(run.id)) == told

    def test_a_proposal_that_failed_leaves_its_reason(self, store: Store) -> None:
        """A brief that gave no candidate is a result all the same."""
        run, brief = store.add_run(config()), Brief(number=0, parents=(), seed=0)
        store.add_brief(run.id, brief, {})
        store.add_result(run.id, Result(brief=brief, failure="no edit block"))
        assert list(store.results(run.id)) == [Result(brief=brief, failure="no edit block")]
        assert store.pending(run.id) == []
        assert store.statuses(run.id) == {"failed": 1}
        assert store.spent(run.id) == Spent()

    def test_many_results_come_back_in_order(self, store: Store) -> None:
        """More than one page of them, and runs do not mix."""
        run, other = store.add_run(config()), store.add_run(config())
        told = [land(store, run, program("x = 0\n"), judged(9.0))]
        start = Member(program("x = 0\n"), judged(9.0))
        for number in range(1, 300):
            told.append(land(store, run, program(f"x = {number}\n"), judged(float(number)), parents=[start]))
            if number % 100 == 0:
                land(store, other, program(f"x = {number}\n"), judged(1.0))
        assert list(store.results(run.id)) == told
        assert len(list(store.results(other.id))) == 2

    def test_what_is_open_comes_back(self, store: Store) -> None:
        """Briefs without a result, as far as they got, by number."""
        run = store.add_run(config())
        start = land(store, run, program("x = 0\n"), judged(1.0))
        assert start.evaluation is not None
        member = Member(program("x = 0\n"), start.evaluation)
        first, second = (Brief(number=number, parents=(member,), seed=number) for number in (1, 2))
        proposal = propose(store, run, second, program("x = 2\n"))
        store.add_brief(run.id, first, {"asks": 2})
        assert store.pending(run.id) == [Pending(brief=first), Pending(brief=second, proposal=proposal)]
        store.add_result(run.id, Result(brief=second, proposal=proposal, evaluation=judged(2.0)))
        assert store.pending(run.id) == [Pending(brief=first)]

    def test_the_state_is_that_of_the_last_brief(self, store: Store) -> None:
        """None yet, then the newest."""
        run = store.add_run(config())
        assert store.state(run.id) == {}
        for number in range(3):
            state = {"asks": number, "weights": [0.1, 1e300], "deep": {"none": None}}
            store.add_brief(run.id, Brief(number=number, parents=(), seed=0), state)
            assert store.state(run.id) == state

    def test_an_answer_is_found_again_by_its_key(self, store: Store) -> None:
        """Paid once, kept for ever, counted once."""
        run, other = store.add_run(config()), store.add_run(config())
        usage = ModelUsage(
            calls=1, input_tokens=100, cached_tokens=20, output_tokens=30, reasoning_tokens=4, cost_usd=0.5
        )
        others = (Choice("or \ud83d that\x00"), Choice("", "refusal"))
        text = "do \ud83d this\x00"
        answer = Completion(text=text, model="small", finish="length", usage=usage, latency_s=1.5, others=others)
        store.add_completion(run.id, "1/0", answer)
        store.add_completion(run.id, "1/1", Completion(text="", model="local"))
        assert store.completion(run.id, "1/0") == answer
        assert store.completion(run.id, "1/1") == Completion(text="", model="local")
        assert store.completion(run.id, "1/2") is None
        assert store.completion(other.id, "1/0") is None
        assert store.spent(run.id) == Spent(model_calls=2, tokens=154, usd=0.5, unpriced_calls=1)
        refusal(lambda: store.add_completion(run.id, "1/0", answer), StoreError)
        assert store.spent(run.id).model_calls == 2

    def test_all_answers_of_a_run_come_back_with_their_keys(self, store: Store) -> None:
        """However many there are, and none of another run."""
        run, other = store.add_run(config()), store.add_run(config())
        assert list(store.completions(run.id)) == []
        keys = [f"{number}/{turn}" for number in range(300) for turn in (0, 1)]
        answers = {key: Completion(text=f"answer to {key}", model="m") for key in keys}
        for key, answer in answers.items():
            store.add_completion(run.id, key, answer)
        store.add_completion(other.id, "1/0", Completion(text="theirs", model="n"))
        found = list(store.completions(run.id))
        assert [key for key, _ in found] == sorted(answers)
        assert dict(found) == answers

    def test_threads_may_share_it(self, store: Store) -> None:
        """A worker thread writes while another one reads and writes for somebody else."""
        runs = [store.add_run(config()) for _ in range(4)]

        def work(run: Run) -> list[Result]:
            return [land(store, run, program(f"x = {number}\n"), judged(float(number))) for number in range(12)]

        with ThreadPoolExecutor(len(runs)) as threads:
            told = list(threads.map(work, runs))
        assert [list(store.results(run.id)) for run in runs] == told

    def test_what_contradicts_the_record_is_refused(self, store: Store) -> None:
        """And leaves no trace."""
        run, brief = store.add_run(config()), Brief(number=0, parents=(), seed=0)
        proposal = propose(store, run, brief, program("x = 0\n"))
        good = Result(brief=brief, proposal=proposal, evaluation=judged(1.0))
        stranger = Brief(number=1, parents=(Member(program("?\n"), judged(1.0)),), seed=0)
        other = Proposal(candidate=program("y = 0\n"), proposer="p", operator="o", parents=())
        nowhere = Result(brief=Brief(number=9, parents=(), seed=0), failure="lost")
        for call in (
            lambda: store.add_brief(run.id, brief, {}),
            lambda: store.add_brief(run.id, stranger, {}),
            lambda: store.add_proposal(run.id, 0, proposal),
            lambda: store.add_proposal(run.id, 5, proposal),
            lambda: store.add_result(run.id, Result(brief=brief, proposal=other, evaluation=judged(1.0))),
            lambda: store.add_result(run.id, Result(brief=brief, evaluation=judged(1.0))),
            lambda: store.add_result(run.id, nowhere),
        ):
            refusal(call, StoreError)
        store.add_result(run.id, good)
        refusal(lambda: store.add_result(run.id, good), StoreError)
        assert list(store.results(run.id)) == [good]
        assert store.spent(run.id).evaluations == 1
        assert store.pending(run.id) == []

    def test_what_cannot_come_back_is_refused(self, store: Store) -> None:
        """No NaN, no objects; the text names the place."""
        run, brief = store.add_run(config()), Brief(number=0, parents=(), seed=0)
        said = refusal(lambda: store.add_brief(run.id, brief, {"a": [{"b": float("nan")}]}), StoreError)
        assert "state.a[0].b" in said
        assert "a set" in refusal(lambda: store.add_brief(run.id, brief, {"a": {1}}), StoreError)
        assert "the key 1" in refusal(lambda: store.add_brief(run.id, brief, {"a": {1: 2}}), StoreError)
        proposal = propose(store, run, brief, program("x = 0\n"))
        for score in (float("nan"), float("inf")):
            result = Result(brief=brief, proposal=proposal, evaluation=Evaluation(status="ok", score=score))
            assert "score" in refusal(lambda one=result: store.add_result(run.id, one), StoreError)  # type: ignore[misc]
        assert list(store.results(run.id)) == []


class FindingContract:
    """What follows from the record."""

    def test_what_is_spent_adds_up(self, store: Store) -> None:
        """Evaluations that were made (not those that were known or failed by our own fault), and the clock."""
        run = store.add_run(config())
        land(store, run, program("x = 0\n"), judged(1.0))
        land(store, run, program("x = 0\n"), judged(1.0))
        land(store, run, program("x = 1\n"), judged(None, "wrong"))
        land(store, run, program("x = 2\n"), judged(None, "infra"))
        store.add_wall(run.id, 1.5)
        store.add_wall(run.id, 0.25)
        assert store.spent(run.id) == Spent(evaluations=2, wall_s=1.75)
        assert store.statuses(run.id) == {"ok": 2, "wrong": 1, "infra": 1}

    def test_an_earlier_evaluation_serves(self, store: Store) -> None:
        """The first that says something; our own failures say nothing; other runs do not count."""
        run, other, candidate = store.add_run(config()), store.add_run(config()), program("x = 1\n")
        assert store.evaluation(run.id, candidate.id) is None
        land(store, run, candidate, judged(None, "infra"))
        assert store.evaluation(run.id, candidate.id) is None
        land(store, run, candidate, judged(2.0))
        assert store.evaluation(run.id, candidate.id) == judged(2.0)
        again = land(store, run, candidate, judged(5.0))
        assert (again.seen_before, again.evaluation) == (True, judged(2.0))
        assert store.evaluation(run.id, candidate.id) == judged(2.0)
        assert store.evaluation(other.id, candidate.id) is None

    def test_a_program_is_known_however_it_is_written(self, store: Store) -> None:
        """The candidate itself or one of its shape, the first of them, in this run and among the results that count."""
        run, other = store.add_run(config()), store.add_run(config())
        first, again = program("x = 1\n"), program("x  =  1  # one\n")
        assert store.known(run.id, first) is None
        land(store, run, first, judged(None, "infra"))
        assert store.known(run.id, again) is None
        land(store, run, first, judged(2.0))
        for candidate in (first, again):
            assert store.known(run.id, candidate) == Member(first, judged(2.0))
            assert store.known(run.id, candidate, before=1) is None
            assert store.known(run.id, candidate, before=2) == Member(first, judged(2.0))
            assert store.known(other.id, candidate) is None
        assert store.known(run.id, program("x = 2\n")) is None

    def test_the_same_program_written_otherwise_is_no_second_member(self, store: Store) -> None:
        """What was proposed is kept as it was; the result tells of the candidate that was evaluated."""
        run, first, again = store.add_run(config()), program("x = 1\n"), program("x = 1  # one\n")
        land(store, run, first, judged(2.0))
        brief = Brief(number=1, parents=(Member(first, judged(2.0)),), seed=0)
        proposal = propose(store, run, brief, again)
        assert store.pending(run.id) == [Pending(brief=brief, proposal=proposal)]
        result = Result(
            brief=brief, proposal=replace(proposal, candidate=first), evaluation=judged(2.0), seen_before=True
        )
        stranger = replace(result, proposal=replace(proposal, candidate=program("x = 2\n")))
        for wrong in (stranger, replace(result, seen_before=False)):
            refusal(lambda one=wrong: store.add_result(run.id, one), StoreError)  # type: ignore[misc]
        store.add_result(run.id, result)
        assert list(store.results(run.id))[-1] == result
        assert store.candidate(again.id) == again
        assert store.evaluation(run.id, again.id) is None
        assert store.top(run.id, 9) == [Member(first, judged(2.0))]
        assert store.spent(run.id).evaluations == 1
        assert store.history(run.id) == [(1, 2.0)]
        refusal(
            lambda: store.add_brief(run.id, Brief(number=2, parents=(Member(again, judged(2.0)),), seed=0), {}),
            StoreError,
        )

    def test_of_two_ways_to_write_a_program_either_may_come_first(self, store: Store) -> None:
        """Both were in flight: the result that shares the evaluation may be told before that of its maker."""
        run, first, again = store.add_run(config()), program("x = 1\n"), program("x = 1  # one\n")
        briefs = [Brief(number=number, parents=(), seed=0) for number in (0, 1)]
        shared, made = (propose(store, run, *one) for one in zip(briefs, (again, first), strict=True))
        told = [
            Result(
                brief=briefs[0], proposal=replace(shared, candidate=first), evaluation=judged(2.0), seen_before=True
            ),
            Result(brief=briefs[1], proposal=made, evaluation=judged(2.0)),
        ]
        for result in told:
            store.add_result(run.id, result)
        assert list(store.results(run.id)) == told
        assert [member.candidate for member in store.top(run.id, 5)] == [first]
        assert store.spent(run.id).evaluations == 1

    def test_of_two_results_of_one_evaluation_either_may_come_first(self, store: Store) -> None:
        """Two briefs led to one program at once: the one that shared the evaluation may be told before its maker."""
        run, candidate = store.add_run(config()), program("x = 1\n")
        briefs = [Brief(number=number, parents=(), seed=0) for number in (0, 1)]
        proposals = [propose(store, run, brief, candidate) for brief in briefs]
        told = [
            Result(brief=brief, proposal=proposal, evaluation=judged(2.0), seen_before=brief.number == 0)
            for brief, proposal in zip(briefs, proposals, strict=True)
        ]
        for result in told:
            store.add_result(run.id, result)
        assert list(store.results(run.id)) == told
        assert store.spent(run.id).evaluations == 1
        assert [member.candidate.id for member in store.top(run.id, 5)] == [candidate.id]

    def test_the_top_is_ordered_by_rank(self, store: Store) -> None:
        """The pessimistic end ranks; failed candidates never; each candidate once; of equals the earlier first."""
        run = store.add_run(config())
        for number, score in enumerate([3.0, 1.0, 2.0, 1.0, None]):
            evaluation = judged(score, "ok" if score else "timeout")
            land(store, run, program(f"x = {number}\n"), evaluation)
        land(store, run, program("x = 1\n"), judged(1.0))
        top = store.top(run.id, 9)
        assert [member.candidate for member in top] == [program(f"x = {number}\n") for number in (1, 3, 2, 0)]
        assert top[2].evaluation == judged(2.0)
        assert store.top(run.id, 2) == top[:2]
        assert store.top(run.id, 0) == []

    def test_the_front_is_what_nothing_beats_in_everything(self, store: Store) -> None:
        """By the pessimistic end and the objectives; each figure once, the earlier; what failed or lacks one is out."""
        run, short = store.add_run(config()), Objective(metric="length", direction="minimise")
        lengths = [9.0, 5.0, 5.0, 7.0, None, 1.0, 4.0]
        for number, (score, length) in enumerate(zip([1.0, 2.0, 2.0, 3.0, 0.5, None, 4.0], lengths, strict=True)):
            metrics = {} if length is None else {"length": length}
            evaluation = replace(judged(score, "ok" if score else "wrong"), metrics=metrics)
            land(store, run, program(f"x = {number}\n"), evaluation)
        land(store, run, program("x = 1\n"), judged(2.0))
        found = store.front(run.id, [short])
        assert [one.candidate for one in found.members] == [program(f"x = {number}\n").id for number in (0, 1, 6)]
        assert (found.objectives, found.ranked, found.unplaced, found.pruned) == ((short,), 6, 1, 0)
        assert found.members[1].evaluation == store.evaluation(run.id, found.members[1].candidate)
        assert [(one.brief, one.proposer, one.operator) for one in found.members[:2]] == [
            (0, "model:small", "tune"),
            (1, "model:small", "tune"),
        ]
        assert [one.candidate for one in store.front(run.id, []).members] == [program("x = 4\n").id]
        bounded = store.front(run.id, [short], most=2)
        assert ([one.brief for one in bounded.members], bounded.pruned) == ([0, 6], 1)
        assert store.front(store.add_run(config()).id, [short]).members == ()

    def test_the_curve_tells_each_improvement(self, store: Store) -> None:
        """By evaluations made, strictly better only."""
        run = store.add_run(config())
        assert store.history(run.id) == []
        for number, score in enumerate([3.0, None, 2.0, 2.0, 2.5, 1.0]):
            land(store, run, program(f"x = {number}\n"), judged(score, "ok" if score else "crashed"))
        assert store.history(run.id) == [(1, 3.0), (3, 2.0), (6, 1.0)]

    def test_confirmations_are_kept_apart(self, store: Store) -> None:
        """The last of each split; they change neither rank nor what is spent."""
        run, candidate = store.add_run(config()), program("x = 1\n")
        land(store, run, candidate, judged(2.0))
        assert store.confirmations(run.id, candidate.id) == {}
        store.add_confirmation(run.id, candidate.id, "train", judged(1.0))
        store.add_confirmation(run.id, candidate.id, "heldout", judged(None, "crashed"))
        store.add_confirmation(run.id, candidate.id, "train", judged(1.5))
        expected = {"train": judged(1.5), "heldout": judged(None, "crashed")}
        assert store.confirmations(run.id, candidate.id) == expected
        assert store.evaluation(run.id, candidate.id) == judged(2.0)
        assert store.spent(run.id).evaluations == 1

    def test_a_candidate_answers_to_its_prefix(self, store: Store) -> None:
        """Four digits and more; what is not there tells what is."""
        run, candidate = store.add_run(config()), program("x = 1\n")
        land(store, run, candidate, judged(2.0))
        for given in (candidate.id, candidate.id[:4]):
            assert store.candidate(given) == candidate
        for given in ("", candidate.id[:3], candidate.id + "0", "zzzz", "%%%%", candidate.id[:4].upper() + "G"):
            assert candidate.id in refusal(lambda prefix=given: store.candidate(prefix), UnknownName)  # type: ignore[misc]

    def test_the_line_of_a_candidate_leads_to_the_start(self, store: Store) -> None:
        """First results along the first parents, newest first."""
        run = store.add_run(config())
        line = [land(store, run, program("x = 0\n"), judged(9.0))]
        for number in (1, 2):
            parent = line[-1]
            assert parent.proposal is not None and parent.evaluation is not None
            member = Member(parent.proposal.candidate, parent.evaluation)
            line.append(land(store, run, program(f"x = {number}\n"), judged(9.0 - number), parents=[member]))
        land(store, run, program("x = 1\n"), judged(8.0), parents=[Member(program("x = 2\n"), judged(7.0))])
        later = store.add_run(config())
        land(store, later, program("x = 2\n"), judged(1.0))
        assert store.lineage(program("x = 2\n").id) == [(run, result) for result in reversed(line)]

    def test_the_leaderboard_shows_champions(self, store: Store) -> None:
        """Ended runs with a champion, by task, held-out rank first, with the evidence beside it."""
        runs = []
        for task, score, heldout in (("b", 1.0, 3.0), ("b", 2.0, 2.0), ("a", 5.0, None), ("b", 2.5, None)):
            run = store.add_run(config(task))
            start, champion = program("x = 0\n"), program(f"x = {score}\n")
            land(store, run, start, judged(9.0))
            land(store, run, champion, judged(score))
            store.add_confirmation(run.id, champion.id, "train", judged(score + 0.125))
            if heldout:
                store.add_confirmation(run.id, champion.id, "heldout", judged(heldout))
            store.end_run(run.id, "finished", champion=champion.id)
            runs.append(run.id)
        store.end_run(store.add_run(config("b")).id, "failed", reason="no champion")
        store.add_run(config("b"))
        entries = store.leaderboard()
        assert [entry.run.id for entry in entries] == [runs[index] for index in (2, 1, 3, 0)]
        assert [entry.run.id for entry in store.leaderboard(task="a")] == [runs[2]]
        assert entries[1].run == store.run(runs[1])
        assert (entries[1].evaluation, entries[1].heldout, entries[1].start) == (
            judged(2.125),
            judged(2.0),
            judged(9.0),
        )
        assert (entries[1].proposer, entries[1].evaluations) == ("model:small", 2)


class CrowningContract:
    """What decides who is champion is appended, and comes back as it was."""

    def test_the_last_noise_counts(self, store: Store) -> None:
        """With the machine that it was measured on, run by run."""
        run, other = store.add_run(config()), store.add_run(config())
        assert store.noise(run.id) is None
        store.add_noise(run.id, Noise(clock="wall", floor=0.02, wall=0.01, cpu=0.03, pairs=8), {"cpu": "x86"})
        store.add_noise(run.id, NOISE, {"cpu": "arm", "cores": "2"})
        assert store.noise(run.id) == (NOISE, {"cpu": "arm", "cores": "2"})
        assert store.noise(other.id) is None

    def test_duels_come_back_in_order(self, store: Store) -> None:
        """With their evaluations, which change nothing else that is known of the programs."""
        run, other = store.add_run(config()), store.add_run(config())
        ids = [program(f"x = {number}\n").id for number in range(3)]
        for number in range(3):
            land(store, run, program(f"x = {number}\n"), judged(3.0 - number))
        told = [
            Duel(challenger=ids[1], champion=ids[0], evaluation=judged(1.25), outcome="won"),
            Duel(challenger=ids[2], champion=ids[1], evaluation=judged(None, "wrong"), outcome="void"),
            Duel(challenger=ids[2], champion=ids[0], evaluation=judged(1.0), outcome="lost"),
        ]
        for duel in told:
            store.add_duel(run.id, duel)
        assert store.duels(run.id) == told
        assert store.duels(other.id) == []
        assert [store.evaluation(run.id, candidate) for candidate in ids] == [judged(3.0), judged(2.0), judged(1.0)]
        assert store.confirmations(run.id, ids[1]) == {}
        assert store.spent(run.id).evaluations == 3

    def test_surprises_come_back_with_both_measurements(self, store: Store) -> None:
        """Recorded before the result of which they tell."""
        run, brief = store.add_run(config()), Brief(number=0, parents=(), seed=0)
        candidate = program("x = 1\n")
        propose(store, run, brief, candidate)
        ends = (("first", judged(0.5)), ("second", judged(2.0)), ("neither", judged(None, "crashed")))
        told = [
            Surprise(candidate=candidate.id, first=judged(0.25), second=second, counts=counts)  # type: ignore[arg-type]
            for counts, second in ends
        ]
        for surprise in told:
            store.add_surprise(run.id, surprise)
        assert store.surprises(run.id) == told
        assert store.evaluation(run.id, candidate.id) is None
        assert store.statuses(run.id) == {}

    def test_verifications_are_kept_beside_confirmations(self, store: Store) -> None:
        """All of them, oldest first; what the run itself confirmed stays what it is."""
        run, candidate = store.add_run(config()), program("x = 1\n")
        land(store, run, candidate, judged(2.0))
        store.add_confirmation(run.id, candidate.id, "heldout", judged(1.5))
        told = [
            Verification(
                at="2026-11-21T18:00:00+00:00",
                holds=holds,
                verdict="holds: ünï",
                evaluations={
                    "train": judged(2.0),
                    "heldout": judged(1.25 if holds else None, "ok" if holds else "wrong"),
                },
            )
            for holds in (True, False)
        ]
        for verification in told:
            store.add_verification(run.id, candidate.id, verification)
        assert store.verifications(run.id, candidate.id) == told
        assert store.verifications(run.id, program("x = 2\n").id) == []
        assert store.confirmations(run.id, candidate.id) == {"heldout": judged(1.5)}

    def test_a_program_that_was_never_proposed_is_refused(self, store: Store) -> None:
        """And leaves no trace."""
        run, known = store.add_run(config()), program("x = 0\n")
        land(store, run, known, judged(1.0))
        ids = {"challenger": "f" * 16, "champion": known.id}
        refusal(lambda: store.add_duel(run.id, Duel(evaluation=judged(1.0), outcome="won", **ids)), StoreError)
        assert store.duels(run.id) == []


class StoreContract(RunContract, RecordContract, FindingContract, CrowningContract):
    """Inherit, and define the fixture ``store``: an empty, open store."""
