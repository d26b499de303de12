"""How a long conversation is kept within a model's context window."""

from collections.abc import Sequence
from dataclasses import replace

from outpace.agent.models.base import Message

HEAD = 2
"""Messages at the beginning that always stay whole: the rules, and the program that the line began with."""
RECENT = 10
"""Messages at the end that stay whole: five of each side."""
CUT_CHARS = 100
"""What is left of the messages between them."""
TOKEN_CHARS = 4
"""Characters of a token, as an estimate; programs have rather fewer, so a window should be set with room to spare."""
_MARK = " […]"


def fitted(messages: Sequence[Message], *, window_tokens: int) -> list[Message]:
    """Return the conversation as it may be sent: whole as long as it fits the window, shortened where it does not.

    The rule is AlgoTuner's (Press et al. 2025, https://arxiv.org/abs/2507.15887): the first messages and the five
    newest of each side stay whole, those between are cut to 100 characters, and dropped, oldest first, where even that
    is too much. It cuts at once; we leave all whole as long as there is room, because what only grows is read from an
    endpoint's cache. Where the newest are too long by themselves they are cut as well, all but the last, and in the end
    its middle is left out. A message is dropped together with the answer to it, so that the two sides still take turns.
    """
    window = window_tokens * TOKEN_CHARS
    if _size(messages) <= window or len(messages) <= HEAD:
        return list(messages)
    head, rest = list(messages[:HEAD]), list(messages[HEAD:])
    old = len(rest) - RECENT
    rest = [_cut(one) if index < old else one for index, one in enumerate(rest)]
    first = 0  # of those that are left; the newest cannot be dropped
    while _size([*head, *rest[first:]]) > window and len(rest) - first > RECENT:
        first += 2
    for index in range(first, len(rest) - 1):
        if _size([*head, *rest[first:]]) <= window:
            break
        rest[index] = _cut(rest[index])
    while _size([*head, *rest[first:]]) > window and len(rest) - first > 2:
        first += 2
    room = window - _size([*head, *rest[first:-1]])
    return [*head, *rest[first:-1], _without_middle(rest[-1], room)]


def _size(messages: Sequence[Message]) -> int:
    return sum(len(one.content) for one in messages)


def _cut(message: Message) -> Message:
    if len(message.content) <= CUT_CHARS:
        return message
    return replace(message, content=message.content[: CUT_CHARS - len(_MARK)] + _MARK)


def _without_middle(message: Message, room: int) -> Message:
    """Return the message with as much of both ends as there is room for, a cut message at least."""
    room = max(room, CUT_CHARS)
    if len(message.content) <= room:
        return message
    half = (room - len(_MARK) - 2) // 2
    return replace(message, content=f"{message.content[:half]}\n{_MARK.strip()}\n{message.content[-half:]}")
