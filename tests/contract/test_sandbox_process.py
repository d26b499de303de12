"""``ProcessSandbox`` keeps the contract of sandboxes."""

import pytest

from outpace.sandbox.base import Sandbox
from outpace.sandbox.contract import SandboxContract
from outpace.sandbox.process import ProcessSandbox


class TestProcessSandbox(SandboxContract):
    @pytest.fixture
    def sandbox(self) -> Sandbox:
        return ProcessSandbox()
