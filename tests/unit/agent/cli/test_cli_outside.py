"""What ``outpace tell`` submits: one file as it is, several under their paths."""

from pathlib import Path

import pytest

from outpace.agent.cli.outside import answer_of
from outpace.agent.proposers.edits import apply
from outpace.errors import UsageError
from outpace.tasks.candidate import Candidate

PARENT = Candidate({"program.py": "from lib.fast import add\n\n\ndef total(values):\n    return add(values)\n"})
FAST = "def add(values):\n    return sum(values)\n"
TWO = Candidate({**PARENT.files, "lib/fast.py": FAST})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lib").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_file_is_the_answer(folder: Path) -> None:
    (folder / "new.md").write_text("Shorter.\n")
    assert answer_of(["new.md"]) == "Shorter.\n"


def test_several_files_change_several_files(folder: Path) -> None:
    program, fast = PARENT.program.replace("add(values)", "add(tuple(values))"), '"""``` in a string"""\n' + FAST
    (folder / "program.py").write_text(program)
    (folder / "lib" / "fast.py").write_text(fast)
    edit = apply(answer_of(["program.py", "lib/fast.py"]), TWO, entry="total")
    assert dict(edit.candidate.files) == {"program.py": program, "lib/fast.py": fast}


def test_standard_input_stands_alone() -> None:
    with pytest.raises(UsageError, match="Standard input stands alone"):
        answer_of(["program.py", "-"])
