"""The checkers of the bundled tasks, spoilt on purpose one rule at a time: the attack finds each hole."""

from pathlib import Path
from typing import Any

import pytest

from outpace.tasks import registry
from outpace.tasks.check import check

LIBRARY = Path(registry.__file__).parent / "library"


def spoilt(tmp_path: Path, name: str, old: str, text: str) -> list[Any]:
    """Return the findings about a bundled task with one line of its ``task.py`` replaced."""
    source = next(LIBRARY.glob(f"*/{name}"))
    folder = tmp_path / name
    folder.mkdir()
    for path in source.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    facts = (folder / "task.toml").read_text().split("[[cases]]")
    (folder / "task.toml").write_text("[[cases]]".join(facts[:3]))  # two cases are enough to find it
    before = (folder / "task.py").read_text()
    assert before.count(old) == 1, old
    (folder / "task.py").write_text(before.replace(old, text))
    return [one for one in check(folder) if "no case with split" not in one.message]


@pytest.mark.parametrize(
    ("name", "old", "text", "words"),
    [
        ("edit_distance", "if int(output) != right:", "if abs(int(output) - right) > 1:", "a number off by one"),
        ("edit_distance", "if int(output) != right:", "if int(output) < right:", "a number off by one"),
        ("edit_distance", "if int(output) != right:", "if int(output) > right:", "zeros"),
        ("nbody", "TOLERANCE = 1e-9", "TOLERANCE = 1e-8", "all numbers off by"),
        ("nbody", "TOLERANCE = 1e-9", "TOLERANCE = 1e-3", "numbers of single precision"),
        ("nbody", "if not np.all(off <= allowed):", "if not off[0, 0] <= allowed:", "one number changed"),
        ("nbody", "if not np.all(off <= allowed):", "if not abs(off.mean()) <= 1e-2:", "one item twice, another"),
        ("online_bin_packing", "np.all(loads <= problem[", "np.all(loads[1:] <= problem[", "one number everywhere"),
        ("online_bin_packing", "np.all(loads <= problem[", "np.any(loads >= 0 * problem[", "zeros"),
        ("circle_packing", "< (r1 + r2) ** 2:", "< (r1 + r2) ** 2 * 0.999:", "numbers of single precision"),
        ("circle_packing", "if not (r <= x <= one - r and r <= y <= one - r):", "if x < 0:", "all numbers off by"),
    ],
)  # fmt: skip
def test_a_spoilt_checker_is_found(tmp_path: Path, name: str, old: str, text: str, words: str) -> None:
    found = spoilt(tmp_path, name, old, text)
    assert any(words in str(one) for one in found), found
    assert all("check accepts a wrong answer" in str(one) for one in found), found
