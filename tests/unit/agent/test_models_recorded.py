"""``RecordedModel``: no answer is paid for twice."""

import asyncio
from collections.abc import Sequence

import pytest

from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.models.recorded import RecordedModel
from outpace.agent.models.scripted import ScriptedModel
from outpace.errors import ModelTransient

ASK = [Message("user", "improve it")]


class SlowModel:
    """Counts its questions and answers when told to."""

    name = "slow"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.fail_first = False
        self.closed = False

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        self.asked.append(key)
        await self.go.wait()
        if self.fail_first and len(self.asked) == 1:
            raise ModelTransient("not now")
        return Completion(text=f"answer {len(self.asked)} to {key}", model=self.name)

    async def aclose(self) -> None:
        self.closed = True


def test_a_recorded_answer_serves_without_asking() -> None:
    store = {"1/0": Completion(text="old", model="m")}
    model = RecordedModel(ScriptedModel([]), store.get, store.__setitem__)
    assert model.name == "scripted"
    assert asyncio.run(model.complete(ASK, key="1/0")).text == "old"


def test_a_new_answer_is_on_record_before_it_is_seen() -> None:
    store: dict[str, Completion] = {}
    model = RecordedModel(ScriptedModel(["one"]), store.get, store.__setitem__)

    async def run() -> None:
        answer = await model.complete(ASK, key="1/0")
        assert store == {"1/0": answer}
        assert await model.complete(ASK, key="1/0") is answer

    asyncio.run(run())


def test_requests_for_one_key_share_one_answer_and_keys_do_not_wait_for_each_other() -> None:
    async def run() -> None:
        store: dict[str, Completion] = {}
        slow = SlowModel()
        model = RecordedModel(slow, store.get, store.__setitem__)
        requests = [asyncio.create_task(model.complete(ASK, key=key)) for key in ("1/0", "1/0", "2/0", "1/0")]
        await asyncio.sleep(0.01)
        slow.go.set()
        answers = await asyncio.gather(*requests)
        assert sorted(slow.asked) == ["1/0", "2/0"]
        assert answers[0] is answers[1] is answers[3]
        assert answers[2].text.endswith("2/0")

    asyncio.run(run())


def test_a_failed_request_leaves_the_key_to_the_next() -> None:
    async def run() -> None:
        store: dict[str, Completion] = {}
        slow = SlowModel()
        slow.fail_first = True
        slow.go.set()
        model = RecordedModel(slow, store.get, store.__setitem__)
        first, second = await asyncio.gather(
            model.complete(ASK, key="1/0"), model.complete(ASK, key="1/0"), return_exceptions=True
        )
        assert isinstance(first, ModelTransient)
        assert isinstance(second, Completion)
        assert store == {"1/0": second}

    asyncio.run(run())


def test_a_cancelled_request_leaves_the_key_to_the_next() -> None:
    async def run() -> None:
        store: dict[str, Completion] = {}
        slow = SlowModel()
        model = RecordedModel(slow, store.get, store.__setitem__)
        first = asyncio.create_task(model.complete(ASK, key="1/0"))
        second = asyncio.create_task(model.complete(ASK, key="1/0"))
        await asyncio.sleep(0)
        first.cancel()
        slow.go.set()
        assert (await second).text == store["1/0"].text
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(run())


def test_an_answer_is_recorded_even_if_its_asker_is_cancelled_meanwhile() -> None:
    async def run() -> None:
        store: dict[str, Completion] = {}
        recording, go = asyncio.Event(), asyncio.Event()

        async def recall(key: str) -> Completion | None:
            return store.get(key)

        async def record(key: str, completion: Completion) -> None:
            recording.set()
            await go.wait()
            store[key] = completion

        model = RecordedModel(ScriptedModel(["paid for"]), recall, record)
        request = asyncio.create_task(model.complete(ASK, key="1/0"))
        await recording.wait()
        request.cancel()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await request
        await asyncio.sleep(0)
        assert store["1/0"].text == "paid for"

    asyncio.run(run())


def test_closing_closes_the_model_inside() -> None:
    slow = SlowModel()
    asyncio.run(RecordedModel(slow, lambda _: None, lambda _key, _completion: None).aclose())
    assert slow.closed
    asyncio.run(RecordedModel(ScriptedModel([]), lambda _: None, lambda _key, _completion: None).aclose())
