"""The Docker engine, where none is needed: errors that say what to do, and whose a container is."""

import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from outpace.errors import MissingPackage, SandboxUnavailable
from outpace.sandbox import interpreter
from outpace.sandbox.docker.engine import Engine
from outpace.sandbox.docker.image import host_root, host_view, main, pinned
from outpace.sandbox.docker.recipe import is_stale

pytest.importorskip("docker", reason="the package docker is not installed: pip install 'outpace[docker]'")


def complaint(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what is said of an engine that cannot be used."""
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(SandboxUnavailable) as caught:
        Engine()
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@contextmanager
def scripted_engine(path: Path, api: str) -> Iterator[str]:
    """Serve an engine that knows only how old it is; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"Version": "1.0", "ApiVersion": api, "MinAPIVersion": "1.12"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def address_string(self) -> str:
            return "a unix socket"

    with UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()


def test_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = complaint(f"unix://{tmp_path}/none.sock", monkeypatch)
    assert "there is no such socket. Remedy: start the engine" in text and "DOCKER_HOST" in text


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(tmp_path / "closed.sock"))
    assert "nobody listens there" in complaint(f"unix://{tmp_path}/closed.sock", monkeypatch)


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "shut.sock"))
        listener.listen()
        (tmp_path / "shut.sock").chmod(0)
        os.seteuid(65534) if os.geteuid() == 0 else None
        try:
            text = complaint(f"unix://{tmp_path}/shut.sock", monkeypatch)
        finally:
            os.seteuid(os.getuid())
    assert "permission denied" in text and "usermod -aG docker" in text


def test_an_engine_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_engine(tmp_path / "old.sock", "1.40") as address:
        text = complaint(address, monkeypatch)
    assert "speaks API 1.40; at least 1.41 (Docker 20.10) is needed. Remedy: update Docker" in text


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is not reached by a unix socket" in complaint("nonsense", monkeypatch)


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:2376", "ssh://somebody@192.0.2.1"])
def test_an_engine_elsewhere_could_not_be_timed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the engine must run on this host. Remedy: DOCKER_HOST=" in complaint(address, monkeypatch)


def test_the_package_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(MissingPackage, match=r"pip install 'outpace\[docker\]'"):
        Engine()


def test_a_container_is_stale_when_its_judge_has_died() -> None:
    namespace = str(Path("/proc/self/ns/pid").readlink())
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    ours = {
        "outpace.judge": str(os.getpid()),
        "outpace.judge.started": started,
        "outpace.judge.namespace": namespace,
    }
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not is_stale(ours)
    assert is_stale(ours | {"outpace.judge.started": "1"})  # the pid was given to somebody else since
    assert is_stale(ours | {"outpace.judge": str(child.pid)})
    assert not is_stale(ours | {"outpace.judge": str(child.pid), "outpace.judge.namespace": "pid:[1]"})
    assert not is_stale({})


def test_the_view_of_the_host_has_the_interpreter_and_not_outpace(tmp_path: Path) -> None:
    mounts, hidden = host_view((tmp_path,))
    inside = [path for _, path in mounts]
    seen = [Path(interpreter.executable()), Path(os.__file__), Path(pytest.__file__), Path("/usr/bin/env"), tmp_path]
    for path in seen:
        assert any(path.is_relative_to(mount) for mount in inside), path
    for secret in interpreter.hidden_paths():
        below = [mount for mount in inside if secret.is_relative_to(mount)]
        assert not below or secret in hidden


def test_the_root_is_the_same_each_time_and_holds_no_file() -> None:
    name, archive = host_root()
    assert (name, archive) == host_root() and name.startswith("outpace/host:")
    with tarfile.open(fileobj=BytesIO(archive)) as content:
        entries = content.getmembers()
    assert {"proc", "dev", "run", "tmp"} <= {entry.name for entry in entries}
    assert all(entry.isdir() or entry.issym() for entry in entries)
    assert len(archive) < 20_000


def test_requirements_are_pinned_to_what_runs_here() -> None:
    numpy, other, unknown = pinned(["numpy", "numba>=0.60", "no_such_package"])
    assert numpy.startswith("numpy==") and (other, unknown) == ("numba>=0.60", "no_such_package")


def test_building_without_an_engine_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert main(["numba"]) == 1
    assert "there is no such socket" in capsys.readouterr().err
