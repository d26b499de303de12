"""How many requests an endpoint takes at a time: more while it answers, fewer when it complains."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FIRST, MOST = 32, 512
"""How many requests may be under way at first, and ever."""


class Gate:
    """Additive increase, multiplicative decrease (Chiu & Jain 1989, Computer Networks and ISDN Systems 17).

    Each answer widens the gate by one over its width, so by one for each round of answers; a refusal for too many
    requests halves it. Requests that were under way when it was halved do not halve it again: they are the same crowd.
    """

    def __init__(self, *, first: int = FIRST, most: int = MOST) -> None:
        """Let ``first`` requests through at a time to begin with, ``most`` at the very most."""
        self.width, self.most = float(first), most
        self.under_way = 0
        self._cuts = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[int]:
        """Wait for room and hold it while the block lasts; give the ticket that ``refused`` asks for."""
        while self.under_way >= int(self.width):
            await self._changed.wait()
        self.under_way += 1
        try:
            yield self._cuts
        finally:
            self.under_way -= 1
            self._wake()

    def answered(self) -> None:
        """Take note of an answer."""
        self.width = min(float(self.most), self.width + 1 / self.width)
        self._wake()

    def refused(self, ticket: int) -> None:
        """Take note that the endpoint found the request with this ticket one too many."""
        if ticket == self._cuts:
            self._cuts += 1
            self.width = max(1.0, self.width / 2)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
