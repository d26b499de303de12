"""A run over HTTP: JSON in, JSON out; for this machine, or with a token for others."""

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from outpace.agent.outside import Attended
from outpace.agent.serving.records import (
    PLACES,
    brief_record,
    leaders,
    result_record,
    standing,
    task_record,
)
from outpace.errors import MissingPackage, OutpaceError, ProposalError, UsageError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

GRACE_S = 2
"""How long requests that are under way may take when the server ends."""
LOCAL, ANY = ("127.0.0.1", "localhost"), ("*",)
"""Names under which a server may be addressed: without a token those of this machine, so that no name that somebody
else lets lead here is served."""
MAX_BODY = 4 << 20
"""The largest request in bytes."""
MAX_WAIT_S = 60.0
"""The longest that a request may wait for a result; ask again after that."""
Answer = Callable[["Request"], Awaitable[tuple[int, Any]]]


class _TooLarge(UsageError):
    """A request's body is larger than is taken."""


def app_of(run: Attended, *, token: str | None = None) -> "Starlette":
    """Return the application: ``GET /task``, ``/run``, ``/leaderboard``, ``POST /briefs``, ``GET /briefs/N``,
    ``POST /briefs/N/candidate`` and ``GET /briefs/N/result``.

    With a ``token`` every request must carry it (``Authorization: Bearer …``); without one, only requests to this
    machine's own names are answered. Raises ``MissingPackage``.
    """
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
        from starlette.routing import Route
    except ImportError:
        raise MissingPackage("Serving a run needs starlette and uvicorn: pip install 'outpace[serve]'.") from None
    desk = _Desk(run)
    routes: list[tuple[str, str, Answer]] = [
        ("GET", "/task", desk.task),
        ("GET", "/run", desk.run),
        ("GET", "/leaderboard", desk.leaderboard),
        ("POST", "/briefs", desk.ask),
        ("GET", "/briefs/{number:int}", desk.brief),
        ("POST", "/briefs/{number:int}/candidate", desk.submit),
        ("GET", "/briefs/{number:int}/result", desk.result),
    ]
    return Starlette(
        routes=[Route(path, _guarded(answer, token), methods=[method]) for method, path, answer in routes],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*(ANY if token else LOCAL)], www_redirect=False)],
    )


@asynccontextmanager
async def listen(app: "Starlette", *, host: str, port: int) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Serve the application while the block lasts; give its address, and an event that is set by Ctrl-C.

    Raises ``UsageError`` where the address cannot be had, ``MissingPackage``.
    """
    try:
        import uvicorn
    except ImportError:
        raise MissingPackage("Serving a run needs starlette and uvicorn: pip install 'outpace[serve]'.") from None
    try:
        opened = socket.create_server((host, port))
    except OSError as error:
        raise UsageError(f"Cannot listen on {host}, port {port}: {error.strerror}. Name another --port.") from None
    config = uvicorn.Config(app, log_level="warning", lifespan="auto", timeout_graceful_shutdown=GRACE_S)
    server = uvicorn.Server(config)
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            await server.serve(sockets=[opened])
        finally:
            ended.set()

    serving = asyncio.create_task(serve())
    try:
        yield f"http://{host}:{opened.getsockname()[1]}", ended
    finally:
        server.should_exit = True
        await asyncio.wait([serving])
        opened.close()


class _Desk:
    """The answers to requests, as HTTP status and JSON value."""

    def __init__(self, run: Attended) -> None:
        self._run = run
        self._search = run.search

    async def task(self, request: "Request") -> tuple[int, Any]:
        return 200, task_record(self._search.task)

    async def run(self, request: "Request") -> tuple[int, Any]:
        return 200, {"run": self._search.run.id, "open": self._numbers(), **standing(self._run)}

    async def leaderboard(self, request: "Request") -> tuple[int, Any]:
        return 200, leaders(self._search.store.top(self._search.run.id, PLACES))

    async def ask(self, request: "Request") -> tuple[int, Any]:
        return 201, brief_record(self._search.task, await self._run.ask())

    async def brief(self, request: "Request") -> tuple[int, Any]:
        number = request.path_params["number"]
        for brief in self._run.desk.open_briefs():
            if brief.number == number:
                return 200, brief_record(self._search.task, brief)
        return 404, {"error": f"Brief {number} is not open. Open: {self._numbers() or 'none'}."}

    async def submit(self, request: "Request") -> tuple[int, Any]:
        number, given = request.path_params["number"], await _body(request)
        text = _text(given, "program")
        by, thought = (_text(given, name, optional=True) for name in ("by", "thought"))
        number, candidate = await self._run.submit(number, text, by=by, thought=thought)
        return 202, {"brief": number, "candidate": candidate, "result": f"/briefs/{number}/result"}

    async def result(self, request: "Request") -> tuple[int, Any]:
        number = request.path_params["number"]
        found = await self._run.result(number, wait_s=_wait_s(request))
        if found is None:
            return 202, {"brief": number, "status": "open" if number in self._numbers() else "being judged"}
        return 200, result_record(self._run, found)

    def _numbers(self) -> list[int]:
        return [brief.number for brief in self._run.desk.open_briefs()]


def _guarded(answer: Answer, token: str | None) -> Callable[["Request"], Awaitable["Response"]]:
    """Return an endpoint: who may not is refused, errors of ours become one line and a status."""

    async def endpoint(request: "Request") -> "Response":
        from starlette.responses import JSONResponse

        status, value = await _answered(answer, request, token)
        return JSONResponse(value, status_code=status)

    return endpoint


async def _answered(answer: Answer, request: "Request", token: str | None) -> tuple[int, Any]:
    if refused := _refused(request, token):
        return refused
    try:
        return await answer(request)
    except _TooLarge as error:
        return 413, {"error": str(error)}
    except ProposalError as error:
        return 422, {"error": str(error), "excerpt": getattr(error, "excerpt", "")}
    except UsageError as error:
        return 409, {"error": str(error)}
    except OutpaceError as error:
        return 503, {"error": str(error)}


def _refused(request: "Request", token: str | None) -> tuple[int, Any] | None:
    if "origin" in request.headers:  # a page of some site, in a browser that can reach this address
        return 403, {"error": "Pages in a browser are not served here."}
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token is not None and not hmac.compare_digest(given.encode(), token.encode()):
        return 401, {"error": "A token is needed: Authorization: Bearer TOKEN, as it was given to `outpace serve`."}
    return None


async def _body(request: "Request") -> dict[str, Any]:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise _TooLarge(f"The request is larger than {MAX_BODY} bytes.")
    try:
        value = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The request is no JSON ({error}). Expected an object with 'program'.") from None
    if not isinstance(value, dict):
        raise UsageError(f"The request is a JSON {type(value).__name__}. Expected an object with 'program'.")
    return value


def _text(given: dict[str, Any], name: str, *, optional: bool = False) -> str:
    value = given.get(name, "" if optional else None)
    if not isinstance(value, str):
        raise UsageError(f"'{name}' of the request is {type(value).__name__}. Expected text.")
    return value


def _wait_s(request: "Request") -> float:
    given = request.query_params.get("wait_s", "0")
    try:
        wait_s = float(given)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s <= MAX_WAIT_S:
        raise UsageError(f"wait_s is {given!r}. Expected seconds from 0 to {MAX_WAIT_S:g}.")
    return wait_s
