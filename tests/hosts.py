"""What this host can do: a sandbox that it cannot run is skipped with the reason."""

from functools import cache

import pytest

from outpace.errors import SandboxUnavailable
from outpace.plugins import load


@cache
def reason_to_skip(sandbox: str) -> str:
    """Return why this host cannot run the sandbox of that name, or nothing."""
    found = load("sandbox", sandbox)()
    try:
        found.probe()
    except SandboxUnavailable as error:
        return str(error)
    finally:
        found.close()
    return ""


def needs_sandbox(name: str) -> None:
    """Skip the test where this host cannot run the sandbox of that name."""
    if reason := reason_to_skip(name):
        pytest.skip(reason)
