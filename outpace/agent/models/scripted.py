"""A model that answers from a list or a file: for tests, demonstrations and tutorials."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from outpace.agent.models.base import FREE, Choice, Completion, Message, Sampling
from outpace.agent.proposal import ModelUsage
from outpace.errors import ModelPermanent, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One scripted answer; ``match`` is a regular expression that the last user message must hold.

    ``logprob`` is the mean log-probability of a token, told where it is asked for.
    """

    text: str
    match: str | None = None
    finish: str = "stop"
    logprob: float | None = None


class _Line(BaseModel):
    """One line of a script file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    match: str | None = None
    finish: str = "stop"
    logprob: FiniteFloat | None = None


class ScriptedModel:
    """Gives each answer once, in order: the first that is left and fits the last user message.

    ``answers`` is a list of texts or ``Answer``s, or the path of a file of JSON lines
    ``{"text": "…", "match": "optional regular expression", "finish": "stop", "logprob": -0.3}``. With ``cycle`` the
    script starts over when no answer that is left fits. A request for several answers (``Sampling.n``) takes as many as
    there are. It costs nothing and counts no tokens.

    Raises:
        UsageError: the file cannot be read, or a line of it is not what is expected; a ``match`` is no expression.
    """

    def __init__(self, answers: Sequence[str | Answer] | str | os.PathLike[str], *, cycle: bool = False) -> None:
        """Read the script."""
        if isinstance(answers, str | os.PathLike):
            path = Path(answers).absolute()
            self.name, script = f"scripted:{path}", _script(path)
        else:
            self.name = "scripted"
            script = [answer if isinstance(answer, Answer) else Answer(text=answer) for answer in answers]
        self._script = [(answer, _pattern(answer, number, self.name)) for number, answer in enumerate(script, 1)]
        self._left = list(range(len(script)))
        self._cycle = cycle

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        """Return the next answers; raises ``ModelPermanent`` when none is left that fits."""
        asked = next((message.content for message in reversed(messages) if message.role == "user"), "")
        taken = (self._take(asked) for _ in range(max(1, sampling.n)))
        answers = [_choice(answer, sampling) for answer in taken if answer is not None]
        if not answers:
            raise ModelPermanent(
                f"{self.name} has no answer for request {key}: {len(self._left)} of {len(self._script)} are left, "
                "none of them fits. "
                "Add answers to the script, or let it cycle."
            )
        first, usage = answers[0], ModelUsage(calls=1, cost_usd=0.0)
        others = tuple(answers[1:])
        answered = Completion(text=first.text, model=self.name, finish=first.finish, logprob=first.logprob)
        return replace(answered, usage=usage, others=others)

    def _take(self, asked: str) -> Answer | None:
        """Return the next answer that fits and cross it off, None where there is none."""
        index = self._next(asked)
        if index is None and self._cycle:
            self._left = list(range(len(self._script)))
            index = self._next(asked)
        if index is None:
            return None
        self._left.remove(index)
        return self._script[index][0]

    def _next(self, asked: str) -> int | None:
        fits = (index for index in self._left if (pattern := self._script[index][1]) is None or pattern.search(asked))
        return next(fits, None)


def _choice(answer: Answer, sampling: Sampling) -> Choice:
    return Choice(answer.text, answer.finish, answer.logprob if sampling.logprobs else None)


def _pattern(answer: Answer, number: int, script: str) -> re.Pattern[str] | None:
    try:
        return None if answer.match is None else re.compile(answer.match)
    except re.error as error:
        text = f"{script}, answer {number}: 'match' is no regular expression: {error}. Given: {answer.match!r}."
        raise UsageError(text) from None


def _script(path: Path) -> list[Answer]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f'Cannot read the script \'{path}\': {reason}. Expected JSON lines like {{"text": "…"}}.'
        ) from None
    return [_answer(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]


def _answer(line: str, path: Path, number: int) -> Answer:
    try:
        return Answer(**_Line.model_validate_json(line).model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        text = f'{path}:{number}: {where}: {first["msg"]}. Expected {{"text": "…"}}, perhaps match, finish, logprob.'
        raise UsageError(text) from None
