"""The Docker engine as the sandbox uses it: a connection, images that it has, containers, and who cleans up."""

import contextlib
import io
import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from outpace.errors import MissingPackage, SandboxUnavailable
from outpace.sandbox.docker.recipe import LABEL, Recipe, is_stale

OLDEST_API = (1, 41)
"""Docker 20.10: the first whose own filter lets a container confine itself further (Landlock)."""
TIMEOUT_S = 60
_DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_START_IT = "Remedy: start the engine (systemctl start docker), or set DOCKER_HOST to where it listens"
_LATE_S = 1.0
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


class Engine:
    """A connection to the engine that the docker command would use: ``DOCKER_HOST``, else its context."""

    def __init__(self) -> None:
        """Connect; raises ``MissingPackage`` or ``SandboxUnavailable`` with the reason and the remedy."""
        self._docker = _package()
        self.address = self._find()
        _knock(self.address)
        try:
            self._client = self._docker.DockerClient(base_url=self.address, version="auto", timeout=TIMEOUT_S)
        except self._failures() as error:
            raise SandboxUnavailable(_unreachable(self.address, error)) from error
        api = str(self._client.api.api_version)
        if tuple(map(int, api.split("."))) < OLDEST_API:
            self.close()
            oldest = ".".join(map(str, OLDEST_API))
            raise SandboxUnavailable(
                f"The Docker engine at {self.address} speaks API {api}; at least {oldest} (Docker 20.10) is needed. "
                "Remedy: update Docker"
            )

    def close(self) -> None:
        """Close the connection; containers are not touched."""
        self._client.close()

    def facts(self) -> dict[str, str]:
        """Return what the engine says of itself: version, storage, control groups, and what it lacks ("warnings")."""
        info = self._call(self._client.info, "say what it is")
        facts = {
            "engine": f"{info.get('ServerVersion', 'unknown')} (API {self._client.api.api_version})",
            "storage": str(info.get("Driver", "unknown")),
            "runtime": str(info.get("DefaultRuntime", "unknown")),
            "runtimes": ", ".join(sorted(info.get("Runtimes") or {})),
            "cgroup": f"v{info.get('CgroupVersion', '1')}",
            "security": ", ".join(info.get("SecurityOptions") or ()),
        }
        limits = {"memory": "MemoryLimit", "pids": "PidsLimit", "cpu": "CpuCfsQuota"}
        return facts | {"limits": ", ".join(name for name, key in limits.items() if info.get(key))}

    def image(self, name: str, *, remedy: str) -> str:
        """Return the id of an image; raises ``SandboxUnavailable`` with ``remedy`` if the engine has none such."""
        found = self._image(name)
        if found is None:
            text = f"The Docker engine at {self.address} has no image '{name}', and Outpace downloads none."
            raise SandboxUnavailable(f"{text} Remedy: {remedy}")
        return found

    def imported(self, name: str, archive: bytes) -> str:
        """Return the id of the image ``name``, made from a tar ``archive`` if the engine has it not yet."""
        if found := self._image(name):
            return found
        repository, _, tag = name.rpartition(":")
        take = partial(self._client.api.import_image_from_data, archive, repository=repository, tag=tag)
        self._call(take, "import an image")
        return self.image(name, remedy="see the log of the engine")

    def build(self, dockerfile: str, *, tag: str, arguments: Mapping[str, str], network: str | None = None) -> str:
        """Build an image from a Dockerfile without files beside it, on a base that the engine has; return its id."""
        from docker.utils import mkbuildcontext

        options: dict[str, Any] = {"network_mode": network} if network else {}
        options |= {"custom_context": True, "pull": False, "rm": True, "forcerm": True, "buildargs": dict(arguments)}
        with mkbuildcontext(io.BytesIO(dockerfile.encode())) as context:
            make = partial(self._client.images.build, fileobj=context, tag=tag, **options)
            try:
                image, _ = self._call(make, f"build '{tag}'")
            except SandboxUnavailable as error:
                raise SandboxUnavailable(f"{error} {_last_lines(error.__cause__)}".strip()) from error
        return str(image.id)

    def start(self, recipe: Recipe) -> "Container":
        """Start a container and return it; it removes itself when it ends."""
        make = partial(self._client.api.create_container_from_config, recipe.config())
        number = str(self._call(make, "create a container")["Id"])
        container = Container(self, number)
        try:
            self._call(partial(self._client.api.start, number), "start a container")
        except BaseException:
            container.remove()
            raise
        return container

    def sweep(self) -> int:
        """Remove the containers of judges of this host that have died; return how many."""
        found = self._call(partial(self._client.api.containers, all=True, filters={"label": LABEL}), "list containers")
        stale = [item["Id"] for item in found if is_stale(item.get("Labels") or {})]
        for number in stale:
            Container(self, str(number)).remove()
        return len(stale)

    def inspect(self, number: str) -> dict[str, Any]:
        """Return the state of a container, nothing if there is none such."""
        found = self._call(partial(self._client.api.inspect_container, number), "inspect a container", or_none=True)
        return dict(found["State"]) if found else {}

    def remove(self, number: str) -> None:
        """Kill and remove a container; one that is gone, or an engine that is, takes no notice."""
        with contextlib.suppress(SandboxUnavailable):
            self._call(partial(self._client.api.remove_container, number, force=True, v=True), "remove a container")

    def events(self, number: str, since: float) -> dict[str, dict[str, str]]:
        """Return what has happened to a container ("oom", "die" …), with details; it may be gone already."""
        ask = partial(self._client.api.events, since=since, until=time.time() + 0.001, decode=True)
        with contextlib.closing(self._call(partial(ask, filters={"container": number}), "tell what happened")) as found:
            return {str(event.get("Action", "")): event.get("Actor", {}).get("Attributes", {}) for event in found}

    def _find(self) -> str:
        """Return the address that the docker command would use."""
        from docker.context import ContextAPI

        if address := os.environ.get("DOCKER_HOST"):
            return address
        try:
            return str(ContextAPI.kwargs_from_context().get("base_url") or _DEFAULT_ADDRESS)
        except self._failures() as error:
            raise SandboxUnavailable(f"The context of Docker cannot be read: {_one_line(str(error))}.") from error

    def _image(self, name: str) -> str | None:
        found = self._call(partial(self._client.images.get, name), "look up an image", or_none=True)
        return None if found is None else str(found.id)

    def _failures(self) -> tuple[type[BaseException], ...]:
        return (self._docker.errors.DockerException, OSError)  # those of requests are OSErrors

    def _call(self, function: Callable[[], Any], what: str, *, or_none: bool = False) -> Any:
        """Ask the engine; ``or_none``: that there is no such thing is an answer."""
        _knock(self.address)  # else the client would leave a socket open for each time that it finds nobody
        try:
            return function()
        except self._failures() as error:
            if or_none and isinstance(error, self._docker.errors.NotFound):
                return None
            text = _one_line(str(getattr(error, "explanation", None) or error))
            raise SandboxUnavailable(f"The Docker engine at {self.address} could not {what}: {text}.") from error


