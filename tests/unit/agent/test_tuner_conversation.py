"""How a long conversation is shortened."""

from hypothesis import given
from hypothesis import strategies as st

from outpace.agent.models.base import Message
from outpace.agent.proposers.tuner.conversation import CUT_CHARS, HEAD, RECENT, TOKEN_CHARS, fitted


def conversation(*lengths: int) -> list[Message]:
    """Return a conversation whose messages after the head have these lengths, the last one of the user's."""
    said = [Message("system", "s" * 300), Message("user", "u" * 300)]
    for index, length in enumerate(lengths):
        text = f"{index} " + "x" * max(0, length - len(f"{index} "))
        said.append(Message("user" if index % 2 else "assistant", text))
    return said


def size(messages: list[Message]) -> int:
    return sum(len(one.content) for one in messages)


def test_what_fits_stays_as_it_is() -> None:
    said = conversation(*[1000] * 20)
    assert fitted(said, window_tokens=size(said) // TOKEN_CHARS) == said


def test_older_messages_are_cut_and_the_first_and_newest_stay() -> None:
    said = conversation(*[1000] * 20)
    kept = fitted(said, window_tokens=3000)
    assert len(kept) == len(said)
    assert kept[:HEAD] == said[:HEAD]
    assert kept[-RECENT:] == said[-RECENT:]
    assert all(len(one.content) == CUT_CHARS and one.content.endswith("[…]") for one in kept[HEAD:-RECENT])


def test_then_the_oldest_are_dropped() -> None:
    said = conversation(*[1000] * 60)
    kept = fitted(said, window_tokens=3000)
    assert kept[:HEAD] == said[:HEAD]
    assert kept[-RECENT:] == said[-RECENT:]
    assert HEAD + RECENT < len(kept) < len(said)
    newest_of_the_old = len(said) - RECENT - 1
    assert kept[-RECENT - 1].content.startswith(said[newest_of_the_old].content[:10])


def test_then_the_newest_are_cut_but_the_last() -> None:
    said = conversation(*[1000] * 12)
    kept = fitted(said, window_tokens=800)
    assert kept[-1] == said[-1]
    assert size(kept) <= 800 * TOKEN_CHARS
    assert kept[HEAD].role == "assistant"


def test_in_the_end_the_last_one_loses_its_middle() -> None:
    said = conversation(1000, 50_000)
    kept = fitted(said, window_tokens=1000)
    assert size(kept) <= 1000 * TOKEN_CHARS
    assert kept[-1].content.startswith(said[-1].content[:500]) and kept[-1].content.endswith("x" * 500)


@given(st.lists(st.integers(1, 3000), max_size=80).filter(lambda sizes: len(sizes) % 2 == 0), st.integers(250, 20_000))
def test_it_fits_and_is_still_a_conversation(lengths: list[int], window_tokens: int) -> None:
    said = conversation(*lengths)
    kept = fitted(said, window_tokens=window_tokens)
    assert kept[:HEAD] == said[:HEAD]
    assert kept[-1].role == "user"
    assert size(kept) <= max(window_tokens * TOKEN_CHARS, size(said[:HEAD]) + 2 * CUT_CHARS)
    roles = [one.role for one in kept]
    assert roles == ["system", "user", *["assistant", "user"] * ((len(kept) - HEAD) // 2)]
    if size(said) <= window_tokens * TOKEN_CHARS:
        assert kept == said
    starts = [one.content[:20] for one in said]
    places = [starts.index(one.content[:20].split(" […]")[0].split("\n")[0]) for one in kept if len(one.content) > 40]
    assert places == sorted(places)
