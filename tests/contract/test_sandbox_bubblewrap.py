"""``BubblewrapSandbox`` keeps the contract of sandboxes."""

import pytest

from outpace.sandbox.base import Sandbox
from outpace.sandbox.bubblewrap import BubblewrapSandbox
from outpace.sandbox.contract import SandboxContract


class TestBubblewrapSandbox(SandboxContract):
    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return BubblewrapSandbox()
