"""``BubblewrapSandbox`` keeps the contract of sandboxes."""

import pytest

from outpace.errors import SandboxUnavailable
from outpace.sandbox.base import Sandbox
from outpace.sandbox.bubblewrap import BubblewrapSandbox
from outpace.sandbox.contract import SandboxContract


class TestBubblewrapSandbox(SandboxContract):
    @pytest.fixture(scope="class")
    def sandbox(self) -> Sandbox:
        sandbox = BubblewrapSandbox()
        try:
            sandbox.probe()
        except SandboxUnavailable as error:
            pytest.skip(str(error))
        return sandbox