class Container:
    """A container that was started; ``host_pid`` of its first process, as the engine names it."""

    def __init__(self, engine: Engine, number: str) -> None:
        """Take charge of the container with this id."""
        self._engine, self.number = engine, number
        self._started = time.time()

    def is_running(self) -> bool:
        """Ask the engine; raises ``SandboxUnavailable`` if it does not answer."""
        return bool(self._engine.inspect(self.number).get("Running"))

    def host_pid(self) -> int:
        """Return the pid of its first process, 0 if it has ended."""
        return int(self._engine.inspect(self.number).get("Pid") or 0)

    def ran_out_of_memory(self) -> bool:
        """Tell whether the kernel has killed a process of it for lack of memory."""
        return self._event("oom") is not None

    def exit_code(self) -> int | None:
        """Return the exit code of its first process, None if the engine does not know."""
        code = (self._event("die") or {}).get("exitCode", "")
        return int(code) if code.isdigit() else None

    def _event(self, name: str) -> dict[str, str] | None:
        """Return the details of an event; the engine hears of what the kernel does a little late."""
        deadline = time.monotonic() + _LATE_S
        while (found := self._engine.events(self.number, self._started - 1).get(name)) is None:
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return found

    def remove(self) -> None:
        """Kill and remove it; never raises."""
        self._engine.remove(self.number)


def _last_lines(error: BaseException | None) -> str:
    """Return the end of what a build that failed has printed, in one line."""
    log = getattr(error, "build_log", ())
    printed = "".join(str(line.get("stream") or line.get("error") or "") for line in log)
    lines = [line.strip() for line in _COLOURS.sub("", printed).splitlines() if line.strip()]
    return " | ".join(lines[-6:])


def _package() -> Any:
    try:
        import docker
    except ModuleNotFoundError as error:
        text = "The sandbox 'docker' needs the package 'docker': pip install 'outpace[docker]'"
        raise MissingPackage(text) from error
    return docker


def _knock(address: str) -> None:
    """Refuse an address that is no socket of this host, or that nobody answers at."""
    scheme, _, path = address.partition("://")
    if scheme not in {"unix", "http+unix"}:
        raise SandboxUnavailable(
            f"The Docker engine at {address} is not reached by a unix socket. Workers are timed by this host's kernel, "
            "so the engine must run on this host. Remedy: DOCKER_HOST=unix:///var/run/docker.sock"
        )
    try:
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(f"/{path.lstrip('/')}")
    except OSError as error:
        raise SandboxUnavailable(_unreachable(address, error)) from error


def _unreachable(address: str, error: BaseException) -> str:
    start = f"No Docker engine answers at {address}"
    match error:
        case PermissionError():
            return (
                f"{start}: permission denied. Remedy: join the group that owns the socket (usermod -aG docker USER, "
                "then log in again; it gives the rights of root), or set DOCKER_HOST to an engine that is yours"
            )
        case FileNotFoundError():
            return f"{start}: there is no such socket. {_START_IT}"
        case ConnectionRefusedError():
            return f"{start}: nobody listens there. {_START_IT}"
    return f"{start}: {_one_line(str(error))}. Remedy: check DOCKER_HOST and the engine's log"


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
