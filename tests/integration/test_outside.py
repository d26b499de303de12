"""Programs from outside: over the command line, over HTTP, several at once, through kills and the end of the budget."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.evolve import RunOptions, open_run, resumed
from outpace.agent.outside import attended
from outpace.agent.proposing import Proposing
from outpace.agent.serving.http import MAX_BODY, app_of, listen
from outpace.agent.store import open_store
from outpace.errors import UsageError

RINGS = "RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {radius:.3f}, 0.02)]"


def outpace(
    home: Path, *arguments: str, told: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "outpace", *arguments, "--home", str(home)]
    return subprocess.run(
        command, input=told, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


def asked(home: Path, run: str = "last") -> dict[str, Any]:
    done = outpace(home, "ask", run, "--json")
    assert done.returncode == 0, done.stderr
    brief: dict[str, Any] = json.loads(done.stdout)
    return brief


@pytest.fixture
def run(tmp_path: Path) -> str:
    """Return the id of an open run with twelve evaluations, its start's included."""
    done = outpace(tmp_path, "run", "circle_packing", "--model", "outside", "--evaluations", "12", "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["id"])


def widened(brief: Mapping[str, Any], radius: float) -> str:
    """Return the program of the brief's parent with another outer ring."""
    program: str = brief["parents"][0]["files"]["program.py"]
    (line,) = [line for line in program.splitlines() if line.startswith("RINGS = ")]
    return program.replace(line, RINGS.format(radius=radius))


def test_from_brief_to_feedback_on_the_command_line(run: str, tmp_path: Path) -> None:
    brief = asked(tmp_path, run)
    assert (brief["brief"], len(brief["parents"])) == (1, 1)
    assert "# Task: " in brief["text"] and "RINGS" in brief["text"]
    program = tmp_path / "mine.py"
    program.write_text(widened(brief, 0.41))
    told = outpace(tmp_path, "tell", run, str(program), "--by", "me", "--thought", "wider", "--json")
    assert told.returncode == 0, told.stderr
    record = json.loads(told.stdout)
    assert (record["brief"], record["status"], record["left"]) == (1, "ok", {"evaluations": 10})
    assert record["score"] > brief["parents"][0]["score"]
    assert record["best_score"] == record["score"]
    store = open_store(tmp_path)
    (_, result), *_ = store.lineage(record["candidate"])
    store.close()
    assert result.proposal and (result.proposal.proposer, result.proposal.thought) == ("outside:me", "wider")


@pytest.mark.slow
def test_what_is_no_program_goes_back_and_the_brief_stays_open(run: str, tmp_path: Path) -> None:
    brief = asked(tmp_path)
    broken = outpace(tmp_path, "tell", run, "-", told="def pack(:\n")
    assert broken.returncode == 1
    assert broken.stderr.count("\n") == 1 and "does not parse" in broken.stderr
    told = outpace(tmp_path, "tell", run, "-", told=widened(brief, 0.405))
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Brief 1: candidate ") and " is ok" in told.stdout
    again = outpace(tmp_path, "tell", run, "-", "--brief", "1", told=widened(brief, 0.406))
    assert (again.returncode, again.stderr) == (2, "outpace: Brief 1 is not open. Open: none.\n")


@pytest.mark.slow
def test_several_agents_on_one_run_each_have_a_brief_of_their_own(run: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as agents:
        briefs = list(agents.map(lambda _: asked(tmp_path, run), range(3)))
        assert sorted(brief["brief"] for brief in briefs) == [1, 2, 3]
        which = outpace(tmp_path, "tell", run, "-", told=widened(briefs[0], 0.41))
        assert (which.returncode, which.stderr) == (2, "outpace: Which brief is that program for? Open: 1, 2, 3.\n")

        def tell(brief: Mapping[str, Any]) -> dict[str, Any]:
            number = str(brief["brief"])
            told = outpace(
                tmp_path, "tell", run, "-", "--brief", number, "--json", told=widened(brief, 0.4 + brief["brief"] / 100)
            )
            assert told.returncode == 0, told.stderr
            record: dict[str, Any] = json.loads(told.stdout)
            return record

        records = list(agents.map(tell, briefs))
    assert [record["status"] for record in records] == ["ok"] * 3
    assert sorted(record["left"]["evaluations"] for record in records) == [8, 9, 10]


@pytest.mark.slow
def test_the_budget_ends_the_run_with_a_champion_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    done = outpace(tmp_path, "run", "circle_packing", "--model", "outside", "--evaluations", "2")
    assert done.returncode == 0, done.stderr
    assert "is open: its start is judged" in done.stdout
    told = outpace(tmp_path, "tell", "last", "-", told=widened(asked(tmp_path), 0.41))
    assert told.returncode == 0, told.stderr
    assert "left: 0 evaluations" in told.stdout
    assert "Champion " in told.stderr
    spent = outpace(tmp_path, "ask", "last")
    assert spent.returncode == 2
    assert "has spent its budget (2 evaluations): there are no more briefs" in spent.stderr
    more = outpace(tmp_path, "ask", "last", "--evaluations", "5", "--json")
    assert more.returncode == 0, more.stderr
    assert json.loads(more.stdout)["brief"] == 2


@pytest.mark.slow
def test_a_run_that_proposes_for_itself_gives_out_no_briefs_and_the_other_way_round(run: str, tmp_path: Path) -> None:
    resumed_run = outpace(tmp_path, "resume", run)
    assert resumed_run.returncode == 2
    assert "waits for programs from outside: outpace ask" in resumed_run.stderr
    own = outpace(tmp_path, "run", "circle_packing", "--evaluations", "2")
    assert own.returncode == 0, own.stderr
    refused = outpace(tmp_path, "ask", "last")
    assert refused.returncode == 2
    assert "is served by 'operators'. Only runs of 'outside' give out briefs" in refused.stderr


def test_others_are_let_in_with_a_token_only(run: str, tmp_path: Path) -> None:
    refused = outpace(tmp_path, "serve", run, "--host", "0.0.0.0", OUTPACE_TOKEN="")
    assert refused.returncode == 2
    assert "set OUTPACE_TOKEN to a secret" in refused.stderr


@contextmanager
def server(home: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Give a server in a process of its own, with its address; it is gone at the end."""
    command = [sys.executable, "-m", "outpace", *arguments, "--port", "0", "--home", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            yield process, process.stderr.readline().split(" is served at ")[1].split()[0]
        finally:
            process.kill()


class Client:
    """A plain HTTP client."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url, self.headers = url, headers

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, dict(self.headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            return error.code, json.loads(text) if text.startswith("{") else text


class Served:
    """A run on a free port, in a thread of its own."""

    def __init__(self, home: Path, *, evaluations: int = 40, token: str | None = None) -> None:
        self.home, self.evaluations, self.token = home, evaluations, token
        self.ready, self.stop = threading.Event(), threading.Event()
        self.url = ""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> "Served":
        self._thread.start()
        assert self.ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join()

    async def _serve(self) -> None:
        import outpace as package

        budget = package.Budget(evaluations=self.evaluations)
        options = RunOptions(task="circle_packing", proposing=Proposing(proposer="outside"), budget=budget, workers=2)
        begun = await open_run(options, home=self.home)
        async with (
            resumed(begun.id, home=self.home) as search,
            attended(search) as run,
            listen(app_of(run, token=self.token), host="127.0.0.1", port=0) as (self.url, _),
        ):
            self.ready.set()
            await asyncio.to_thread(self.stop.wait)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path) as found:
        yield found


def test_a_plain_client_drives_five_candidates_from_brief_to_feedback(served: Served) -> None:
    client = Client(served.url)
    status, task = client("GET", "/task")
    assert (status, task["name"], task["entry"]) == (200, "circle_packing", "pack")
    assert all(set(case) == {"name", "params"} for case in task["cases"])
    scores = []
    for number in range(1, 6):
        status, brief = client("POST", "/briefs")
        assert (status, brief["brief"]) == (201, number)
        body = {"program": widened(brief, 0.4 + number / 250), "by": "plain", "thought": f"ring {number}"}
        status, accepted = client("POST", f"/briefs/{number}/candidate", body)
        assert status == 202
        status, record = client("GET", f"{accepted['result']}?wait_s=30")
        assert (status, record["status"], record["candidate"]) == (200, "ok", accepted["candidate"])
        scores.append(record["score"])
    status, leaders = client("GET", "/leaderboard")
    assert [one["place"] for one in leaders] == [1, 2, 3, 4, 5, 6]
    assert leaders[0]["score"] == max(scores)
    status, run = client("GET", "/run")
    assert (run["open"], run["left"], run["best_score"]) == ([], {"evaluations": 34}, max(scores))


def test_what_bad_requests_get(served: Served) -> None:
    client = Client(served.url)
    _, brief = client("POST", "/briefs")
    assert client("GET", "/briefs/1")[1] == brief
    assert client("GET", "/briefs/1/result") == (202, {"brief": 1, "status": "open"})
    assert client("GET", "/briefs/9")[0] == 404
    assert client("POST", "/briefs/9/candidate", {"program": "x = 1\n"}) == (
        409,
        {"error": "Brief 9 is not open. Open: 1."},
    )
    status, said = client("POST", "/briefs/1/candidate", {"program": "def pack(:\n"})
    assert status == 422 and "does not parse" in said["error"] and "def pack(:" in said["excerpt"]
    for body, words in (
        (b"{", "The request is no JSON"),
        (b"[" * 100_000, "The request is no JSON"),
        (["x"], "The request is a JSON list"),
        ({"edit": "x"}, "'program' of the request is NoneType"),
        ({"program": 3}, "'program' of the request is int"),
    ):
        status, said = client("POST", "/briefs/1/candidate", body)
        assert status == 409 and words in said["error"]
    assert client("POST", "/briefs/1/candidate", b" " * (MAX_BODY + 1))[0] == 413
    assert client("GET", "/briefs/1/result?wait_s=nan")[0] == 409
    assert Client(served.url, Host="evil.example")("GET", "/task")[0] == 400
    assert Client(served.url, Origin="http://evil.example")("GET", "/task")[0] == 403
    assert client("GET", "/briefs/1")[0] == 200, "after all that it is still open"


def test_a_token_is_asked_of_everybody(tmp_path: Path) -> None:
    with Served(tmp_path, token="a secret of ours") as served:
        assert Client(served.url)("GET", "/task")[0] == 401
        assert Client(served.url, Authorization="Bearer a secret of yours")("POST", "/briefs")[0] == 401
        assert Client(served.url, Authorization="Bearer a secret of ours")("GET", "/task")[0] == 200
        elsewhere = Client(served.url, Authorization="Bearer a secret of ours", Host="gpu-box.example:8765")
        assert elsewhere("GET", "/task")[0] == 200


@pytest.mark.slow
def test_several_clients_at_once_are_judged_each_for_their_own(served: Served) -> None:
    def drive(agent: int) -> list[tuple[int, str]]:
        client, found = Client(served.url), []
        for turn in range(3):
            _, brief = client("POST", "/briefs")
            number = brief["brief"]
            body = {"program": widened(brief, 0.402 + (3 * agent + turn) / 500), "by": f"agent {agent}"}
            _, accepted = client("POST", f"/briefs/{number}/candidate", body)
            status, record = client("GET", f"/briefs/{number}/result?wait_s=60")
            assert (status, record["candidate"]) == (200, accepted["candidate"])
            found.append((number, record["status"]))
        return found

    with ThreadPoolExecutor(4) as agents:
        served_briefs = [one for found in agents.map(drive, range(4)) for one in found]
    assert sorted(number for number, _ in served_briefs) == list(range(1, 13))
    assert {status for _, status in served_briefs} == {"ok"}


@pytest.mark.slow
def test_the_end_of_the_budget_over_http(tmp_path: Path) -> None:
    with Served(tmp_path, evaluations=2) as served:
        client = Client(served.url)
        _, brief = client("POST", "/briefs")
        client("POST", "/briefs/1/candidate", {"program": widened(brief, 0.41)})
        assert client("GET", "/briefs/1/result?wait_s=60")[1]["status"] == "ok"
        status, said = client("POST", "/briefs")
        assert status == 409 and "has spent its budget" in said["error"]
    store = open_store(tmp_path)
    assert store.run("last").champion
    store.close()


@pytest.mark.slow
def test_a_served_run_that_is_killed_keeps_its_briefs(run: str, tmp_path: Path) -> None:
    with server(tmp_path, "serve", run) as (process, url):
        _, brief = Client(url)("POST", "/briefs")
        process.kill()
        process.wait()
    told = outpace(tmp_path, "tell", run, "-", "--json", told=widened(brief, 0.41))
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["status"] == "ok"


def test_ctrl_c_ends_a_server_and_nothing_is_lost(run: str, tmp_path: Path) -> None:
    with server(tmp_path, "serve", run) as (process, url):
        Client(url)("POST", "/briefs")
        process.send_signal(signal.SIGINT)
        assert process.wait(40) in (0, 130)
        assert process.stderr and "Traceback" not in process.stderr.read()
    store = open_store(tmp_path)
    assert [pending.brief.number for pending in store.pending(run)] == [1]
    assert store.run(run).status == "stopped"
    store.close()


def test_a_desk_needs_a_run_for_others(tmp_path: Path) -> None:
    async def attend() -> None:
        own = RunOptions(task="circle_packing", budget=None)
        from outpace.agent.evolve import begun

        async with begun(own, home=tmp_path) as search:
            try:
                async with attended(search):
                    pytest.fail("attended")
            finally:
                search.writer.shutdown()

    with pytest.raises(UsageError, match="Only runs of 'outside' give out briefs"):
        asyncio.run(attend())


# as an MCP server


def structured(result: Any) -> Any:
    assert not result.is_error, result.content
    found = result.structured_content
    return found["result"] if set(found) == {"result"} else found


async def driven(client: Any, *, candidates: int) -> list[dict[str, Any]]:
    """Drive candidates from brief to feedback, as a coding agent does."""
    task = structured(await client.call_tool("get_task", {}))
    assert (task["name"], task["entry"]) == ("circle_packing", "pack")
    records = []
    for number in range(1, candidates + 1):
        brief = structured(await client.call_tool("get_brief", {}))
        program = widened(brief, 0.4 + number / 250)
        told = {"brief": brief["brief"], "program": program, "by": "an agent", "thought": f"ring {number}"}
        accepted = structured(await client.call_tool("submit_candidate", told))
        record = {"status": "being judged"}
        while record["status"] == "being judged":
            record = structured(await client.call_tool("get_feedback", {"brief": brief["brief"]}))
        assert record["candidate"] == accepted["candidate"]
        records.append(record)
    leaders = structured(await client.call_tool("leaderboard", {}))
    assert leaders[0]["score"] == max(record["score"] for record in records)
    return records


def test_an_mcp_client_drives_five_candidates_from_brief_to_feedback_over_stdio(run: str, tmp_path: Path) -> None:
    from mcp import Client, StdioServerParameters

    async def drive() -> list[dict[str, Any]]:
        arguments = ["-m", "outpace", "mcp", run, "--home", str(tmp_path)]
        async with Client(StdioServerParameters(command=sys.executable, args=arguments)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert names == {"get_task", "get_brief", "submit_candidate", "get_feedback", "leaderboard"}
            return await driven(client, candidates=5)

    records = asyncio.run(drive())
    assert [record["status"] for record in records] == ["ok"] * 5
    assert records[-1]["left"] == {"evaluations": 6}


def test_mistakes_of_an_mcp_client_come_back_as_words(run: str, tmp_path: Path) -> None:
    from mcp import Client

    from outpace.agent.serving.mcp import server_of

    async def drive() -> list[Any]:
        async with (
            resumed(run, home=tmp_path) as search,
            attended(search) as found,
            Client(server_of(found), raise_exceptions=True) as client,
        ):
            brief = structured(await client.call_tool("get_brief", {}))
            number, unchanged = brief["brief"], brief["parents"][0]["files"]["program.py"]
            mistakes = [
                await client.call_tool("submit_candidate", {"brief": 99, "program": "x = 1\n"}),
                await client.call_tool("submit_candidate", {"brief": number, "program": "def pack(:\n"}),
                await client.call_tool("submit_candidate", {"brief": number, "program": unchanged}),
                await client.call_tool("submit_candidate", {"brief": "first", "program": ""}),
            ]
            still = structured(await client.call_tool("get_feedback", {"brief": number, "wait_s": 0}))
            assert still["status"] == "open"
            return mistakes

    expected = ("Brief 99 is not open. Open: 1.", "does not parse", "No change", "brief")
    for result, words in zip(asyncio.run(drive()), expected, strict=True):
        assert result.is_error
        assert words in result.content[0].text


@pytest.mark.slow
def test_over_streamable_http(run: str, tmp_path: Path) -> None:
    from mcp import Client

    with server(tmp_path, "mcp", run) as (process, url):

        async def drive() -> list[dict[str, Any]]:
            async with Client(url) as client:
                return await driven(client, candidates=2)

        assert [record["status"] for record in asyncio.run(drive())] == ["ok", "ok"]
        process.send_signal(signal.SIGINT)
        assert process.wait(40) in (0, 130)


@pytest.mark.slow
def test_what_was_taken_and_left_is_handed_out_once_more(tmp_path: Path) -> None:
    with Served(tmp_path, evaluations=3) as served:
        client = Client(served.url)
        taken = [client("POST", "/briefs")[1]["brief"] for _ in range(3)]
        assert taken == [1, 2, 1]
