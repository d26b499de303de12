"""``outpace ask``, ``tell``, ``serve`` and ``mcp``: people and agents propose, Outpace judges."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from outpace.agent.budget import Budget
from outpace.agent.cli import records, text
from outpace.agent.cli.home import HomeOption, JsonOption, RunArgument, resolve_home
from outpace.agent.cli.text import plain
from outpace.errors import UsageError

if TYPE_CHECKING:
    from outpace.agent.outside import Attended
    from outpace.agent.proposal import Result

app = typer.Typer()
T = TypeVar("T")
TOKEN = "OUTPACE_TOKEN"  # noqa: S105  the name of a variable
JUDGED_S = 3600.0  # an evaluation has limits of its own; this one is for what is broken

TURN_S = 60.0
"""How long a command waits while another one has the run."""

EvaluationsOption = Annotated[
    int | None, typer.Option("--evaluations", metavar="N", help="Budget from now on.", show_default=False)
]


@app.command("ask")
def ask_command(
    context: typer.Context,
    run: RunArgument,
    *,
    evaluations: EvaluationsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the next brief of a run: what to improve, and how programs have fared so far.

    The run was begun with `outpace run TASK --model outside`. Answer with `outpace tell RUN FILE --brief N`.
    """
    from outpace.agent.serving.records import brief_record

    async def ask(attended: "Attended") -> dict[str, Any]:
        return brief_record(attended.search.task, await attended.ask())

    brief = _attending(run, resolve_home(context, home), ask, evaluations=evaluations)
    if as_json:
        typer.echo(records.dump(brief))
        return
    typer.echo(plain(brief["text"]))
    typer.echo(f"Answer with: outpace tell {run} FILE --brief {brief['brief']}", err=True)


