"""``BubblewrapSandbox`` keeps the contract of sandboxes."""

import pytest

from outpace.sandbox.base import Sandbox
from outpace.sandbox.bubblewrap import BubblewrapSandbox
from outpace.sandbox.contract import SandboxContract
from tests.hosts import needs_sandbox


class TestBubblewrapSandbox(SandboxContract):
    @pytest.fixture
    def sandbox(self) -> Sandbox:
        needs_sandbox("bubblewrap")
        return BubblewrapSandbox()
