"""A model that gives the answers of a stored run again: to repeat, debug or test it without paying."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.errors import ProposalError

REPLAY = "replay:"
"""How the name of a replay begins; the id of the run follows."""
Recall = Callable[[str], Awaitable[Completion | None]]


class ReplayModel:
    """Answers the request of a key with what the run got for it, whatever is asked.

    It costs nothing; tokens count as they did then.
    """

    def __init__(self, run: str, recall: Recall) -> None:
        """Answer for the run of that id; ``recall(key)`` returns what it got, or None."""
        self.name = f"{REPLAY}{run}"
        self._run, self._recall = run, recall

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        """Return the recorded answer.

        Raises ``ProposalError`` where the run has none: it never asked that, as an edit fitted there that does not fit
        here. Nobody else can be asked, so this brief gives no candidate, and the replay goes on.
        """
        found = await self._recall(key)
        if found is None:
            raise ProposalError(
                f"Run {self._run} has no answer to request {key}: it never asked that, as its edit fitted at once."
            )
        return replace(found, usage=replace(found.usage, cost_usd=0.0))
