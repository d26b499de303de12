"""How numbers, scores and foreign text are shown."""

import json

import pytest

from outpace.agent.cli import records, text
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\r\nb", "a\nb"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\x9b2J", "\\x9b2J"),
        ("right\u202eleft", "right\\x202eleft"),
        ("Überbreite 漢字", "Überbreite 漢字"),
    ],
)
def test_foreign_text_cannot_drive_the_terminal(given: str, shown: str) -> None:
    assert text.plain(given) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (3.98123, "3.981"),
        (-0.5, "-0.5"),
        (12345.6, "12346"),
        (0.00042, "0.00042"),
        (0.0000421, "4.210e-05"),
        (2e15, "2.000e+15"),
    ],
)
def test_numbers(value: float, shown: str) -> None:
    assert text.number(value) == shown


def test_score_carries_unit_and_interval(gap: Goal, speedup: Goal) -> None:
    assert text.score(gap, Evaluation(status="ok", score=3.5)) == "3.5 %"
    assert text.score(speedup, Evaluation(status="ok", score=12.34, interval=(11.5, 13.2))) == "12.34x [11.5, 13.2]"


def test_what_failed_shows_its_status_and_never_a_number(gap: Goal) -> None:
    assert text.score(gap, Evaluation(status="timeout")) == "timeout"
    assert text.score(gap, None) == "-"


def test_gain_follows_the_direction(gap: Goal) -> None:
    start = Evaluation(status="ok", score=4.0)
    less, more = Evaluation(status="ok", score=3.0), Evaluation(status="ok", score=5.0)
    upwards = Goal(kind="metric", name="sum", direction="maximise")
    assert text.gain(gap, less, start) == pytest.approx(0.25)
    assert text.gain(upwards, less, start) == pytest.approx(-0.25)
    assert text.gain_text(gap, less, start) == "25.0 % better"
    assert text.gain_text(gap, more, start) == "25.0 % worse"


def test_gain_is_unknown_where_nothing_compares(gap: Goal) -> None:
    good = Evaluation(status="ok", score=1.0)
    assert text.gain(gap, good, Evaluation(status="ok", score=0.0)) is None
    assert text.gain(gap, good, None) is None
    assert text.gain(gap, Evaluation(status="wrong"), good) is None
    assert text.gain_text(gap, None, good) == "-"


def test_gain_of_a_speedup_is_the_ratio(speedup: Goal) -> None:
    found = Evaluation(status="ok", score=12.0, interval=(11.0, 13.0))
    assert text.gain_text(speedup, found, None) == "12x as fast"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


def test_columns_are_aligned_and_lines_not_padded() -> None:
    assert text.columns([("a", "bb"), ("ccc", "d")]) == ["a    bb", "ccc  d"]


def test_json_holds_what_no_stream_takes() -> None:
    text = records.dump({"said": "broken \udc80", "score": float("nan"), "words": "größer"}, indent=None)
    assert text == '{"said": "broken \\udc80", "score": null, "words": "größer"}'
    assert json.loads(text.encode())["said"] == "broken \udc80"
