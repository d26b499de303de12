"""docs/how-to/own-strategy.md works as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "own-strategy.md"
USE = """
from outpace.agent.strategies.contract import GOAL, carry_on, start
from outpace.plugins import load

strategy = load("strategy", "my_module:MyStrategy")(GOAL, seed=1, size=30)
strategy.tell([start()])
briefs, results = carry_on(strategy, 50)
best = max(result.evaluation.score or 0 for result in results)
assert strategy.population[0][0] == best
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the page's two Python blocks as files."""
    module, test = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "my_module.py").write_text(module)
    (tmp_path / "test_my_module.py").write_text(test)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


def test_the_strategy_of_the_page_is_found_by_its_dotted_path(folder: Path) -> None:
    done = run(folder, "-c", USE)
    assert done.returncode == 0, done.stderr


def test_the_strategy_of_the_page_keeps_the_contract(folder: Path) -> None:
    done = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_module.py")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d passed", done.stdout)
