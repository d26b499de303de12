"""What every sandbox must do, as tests: subclass ``SandboxContract`` in a test file and give it a ``sandbox`` fixture.

::

    class TestMySandbox(SandboxContract):
        @pytest.fixture
        def sandbox(self) -> Iterator[Sandbox]:
            sandbox = MySandbox()
            yield sandbox
            sandbox.close()
"""

from outpace.sandbox.contract.suite import SandboxContract

__all__ = ["SandboxContract"]
