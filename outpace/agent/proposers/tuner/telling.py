"""What the model is told in a line: the beginning of it, the answers to its commands, and what the judge said."""

from dataclasses import dataclass

from outpace.agent.ledger import Ledger
from outpace.agent.models.base import Message
from outpace.agent.prompts.facts import Facts
from outpace.agent.prompts.templates import Templates
from outpace.agent.prompts.tuner import Extra, Judged, Standing, render_judged, render_reply, render_start
from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.proposers.answers import EditError
from outpace.agent.proposers.tuner import bench
from outpace.agent.proposers.tuner.bench import Bench, Reply
from outpace.agent.proposers.tuner.commands import CommandError
from outpace.agent.proposers.tuner.line import Line, Offer
from outpace.sandbox.base import Sandbox
from outpace.tasks.spec import Goal, Task

MESSAGES = 40
"""How many messages the model may send in one line."""
WINDOW_TOKENS = 32_000
"""How long a conversation may get."""
MAX_REPLY = 12_000  # characters of data in one answer
_AROUND = 3  # lines shown before and after a change


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a tuner works: what it runs programs in, whose account it tells, and how long its lines may be.

    ``window_tokens`` is how much of a conversation is sent, by an estimate: the model's context window less what an
    answer takes. ``lookahead`` is how many lines to work on beyond what the evaluator can take: a line itself waits for
    the judge. ``templates`` None stands for ours, ``facts`` None for those of this environment.
    """

    sandbox: Sandbox
    ledger: Ledger
    goal: Goal
    messages: int = MESSAGES
    window_tokens: int = WINDOW_TOKENS
    lookahead: int = 0
    templates: Templates | None = None
    facts: Facts | None = None


@dataclass(slots=True)
class Telling:
    """Words for the model: all messages of a line but its own."""

    setting: Setting
    bench: Bench

    async def open(self, line: Line, task: Task, brief: Brief) -> None:
        """Tell the model where it stands: at the beginning of the conversation, or after a change was judged."""
        news, offered, setting = line.news, line.offered, self.setting
        line.news = line.offered = None
        if not line.messages:
            extra = Extra(
                view_lines=bench.VIEW_LINES,
                instruction=brief.instruction,
                templates=setting.templates,
                facts=setting.facts,
            )
            listing = bench.listing(line.here.candidate)
            line.messages = render_start(task, line.here, self._standing(line), listing, extra=extra)
        elif news is not None:
            line.messages.append(await self.judged(line, task, news, offered))

    def known(self, line: Line, member: Member) -> Message:
        """Stand at a snapshot that was judged before, and return what was found then."""
        moved, line.here = member.candidate.id != line.here.candidate.id, member
        where, listing = ("The program as it stands now:", bench.listing(member.candidate)) if moved else ("", "")
        judged = Judged(member=member, best=line.best, new=False, where=where, listing=listing)
        return render_judged(self._standing(line), judged, line.goal, templates=self.setting.templates)

    async def judged(self, line: Line, task: Task, news: Result, offered: Offer | None) -> Message:
        """Return what the judge found of the last change."""
        evaluation, proposal = news.evaluation, news.proposal
        if proposal is None or evaluation is None or evaluation.status == "infra":
            judged = Judged(member=None, best=line.best)
            return render_judged(self._standing(line), judged, line.goal, templates=self.setting.templates)
        candidate = proposal.candidate
        rewritten = offered is None or offered.candidate.id != candidate.id
        valid = "100 %" if evaluation.status == "ok" else await self.bench.share(task, candidate, line.seed)
        if rewritten or offered is None:
            where, listing = "The program as it stands now:", bench.listing(candidate)
        else:
            first, last = max(1, offered.first - _AROUND), offered.last + _AROUND
            last = min(last, first + bench.VIEW_LINES - 1)
            where, listing = "The lines around your change:", bench.listing(candidate, first=first, last=last)
        judged = Judged(
            member=line.here,
            best=line.best,
            new=not news.seen_before,
            rewritten=rewritten,
            valid=valid,
            where=where,
            listing=listing,
        )
        return render_judged(self._standing(line), judged, line.goal, templates=self.setting.templates)

    def refused(self, line: Line, error: CommandError | EditError) -> Message:
        """Return why a message did nothing."""
        shown = error.excerpt if isinstance(error, EditError) else ""
        what = "The change is refused, and the program stands as it stood." if isinstance(error, EditError) else ""
        return self.reply(line, Reply(f"{what} {error}".strip(), shown))

    def reply(self, line: Line, reply: Reply) -> Message:
        """Return the answer to a command, with how far the line is, cut to length."""
        data = reply.shown if len(reply.shown) <= MAX_REPLY else reply.shown[:MAX_REPLY] + "\n[…]"
        return render_reply(self._standing(line), reply.said, data, templates=self.setting.templates)

    def _standing(self, line: Line) -> Standing:
        ledger = self.setting.ledger
        return Standing(sent=line.sent, most=line.most, spent=ledger.spent, budget=ledger.budget)
