"""Works on programs with tools, one command a message, and has every state of them judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from outpace.agent.arms import Arm
from outpace.agent.models.base import Completion, Message, Model
from outpace.agent.models.chat import total_usage
from outpace.agent.models.open import close
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.proposers.answers import EditError
from outpace.agent.proposers.tuner import bench
from outpace.agent.proposers.tuner.bench import Bench, Reply
from outpace.agent.proposers.tuner.commands import Command, CommandError, command_of
from outpace.agent.proposers.tuner.conversation import fitted
from outpace.agent.proposers.tuner.line import Line, Offer
from outpace.agent.proposers.tuner.telling import Setting, Telling
from outpace.errors import ProposalError
from outpace.tasks.spec import Task

_NO_TEXT = "(no text)"  # some endpoints refuse empty messages
NAME = "tuner"


class TunerProposer:
    """Carries lines on: growing conversations, each about one program, that end after ``Setting.messages``.

    After AlgoTuner (Press et al. 2025, https://arxiv.org/abs/2507.15887). A brief is served by the line of the same
    ``note`` (the island) that is free, or by a new one that begins with the brief's first parent. The line goes on
    until a command has changed the program: that is the proposal, its parent the snapshot before. What the judge finds
    is told to the model when the next brief of that note comes. So each snapshot is a member of the population.

    The request of turn ``t`` of brief ``n`` has the key ``n/t``, and goes to the brief's arm (``model_hint``), or the
    first. Lines are a fold over results, but for the words of the conversation: a line that a resumed run goes on with
    has the same snapshots and as many messages left, and begins with the program as it stands.
    """

    def __init__(self, models: Mapping[str, Model], arms: Sequence[Arm], setting: Setting) -> None:
        """Bind the models, by the names that the arms have for them."""
        self.name = f"{NAME}:{'+'.join(models)}"
        self.lookahead = setting.lookahead
        self._models, self._setting = models, setting
        self._arms, self._first = {arm.name: arm for arm in arms}, arms[0]
        self._bench = Bench(setting.sandbox)
        self._telling = Telling(setting, self._bench)
        self._lines: dict[int, Line] = {}
        self._served: set[int] = set()  # briefs of this sitting, until their results are told
        self._start: Member | None = None

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return the program that the next change of a line gives.

        Raises:
            ProposalError: the line has come to its end without another change.
            ModelError: the endpoint gave no answer.
        """
        line = self._line(brief)
        line.serving = brief.number
        self._served.add(brief.number)
        await self._telling.open(line, task, brief)
        turns = _Turns()
        while line.left > 0 and not turns.done:
            answer = await self._asked(line, brief, len(turns.answers))
            turns.answers.append(answer)
            try:
                command = _command(answer)
                turns.commands.append(command.name)
                reply = await self._carried_out(line, task, command)
            except (CommandError, EditError) as error:
                turns.refused.append(str(error))
                reply = self._telling.refused(line, error)
            if isinstance(reply, Offer):
                line.offered = reply
                return self._proposal(line, brief, command, turns)
            line.messages.append(reply)
        raise ProposalError(self._ended(line))

    def tell(self, results: Sequence[Result]) -> None:
        """Note what became of the snapshots of each line; those of earlier sittings make their lines anew."""
        for result in results:
            if result.brief.number == 0 and result.proposal and result.evaluation:
                self._start = Member(result.proposal.candidate, result.evaluation)
            if result.brief.number in self._served:
                self._served.remove(result.brief.number)
                serving = [one for one in self._lines.values() if one.serving == result.brief.number]
                line = serving[0] if serving else None  # it has ended
            else:
                line = self._remembered(result)
            if line is None:
                continue
            line.hear(result)
            if line.left <= 0 or result.failure:
                self._ended(line)

    async def aclose(self) -> None:
        """Close the models."""
        for model in self._models.values():
            await close(model)

    def _line(self, brief: Brief) -> Line:
        """Return the line that serves a brief: the oldest one of its note that is free, or a new one."""
        for number in sorted(self._lines):
            if self._lines[number].serves(brief):
                return self._lines[number]
        begun = brief.parents[0] if brief.parents else self._start
        if begun is None:
            raise ProposalError(f"Brief {brief.number} names no program to begin with, and none has been judged yet.")
        return self._begun(brief, begun)

    def _begun(self, brief: Brief, begun: Member) -> Line:
        goal, most = self._setting.goal, self._setting.messages
        line = Line(number=brief.number, note=brief.note, seed=brief.seed, goal=goal, begun=begun, most=most)
        self._lines[line.number] = line
        return line

    def _remembered(self, result: Result) -> Line | None:
        """Return the line of an earlier sitting that a result belongs to, made anew where it began with this brief."""
        brief = result.brief
        if result.proposal is None:
            free = [number for number in sorted(self._lines) if self._lines[number].serves(brief)]
            return self._lines[free[0]] if free else None
        number, sent = (result.proposal.detail.get(name) for name in ("line", "sent"))
        if not isinstance(number, int) or not isinstance(sent, int):
            return None
        line = self._lines.get(number)
        if line is None and number == brief.number and (begun := brief.parents[0] if brief.parents else self._start):
            line = self._begun(brief, begun)
        if line is None or line.serving is not None:
            return None
        line.sent = sent
        return line

    async def _asked(self, line: Line, brief: Brief, turn: int) -> Completion:
        arm = self._arms.get(brief.model_hint or "", self._first)
        messages = fitted(line.messages, window_tokens=self._setting.window_tokens)
        sampling = replace(arm.sampling, seed=brief.seed)
        answer = await self._models[arm.model].complete(messages, key=f"{brief.number}/{turn}", sampling=sampling)
        line.sent += 1
        line.messages.append(Message("assistant", answer.text.strip() or _NO_TEXT))
        return answer

    async def _carried_out(self, line: Line, task: Task, command: Command) -> Offer | Message:
        """Return what a command comes to: a changed program to be judged, or the answer to it."""
        here, telling = line.here.candidate, self._telling
        match command.name:
            case "edit" | "delete":
                changed = bench.changed(here, command, task)
                last = command.first + command.text.count("\n") - 1
                known = line.judged(changed)
                return telling.known(line, known) if known else Offer(changed, command.first, last)
            case "eval":
                return telling.known(line, line.here)
            case "revert":
                return telling.known(line, line.best)
            case "view_file":
                reply = bench.view(here, command.file, command.first)
            case "ls":
                reply = bench.files_of(here)
            case "done":
                reply = Reply("The conversation ends.")
            case _:
                reply = await self._bench.run(task, here, command, line.seed)
        return telling.reply(line, reply)

    def _proposal(self, line: Line, brief: Brief, command: Command, turns: "_Turns") -> Proposal:
        assert line.offered is not None
        return Proposal(
            candidate=line.offered.candidate,
            proposer=self.name,
            operator=brief.operator or command.name,
            parents=(line.here.candidate.id,),
            thought=command.thought,
            detail={
                "model": turns.answers[-1].model,
                "turns": len(turns.answers),
                "refused": turns.refused,
                "line": line.number,
                "sent": line.sent,
                "left": line.left,
                "commands": turns.commands,
            },
            usage=total_usage([answer.usage for answer in turns.answers]),
            latency_s=sum(answer.latency_s for answer in turns.answers),
        )

    def _ended(self, line: Line) -> str:
        """End a line; return how it ended, and with what."""
        self._lines.pop(line.number, None)
        why = "all its messages are sent" if line.left <= 0 else "the model has nothing left to try"
        best = line.best.evaluation.score
        score = f", {line.goal.name} {best:.6g}" if best is not None else ""
        return (
            f"The tuner's conversation of brief {line.number} has ended after {line.sent} messages ({why}). "
            f"Its best program, {line.best.candidate.id}{score}, is a member of the population."
        )


@dataclass(slots=True)
class _Turns:
    """What happened while one brief was served."""

    answers: list[Completion] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether the model has said so."""
        return self.commands[-1:] == ["done"]


def _command(answer: Completion) -> Command:
    """Return the command of an answer; one that was cut off is not trusted, even if it holds one."""
    if answer.finish == "length":
        raise CommandError("Your message was cut off at the token limit: nothing was done. Be shorter.")
    return command_of(answer.text)
