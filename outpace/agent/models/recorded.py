"""A model whose answers are kept: none is paid for twice."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

from outpace.agent.models.base import FREE, Completion, Message, Model, Sampling
from outpace.agent.models.open import close

T = TypeVar("T")
Recall = Callable[[str], Completion | Awaitable[Completion | None] | None]
Record = Callable[[str, Completion], Awaitable[None] | None]


class RecordedModel:
    """Wraps a model with a memory: what has an answer on record is not asked again.

    ``recall(key)`` returns the recorded answer or None, ``record(key, completion)`` keeps a new one; both may be plain
    functions or return awaitables. A new answer is on record before anybody sees it, even if its asker is cancelled
    meanwhile. Of several requests for one key in flight, one asks and the others get its answer.
    """

    def __init__(self, model: Model, recall: Recall, record: Record) -> None:
        """Wrap ``model``; its name stays."""
        self.name = model.name
        self._model, self._recall, self._record = model, recall, record
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        """Return the answer on record under ``key``, or ask, record and return."""
        lock = self._locks.get(key)
        if lock is None:
            self._locks[key] = lock = asyncio.Lock()
        async with lock:
            known = await _settled(self._recall(key))
            if known is not None:
                return known
            completion = await self._model.complete(messages, key=key, sampling=sampling)
            await asyncio.shield(_settled(self._record(key, completion)))
            return completion

    async def aclose(self) -> None:
        """Close the wrapped model."""
        await close(self._model)


async def _settled(value: T | Awaitable[T]) -> T:
    return await value if inspect.isawaitable(value) else value
