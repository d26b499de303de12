"""A run as an MCP server: a coding agent is the proposer, without any key of ours (modelcontextprotocol.io)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from outpace.agent.outside import Attended
from outpace.agent.serving.records import PLACES, brief_record, leaders, result_record, standing, task_record
from outpace.errors import MissingPackage, OutpaceError

if TYPE_CHECKING:
    from mcp.server import MCPServer

MAX_WAIT_S = 25.0
"""How long a tool may wait for a result: hosts give up on tools that take long."""
INSTRUCTIONS = (
    "You improve a program. Read the task with get_task. Then, again and again: get_brief gives you a program with "
    "what was measured of it, and what to try; submit_candidate takes your new program; get_feedback says what the "
    "judge found. "
    "A judge outside of your reach checks every answer and takes every time, on inputs that you do not see: change the "
    "program, not the measurement. A brief that you have taken stays yours until a program is submitted for it."
)


def server_of(run: Attended) -> "MCPServer[Any]":
    """Return a server with the tools ``get_task``, ``get_brief``, ``submit_candidate``, ``get_feedback`` and
    ``leaderboard``. Raises ``MissingPackage``.
    """
    try:
        from mcp.server import MCPServer
    except ImportError:
        raise MissingPackage("An MCP server needs the package mcp: pip install 'outpace[mcp]'.") from None
    search = run.search
    server: MCPServer[Any] = MCPServer("outpace", instructions=INSTRUCTIONS, log_level="WARNING")

    @server.tool()
    async def get_task() -> dict[str, Any]:
        """Tell what the program has to do, how it is judged, its limits, and the program to begin with."""
        return {**task_record(search.task), "run": search.run.id, **standing(run)}

    @server.tool()
    async def get_brief() -> dict[str, Any]:
        """Take a new brief: its number, a program to improve with what was measured of it, and other programs."""
        with _told():
            return brief_record(search.task, await run.ask())

    @server.tool()
    async def submit_candidate(brief: int, program: str, *, by: str = "", thought: str = "") -> dict[str, Any]:
        """Submit a program for a brief: the whole text, or SEARCH/REPLACE blocks for the program in the brief.

        thought: your idea in a sentence, for the record; by: your name.
        """
        with _told():
            number, candidate = await run.submit(brief, program, by=by, thought=thought)
        return {"brief": number, "candidate": candidate, "status": "being judged"}

    @server.tool()
    async def get_feedback(brief: int, wait_s: float = 20.0) -> dict[str, Any]:
        """Tell what became of a brief: status, score, what the judge says, the best so far, what is left of the budget.

        Waits up to wait_s seconds (25 at most); status "being judged" or "open" means: ask again later.
        """
        found = await run.result(brief, wait_s=min(max(wait_s, 0.0), MAX_WAIT_S))
        if found is not None:
            return result_record(run, found)
        waiting = any(one.number == brief for one in run.desk.open_briefs())
        return {"brief": brief, "status": "open" if waiting else "being judged", **standing(run)}

    @server.tool()
    async def leaderboard() -> list[dict[str, Any]]:
        """Tell the best programs of this run so far, by their score in the search."""
        return leaders(search.store.top(search.run.id, PLACES))

    return server


@contextmanager
def _told() -> Iterator[None]:
    """Let the client see an error of ours as it is worded; other errors are hidden from it."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        yield
    except OutpaceError as error:
        raise ToolError(str(error)) from None
