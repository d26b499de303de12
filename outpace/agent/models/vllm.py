"""A model on a vLLM server: one that Outpace starts and ends itself, or one that runs already."""

import asyncio
import importlib.util
import json
import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from outpace.agent.models import keeper
from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.models.failures import Failure
from outpace.agent.models.openai import OpenAIModel
from outpace.agent.models.retry import Retry
from outpace.errors import MissingPackage, ModelPermanent, UsageError

ARGUMENTS = "OUTPACE_VLLM_ARGS"
"""The environment's variable with further arguments for ``vllm serve``."""
KEY = "VLLM_API_KEY"
"""Where vLLM reads its key from, and where that of a running server is read from here."""
START_S = 1800.0
"""How long a server may take until it is ready: a large model is read for many minutes."""
_MODULE = "vllm.entrypoints.cli.main"
# a weak model can fill its answer with white space, which JSON allows anywhere; 0.32 reads this from the server only
_COMPACT = json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})
_SERVING = ("--enable-prompt-tokens-details", "--enable-prefix-caching", "--structured-outputs-config", _COMPACT)
_HOST = "127.0.0.1"
_POLL_S = 0.25
_ANSWER_S = 900.0  # an answer waits for its turn in the batch
_READ = 65536  # bytes at the end of the log that are looked at
_SHOWN = 5  # lines of it that an error quotes
_SECRET = re.compile(r"(^|_)(API)?(KEY|TOKEN|PASS)S?($|_)|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
_ITS_OWN = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}  # with which vLLM fetches models that are not open to all
_HERE_ONLY = {"VIRTUAL_ENV", "PYTHONHOME", "OPENAI_BASE_URL"}


class VllmModel:
    """Answers from a vLLM server.

    Without ``base_url`` the server is started at the first request, on a free port of 127.0.0.1 with a random key of
    its own, and ended by ``aclose()``, or when this process ends, whatever ends it (``keeper``). With ``base_url`` the
    running server at that address is asked, and no process is started; its key is read from VLLM_API_KEY. Either way a
    schema is sent as vLLM's ``structured_outputs``, and any number of requests may be under way.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        python: str | None = None,
        start_s: float = START_S,
        retry: Retry | None = None,
    ) -> None:
        """Name the model (a folder or a name that vLLM knows), and the interpreter that has vLLM (default: this one).

        Raises:
            MissingPackage: the interpreter has no vLLM.
            UsageError: no such interpreter, a base URL that is none, or malformed arguments in the environment.
        """
        self.name, self._model = f"vllm:{name}", name
        self._start_s, self._retry = start_s, retry or Retry(deadline_s=2 * _ANSWER_S)
        self._python, self._arguments = "", tuple[str, ...]()
        self._server: _Server | None = None
        self._closings = 0
        self._asked: _Endpoint | None = None
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        if base_url is not None:
            self._asked = _Endpoint(name, base_url=base_url, retry=self._retry)
        else:
            self._python, self._arguments = _checked_python(python), _arguments()

    @property
    def most_calls(self) -> int:
        """How many calls one request may come to, as of ``OpenAIModel``."""
        return self._retry.garbled

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        """Return the answer, once the server is ready.

        Raises:
            ModelPermanent: the server does not start or has ended (with the last lines of its log), or refuses.
            ModelTransient: as of ``OpenAIModel``.
        """
        endpoint = await self._ready()
        return await endpoint.complete(messages, key=key, sampling=sampling)

    async def aclose(self) -> None:
        """Close the connections, and end a server of ours. Safe to call twice; a later request starts another."""
        server, self._server = self._server, None
        self._closings += 1
        try:
            if self._asked is not None:
                await self._asked.aclose()
        finally:
            if server is not None:
                self._asked = None
                server.close()  # from here on its keeper ends it, even if the wait is cancelled
                await asyncio.to_thread(server.wait)

    async def _ready(self) -> "_Endpoint":
        """Return the endpoint; the first who asks starts the server, and all wait until it is healthy."""
        loop, closings = asyncio.get_running_loop(), self._closings
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        async with self._lock:
            self._check_open(closings)
            if self._asked is None:
                if self._server is None:
                    self._server = _Server.started(self._model, self._python, self._arguments)
                server = self._server
                await server.healthy(self._start_s)
                self._check_open(closings)
                url = f"{server.url}/v1"
                self._asked = _Endpoint(
                    self._model, base_url=url, retry=self._retry, key=server.key, ended=server.ended
                )
            return self._asked

    def _check_open(self, closings: int) -> None:
        """Start nothing for a request from before the last closing: nobody would end it."""
        if closings != self._closings:
            raise ModelPermanent(f"{self.name} was closed while a request waited for it.")


class _Endpoint(OpenAIModel):
    """The chat completions of a vLLM server; ``ended`` tells why it is gone for good, if it is."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        retry: Retry,
        key: str | None = None,
        ended: Callable[[], ModelPermanent | None] = lambda: None,
    ) -> None:
        super().__init__(name, base_url=base_url, api_key_env=KEY, timeout_s=_ANSWER_S, retry=retry)
        self.name = f"vllm:{name}"
        self._ended = ended
        if key is not None:
            self._endpoint = replace(self._endpoint, key=key)

    def _request(self, messages: Sequence[Message], sampling: Sampling) -> tuple[dict[str, Any], dict[str, Any]]:
        request, extra = super()._request(messages, replace(sampling, schema=None))
        if sampling.schema is None:
            return request, extra
        constraint = {"json": dict(sampling.schema), "disable_any_whitespace": True}
        return request, extra | {"structured_outputs": constraint}

    async def _attempt(self, messages: Sequence[Message], sampling: Sampling, timeout_s: float) -> Completion | Failure:
        outcome = await super()._attempt(messages, sampling, timeout_s)
        if isinstance(outcome, Failure) and (error := self._ended()) is not None:
            return Failure(kind="permanent", error=error)
        return outcome


