"""``BubblewrapSandbox`` keeps the contract of sandboxes."""

from functools import cache

import pytest

from outpace.errors import SandboxUnavailable
from outpace.sandbox.base import Sandbox
from outpace.sandbox.bubblewrap import BubblewrapSandbox
from outpace.sandbox.contract import SandboxContract


@cache
def reason_to_skip() -> str:
    """Return why this host cannot isolate, or nothing."""
    try:
        BubblewrapSandbox().probe()
    except SandboxUnavailable as error:
        return str(error)
    return ""


class TestBubblewrapSandbox(SandboxContract):
    @pytest.fixture
    def sandbox(self) -> Sandbox:
        if reason_to_skip():
            pytest.skip(reason_to_skip())
        return BubblewrapSandbox()
