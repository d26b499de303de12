"""Text for people: numbers, scores and tables; everything that came from outside loses its control characters."""

import os
import re
from collections.abc import Sequence

from outpace.evaluators.base import Evaluation, Noise
from outpace.tasks.objectives import CASE
from outpace.tasks.spec import Goal

CLOCKS = {"wall": "wall clock", "cpu": "CPU clock", "lower": "the slower of both clocks"}

# Control characters but tab and newline (terminals obey some of them), and the marks that reorder text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return ``text`` with what a terminal would act on made visible (``\\x1b``): candidates write to our screen."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text.replace("\r\n", "\n"))


def counted(count: int, noun: str, *, several: str = "") -> str:
    """Return a count with its noun: "1 run", "2 runs"; ``several`` is a plural that is not just an s longer."""
    return f"{count} {noun}" if count == 1 else f"{count} {several or noun + 's'}"


def number(value: float) -> str:
    """Return four significant digits, without an exponent where one can do without."""
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return f"{value:.3e}"
    return f"{value:.4g}" if size < 1e4 else f"{value:.0f}"


SELF_REPORTED = "self-reported"
"""The mark of a score that was worked out in the process of the program, where nothing keeps it honest."""


def amount(goal: Goal, value: float) -> str:
    """Return a score with its unit: ``3.71 %``, ``12.3x``, ``2.635``."""
    if goal.kind == "speedup":
        return f"{number(value)}x"
    return f"{number(value)} {goal.unit}".rstrip()


def score(goal: Goal, evaluation: Evaluation | None) -> str:
    """Return the score with its interval, or the status of an evaluation that has none."""
    if evaluation is None:
        return "-"
    if evaluation.status != "ok" or evaluation.score is None:
        return "right, not measured" if evaluation.unmeasured else evaluation.status
    text = amount(goal, evaluation.score)
    if evaluation.interval is not None:
        low, high = evaluation.interval
        text += f" [{number(low)}, {number(high)}]"
    return f"{text} ({SELF_REPORTED})" if goal.self_reported else text


def process_pairs(found: Evaluation) -> int:
    """Return in how many pairs of fresh processes an evaluation was measured."""
    return len({group for one in found.measurements for group in one.groups}) or 1


def confidence(found: Evaluation) -> str:
    """Return how sure an interval is: ``99 %`` in final measurements (several pairs of processes), else ``95 %``."""
    return "99 %" if process_pairs(found) > 1 else "95 %"


def gain(goal: Goal, evaluation: Evaluation | None, start: Evaluation | None) -> float | None:
    """Return how much better an evaluation is than the start's.

    Speed-ups: the ratio itself (2.0 is twice as fast). Metrics: the change towards better as a part of the start's
    value (0.25 is 25 % better), None where the start's value is 0.
    """
    if evaluation is None or evaluation.score is None or evaluation.status != "ok":
        return None
    if goal.kind == "speedup":
        return evaluation.score
    if start is None or not start.score:
        return None
    return (goal.rank(evaluation.score) - goal.rank(start.score)) / abs(start.score)


def measurable(evaluation: Evaluation) -> bool:
    """Tell whether a speed-up lies above the noise: its lower bound above 1 and the floor that it was held against."""
    if evaluation.score is None:
        return False
    low = evaluation.interval[0] if evaluation.interval else evaluation.score
    return low > 1 + float(evaluation.machine.get("noise_floor", 0.0))


def gain_text(goal: Goal, evaluation: Evaluation | None, start: Evaluation | None) -> str:
    """Return the gain in words: ``12.3x as fast``, ``25.1 % better``, ``no measurable gain``, ``-``."""
    value = gain(goal, evaluation, start)
    if value is None or evaluation is None:
        return "-"
    if goal.kind == "speedup":
        return f"{number(value)}x as fast" if measurable(evaluation) else "no measurable gain"
    return f"{abs(value) * 100:.1f} % {'better' if value >= 0 else 'worse'}"


def noise(found: Noise | None) -> str:
    """Return what an A/A measurement said: ``1.5 % by wall clock (24 pairs of the start against its own copy)``."""
    if found is None:
        return "not measured"
    return f"{percent(found.floor)} by {CLOCKS[found.clock]} ({found.pairs} pairs of the start against its own copy)"


def percent(part: float) -> str:
    """Return a part of one in per cent: ``1.5 %``."""
    return f"{number(100 * part)} %"


def first_line(text: str) -> str:
    """Return the first line of a text that may have many, or none."""
    return text.strip().partition("\n")[0]


def by_case(goal: Goal, evaluation: Evaluation | None) -> dict[str, str]:
    """Return the value of each case of an evaluation."""
    metrics = evaluation.metrics if evaluation else {}
    return {name.removeprefix(CASE): amount(goal, value) for name, value in metrics.items() if name.startswith(CASE)}


def duration(seconds: float) -> str:
    """Return a time as ``42 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with the cells of ``rows`` (the first is the head) aligned to the left, two spaces apart."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def no_colour() -> bool:
    """Tell whether the user wants no colours (https://no-color.org: set and not empty)."""
    return bool(os.environ.get("NO_COLOR"))
