"""A real HTTP server that speaks chat completions and answers from a script."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import pytest

Script = Callable[[list[dict[str, str]]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What one request gets in place of an answer."""

    kind: Literal["status", "hang", "cut", "close"] = "status"
    status: int = 500
    body: Mapping[str, Any] | str = field(default_factory=lambda: {"error": {"message": "the server has a bad day"}})
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came: path, headers in lower case, body, and when (monotonic, s)."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    at_s: float


class _Http(ThreadingHTTPServer):
    daemon_threads = False  # so that closing the server waits for its threads
    request_queue_size = 128


class ModelServer:
    """A chat completions endpoint on a free port of 127.0.0.1, in a thread.

    ``answers``: a list of texts, given once each in the order of requests (``n`` for one that asks for so many, or what
    is left), or a function of the messages. A list that
    is used up answers 400. ``faults`` come first, one a request. ``key`` and ``models``: what is accepted, None for
    anything; ``unknown``: fields of the request that are refused. ``usage`` and ``finish`` go out with every answer;
    ``delay_s`` passes before it. ``requests`` holds what came, ``arrived`` is set with each request.
    """

    def __init__(self) -> None:
        self.answers: list[str] | Script = []
        self.faults: list[Fault] = []
        self.requests: list[Seen] = []
        self.key: str | None = None
        self.models: set[str] | None = None
        self.usage: Mapping[str, Any] | None = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        self.finish = "stop"
        self.delay_s = 0.0
        self.unknown: set[str] = set()
        self.arrived = threading.Event()
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._http = _Http(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def close(self) -> None:
        """Stop: hanging requests end, connections are cut."""
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()

    def reply(self, seen: Seen) -> Fault:
        """Return what a request gets: a fault, or an answer as one with status 200."""
        with self._lock:
            self.requests.append(seen)
            self.arrived.set()
            if self.faults:
                return self.faults.pop(0)
            if self.key is not None and seen.headers.get("authorization") != f"Bearer {self.key}":
                quoted = seen.headers.get("authorization", "").removeprefix("Bearer ")
                return _refused(401, f"Incorrect API key provided: {quoted}.", code="invalid_api_key")
            if self.models is not None and seen.body["model"] not in self.models:
                return _refused(404, f"The model `{seen.body['model']}` does not exist.", code="model_not_found")
            for name in sorted(self.unknown & set(seen.body)):
                return _refused(400, f"Unsupported parameter: '{name}'", code="unsupported_parameter", param=name)
            if not callable(self.answers):
                if not self.answers:
                    return _refused(400, "the script has no answer left")
                count = seen.body.get("n", 1)
                texts, self.answers = self.answers[:count], self.answers[count:]
            else:
                texts = [self.answers(seen.body["messages"]) for _ in range(seen.body.get("n", 1))]
        self.stopping.wait(self.delay_s)
        return Fault(status=200, body=self.completion(texts, seen.body["model"]))

    def completion(self, texts: list[str], model: str) -> dict[str, Any]:
        """Return an answer in the form of the protocol."""
        choices = [
            {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": self.finish}
            for index, text in enumerate(texts)
        ]
        body = {"id": f"chatcmpl-{len(self.requests)}", "object": "chat.completion", "created": 1, "model": model}
        return {**body, "choices": choices, **({} if self.usage is None else {"usage": dict(self.usage)})}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with server._lock:
                    server._open.add(self.connection)

            def finish(self) -> None:
                with server._lock:
                    server._open.discard(self.connection)
                super().finish()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(path=self.path, headers=headers, body=body, at_s=time.monotonic())
                self.answer(
                    server.reply(seen) if self.path == "/v1/chat/completions" else _refused(404, "no such path")
                )

            def answer(self, fault: Fault) -> None:
                self.close_connection = fault.kind != "status"
                if fault.kind == "hang":
                    server.stopping.wait()
                elif fault.kind != "close":
                    data = fault.body.encode() if isinstance(fault.body, str) else json.dumps(fault.body).encode()
                    self.send_response(200 if fault.kind == "cut" else fault.status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data) + (1000 if fault.kind == "cut" else 0)))
                    for name, value in fault.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


def _refused(status: int, message: str, *, code: str | None = None, param: str | None = None) -> Fault:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Fault(status=status, body={"error": error})


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A scripted chat completions server; see ``ModelServer``."""
    server = ModelServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def fault() -> type[Fault]:
    """The class of faults, for tests to make them: test files cannot import this one."""
    return Fault