@app.command("tell")
def tell_command(  # noqa: PLR0913  each option is a parameter
    context: typer.Context,
    run: RunArgument,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="The program, or SEARCH/REPLACE blocks; `-`: stdin.")
    ],
    *,
    brief: Annotated[
        int | None, typer.Option("--brief", metavar="N", help="The brief.", show_default="the one that is open")
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who proposes, for the record.")] = "",
    thought: Annotated[str, typer.Option("--thought", metavar="TEXT", help="The idea, in a sentence.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Submit a program for a brief, have it judged, and print what the judge says."""
    from outpace.agent.serving.records import result_record

    answer = answer_of(files)

    async def tell(attended: "Attended") -> tuple["Result", dict[str, Any]]:
        number, _ = await attended.submit(brief, answer, by=by, thought=thought)
        result = await attended.result(number, wait_s=JUDGED_S)
        if result is None:
            raise UsageError(f"Brief {number} was not judged: the run's budget is spent. It stays open.")
        await attended.crowned()
        return result, result_record(attended, result)

    result, record = _attending(run, resolve_home(context, home), tell)
    if as_json:
        typer.echo(records.dump(record))
    else:
        for line in _words(result, record):
            typer.echo(plain(line))


@app.command("serve")
def serve_command(
    context: typer.Context,
    run: RunArgument,
    *,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: any that is free.")] = 8765,
    evaluations: EvaluationsOption = None,
    home: HomeOption = None,
) -> None:
    """Serve a run over HTTP, so that others get briefs and submit programs, until Ctrl-C or the end of its budget.

    Any other address than this machine's own needs a token in the environment variable OUTPACE_TOKEN.
    """
    from outpace.agent.serving.http import LOCAL

    token = os.environ.get(TOKEN) or None
    if ":" in host:
        raise UsageError(f"--host is '{host}'. Expected a name or an IPv4 address; IPv6 is not served.")
    if token is None and host not in LOCAL:
        raise UsageError(
            f"Serving on '{host}' lets others in: set {TOKEN} to a secret, which they send as bearer token."
        )
    folder = resolve_home(context, home)
    _attending(run, folder, lambda attended: _serve(attended, host, port, token), evaluations=evaluations)


@app.command("mcp")
def mcp_command(
    context: typer.Context,
    run: RunArgument,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="Streamable HTTP; 0: any port.", show_default="stdio"
        ),
    ] = None,
    evaluations: EvaluationsOption = None,
    home: HomeOption = None,
) -> None:
    """Be an MCP server for a coding agent: tools get_task, get_brief, submit_candidate, get_feedback, leaderboard.

    It speaks on standard input and output, as hosts of such servers expect; with --port over HTTP, for this machine
    only. The run was begun with `outpace run TASK --model outside`.
    """

    async def serve(attended: "Attended") -> None:
        from outpace.agent.serving.http import listen
        from outpace.agent.serving.mcp import server_of

        server = server_of(attended)
        if port is None:
            await server.run_stdio_async()
            return
        async with listen(server.streamable_http_app(), host="127.0.0.1", port=port) as (url, ended):
            typer.echo(f"Run {attended.search.run.id} is served at {url}/mcp until Ctrl-C", err=True)
            await attended.until_ended(ended)

    _attending(run, resolve_home(context, home), serve, evaluations=evaluations)


async def _serve(attended: "Attended", host: str, port: int, token: str | None) -> None:
    from outpace.agent.serving.http import app_of, listen

    async with listen(app_of(attended, token=token), host=host, port=port) as (url, ended):
        typer.echo(f"Run {attended.search.run.id} is served at {url} until Ctrl-C", err=True)
        typer.echo(f"A brief: curl -X POST {url}/briefs", err=True)
        await attended.until_ended(ended)


def _attending(
    run: str, home: Path, work: Callable[["Attended"], Awaitable[T]], *, evaluations: int | None = None
) -> T:
    """Carry the run on while ``work`` is done; say who won if that ended it."""
    from outpace.agent.cli import report as last_words
    from outpace.agent.evolve import resumed
    from outpace.agent.outside import attended

    budget = None if evaluations is None else Budget(evaluations=evaluations)

    async def attend() -> tuple[T, "Attended"]:
        async with resumed(run, home=home, budget=budget, wait_s=TURN_S) as search:
            async with attended(search) as found:
                done = await work(found)
            return done, found

    done, found = asyncio.run(attend())
    if found.report:
        for line in last_words.words(found.report, home, named_home=None):
            print(plain(line), file=sys.stderr)
    return done


def answer_of(files: Sequence[str]) -> str:
    """Return what the files submit: the one as it is, or several, each under its path."""
    if len(files) == 1:
        return _read(files[0])
    from outpace.agent.prompts.templates import fence

    if "-" in files:
        raise UsageError("Standard input stands alone: name all files, or send one answer through it.")
    return "\n".join(f"{Path(file).as_posix()}\n{fence(_read(file))}" for file in files)


def _read(file: str) -> str:
    """Return the text of a file, or of standard input."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"'{file}' is no UTF-8 text. Expected a program, or SEARCH/REPLACE blocks.") from None


def _words(result: "Result", record: dict[str, Any]) -> Iterator[str]:
    """Yield what became of a brief, for people."""
    yield f"Brief {record['brief']}: candidate {record['candidate']} is {record['status']}" + (
        " (seen before)" if record["seen_before"] else ""
    )
    if record["score"] is not None:
        best = "" if record["best_score"] is None else f"; best so far {text.number(record['best_score'])}"
        mark = f" ({text.SELF_REPORTED})" if record["self_reported"] else ""
        yield f"  score {text.number(record['score'])}{best}{mark}"
    if result.evaluation and result.evaluation.feedback:
        yield from (f"  {line}" for line in result.evaluation.feedback.splitlines())
    elif result.failure:
        yield f"  {result.failure}"
    left = ", ".join(f"{text.number(value)} {name}" for name, value in record["left"].items())
    yield f"  left: {left}"