@dataclass(slots=True)
class _Server:
    """A vLLM server of ours, behind its keeper.

    The keeper ends the server when ``process.stdin`` closes: by ``close()``, or with this process. ``log`` is what the
    server prints, in a file without a name, so that nothing of it stays.
    """

    process: subprocess.Popen[bytes]
    url: str
    key: str
    log: IO[bytes]
    command: str

    @classmethod
    def started(cls, model: str, python: str, arguments: Sequence[str]) -> "_Server":
        """Start one; it is not ready yet."""
        port, key = _free_port(), secrets.token_urlsafe(32)
        path = str(Path(model).resolve()) if Path(model).is_dir() else model
        serve = [
            "serve",
            path,
            "--served-model-name",
            model,
            "--host",
            _HOST,
            "--port",
            str(port),
            *_SERVING,
            *arguments,
        ]
        log = tempfile.TemporaryFile(prefix="outpace-vllm-")  # noqa: SIM115  it lives as long as the server
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, python, "-m", _MODULE, *serve],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(os.environ, key),
            start_new_session=True,  # Ctrl-C in a terminal is for us, and we tell the keeper
        )
        return cls(process, f"http://{_HOST}:{port}", key, log, shlex.join(["vllm", *serve]))

    async def healthy(self, limit_s: float) -> None:
        """Wait until the server answers; raises ``ModelPermanent`` where it ends first or takes longer than that."""
        import httpx2

        until = time.monotonic() + limit_s
        async with httpx2.AsyncClient(trust_env=False, timeout=10.0) as client:
            while True:
                if (error := self.ended()) is not None:
                    raise error
                try:
                    if (await client.get(f"{self.url}/health")).status_code == 200:
                        return
                except httpx2.HTTPError:
                    pass
                if time.monotonic() > until:
                    said = f"vLLM was not ready after {limit_s:.3g} s. {self._said()}"
                    self.close()
                    raise ModelPermanent(said)
                await asyncio.sleep(_POLL_S)

    def ended(self) -> ModelPermanent | None:
        """Return what to raise if the server has ended, None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        return ModelPermanent(f"vLLM has ended with exit code {code}. {self._said()}")

    def close(self) -> None:
        """Have the server ended, without waiting for it."""
        if self.process.stdin is not None:
            self.process.stdin.close()

    def wait(self) -> None:
        """Wait until the server and all of its processes are gone; a keeper that does not manage is killed."""
        try:
            self.process.wait(3 * keeper.GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def _said(self) -> str:
        """Return the last lines of the log that name errors, else the last lines, and the command to try."""
        if self.log.closed:
            return ""
        size = os.fstat(self.log.fileno()).st_size  # read without moving the place at which the server writes
        end = os.pread(self.log.fileno(), _READ, max(0, size - _READ))
        text = end.decode(errors="replace").replace(self.key, "[key]")
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        told = [line for line in lines if re.search(r"\w(Error|Exception)\b|\berror:", line)] or lines
        shown = " / ".join(line[:300] for line in dict.fromkeys(told[-_SHOWN:])) or "nothing"
        return f"The end of its log: {shown}. Try it by hand: {self.command}"


def environment(ours: Mapping[str, str], key: str) -> dict[str, str]:
    """Return the environment of a server: ours without what looks like a secret, and the server's own key."""
    kept = {
        name: value
        for name, value in ours.items()
        if name not in _HERE_ONLY and (name in _ITS_OWN or not _SECRET.search(name))
    }
    return {"VLLM_HOST_IP": _HOST} | kept | {KEY: key, "VLLM_NO_USAGE_STATS": "1", "PYTHONUNBUFFERED": "1"}


def _arguments() -> tuple[str, ...]:
    given = os.environ.get(ARGUMENTS, "")
    try:
        return tuple(shlex.split(given))
    except ValueError as error:
        raise UsageError(f"{ARGUMENTS} cannot be read: {error}. Given: {given!r}.") from None


def _checked_python(given: str | None) -> str:
    """Return the interpreter to start vLLM with; raises where it is none or has no vLLM."""
    remedy = "Install vLLM into an environment of its own and name its Python with --vllm-python."
    if given is None:
        if importlib.util.find_spec("vllm") is None:
            raise MissingPackage(f"This Python has no vLLM. {remedy}")
        return sys.executable
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    try:
        asked = subprocess.run(
            [given, "-c", probe],
            env=environment(os.environ, ""),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60.0,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "it does not answer"
        raise UsageError(f"--vllm-python '{given}' is no Python that runs: {why}. {remedy}") from None
    if asked.returncode != 0:
        raise MissingPackage(f"The Python '{given}' has no vLLM. {remedy}")
    return given


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((_HOST, 0))
        port: int = taken.getsockname()[1]
        return port
