"""Declarations of tunables are read, written and refused as the page says."""

import pytest

from outpace.tasks.candidate import Candidate
from outpace.tasks.tunables import LINE, MOST, Choices, Declared, Range, Value, declared


def of(text: str) -> Declared:
    return declared(Candidate({"program.py": text}))


@pytest.mark.parametrize(
    ("line", "name", "value", "other", "written"),
    [
        ("BLOCK = 64  # tunable: 16, 32, 64", "BLOCK", 64, 16, "BLOCK = 16  # tunable: 16, 32, 64"),
        ("T = 0.3  # tunable: 0.0 .. 1.0", "T", 0.3, 0.75, "T = 0.75  # tunable: 0.0 .. 1.0"),
        ("R = 1e-3 # Tunable: 1e-4..1 log", "R", 1e-3, 0.5, "R = 0.5 # Tunable: 1e-4..1 log"),
        ("D = 3  # tunable: 1 .. 8", "D", 3, 8, "D = 8  # tunable: 1 .. 8"),
        ("D = 3.0  # tunable: 1 .. 8", "D", 3.0, 8.0, "D = 8.0  # tunable: 1 .. 8"),
        ("#define TILE 16  // tunable: 8, 16", "TILE", 16, 8, "#define TILE 8  // tunable: 8, 16"),
        ("# define BIAS (-3)  // tunable: -5 .. 5", "BIAS", -3, 2, "# define BIAS 2  // tunable: -5 .. 5"),
        ("#define BIAS 3  // tunable: -5 .. 5", "BIAS", 3, -2, "#define BIAS (-2)  // tunable: -5 .. 5"),
        ("constexpr int N = 64;  // tunable: 32, 64", "N", 64, 32, "constexpr int N = 32;  // tunable: 32, 64"),
        ("std::size_t N = 64u; // tunable: 32, 64", "N", 64, 32, "std::size_t N = 32u; // tunable: 32, 64"),
        ("const N: usize = 4usize; // tunable: 2 .. 9", "N", 4, 9, "const N: usize = 9usize; // tunable: 2 .. 9"),
        ("float t = .5f; // tunable: 0.0 .. 1.0", "t", 0.5, 0.25, "float t = 0.25f; // tunable: 0.0 .. 1.0"),
        (
            "    BLOCK: tl.constexpr = 64,  # tunable: 32, 64",
            "BLOCK",
            64,
            32,
            "    BLOCK: tl.constexpr = 32,  # tunable: 32, 64",
        ),
        ("B = tl.constexpr(64)  # tunable: -1, 64", "B", 64, -1, "B = tl.constexpr(-1)  # tunable: -1, 64"),
        ("y = z - 3  # tunable: -5 .. 5", "y", 3, -5, "y = z - (-5)  # tunable: -5 .. 5"),
        ("y = z * (-3)  # tunable: -5 .. 5", "y", -3, 5, "y = z * 5  # tunable: -5 .. 5"),
        (
            "self.mode = 'a'  # tunable: 'a', \"b, c\"",
            "mode",
            "a",
            "b, c",
            'self.mode = "b, c"  # tunable: \'a\', "b, c"',
        ),
        (
            "bool fast = true; // tunable: true, false",
            "fast",
            True,
            False,
            "bool fast = false; // tunable: true, false",
        ),
        ("N = 0x40 # tunable: 0x20, 0x40", "N", 64, 32, "N = 0x20 # tunable: 0x20, 0x40"),
        ("N = 1_000 # tunable: 1_000, 2_000", "N", 1000, 2000, "N = 2_000 # tunable: 1_000, 2_000"),
        ("local n = 4 -- tunable: 2, 4", "n", 4, 2, "local n = 2 -- tunable: 2, 4"),
    ],
)
def test_a_value_is_read_and_written(line: str, name: str, value: Value, other: Value, written: str) -> None:
    found = of(f"first\n{line}\nlast\n")
    assert found.unread == () and found.values == {name: value}
    changed = found.write({name: other})
    assert changed.program == f"first\n{written}\nlast\n"
    again = declared(changed)
    assert again.values == {name: other} and again.key == found.key, "of the same template"
    assert declared(again.write({name: value})).key == found.key


def test_kinds_of_domains() -> None:
    found = of("A = 2  # tunable: 1 .. 8 log\nB = 2  # tunable: 1 .. 8.0\nC = 2  # tunable: 2, 4\n")
    domains = [one.domain for one in found.tunables]
    assert domains == [
        Range(1, 8, whole=True, log=True),
        Range(1, 8.0, whole=False),
        Choices((2, 4), ("2", "4")),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("B = 64  # tunable: 16, 32", "its value 64 is none of those that are declared"),
        ("B = 64  # tunable: 0.0 .. 1.0", "its value 64 is none of those"),
        ("B = True  # tunable: 0, 1", "the choices are not all of the kind of its value, a truth value"),
        ("B = 'a'  # tunable: 1 .. 2", "a range is for numbers, and its value is a text"),
        ("B = 64  # tunable: powers of two", "expected choices"),
        ("B = 64  # tunable: 16, 32, 64 or so", "expected choices"),
        ("B = 64  # tunable:", "expected 2 to 64 different choices"),
        ("B = 64  # tunable: 64, 64", "expected 2 to 64 different choices"),
        ("B = 64  # tunable: 100 .. 1", "expected a range from a smaller to a larger number"),
        ("B = 64  # tunable: 1 .. 1e99", "of at most 1e+12"),
        ("B = 64  # tunable: 64, 1e99", "numbers are at most 1e+12"),
        ("B = 64  # tunable: 0 .. 99 log", "a range with log begins above 0"),
        ("A, B = 64, 32  # tunable: 32, 64", "expected one value after the name, found 2"),
        ("B = size()  # tunable: 32, 64", "expected one value after the name, found none"),
        ("B += 64  # tunable: 32, 64", "expected NAME = VALUE before the comment"),
        ("return 64  # tunable: 32, 64", "expected NAME = VALUE before the comment"),
        ("B = 0b11  # tunable: 3, 4", "found none"),
        (f"B = 1{' ' * LINE} # tunable: 1, 2", f"a line with a tunable has at most {LINE} characters"),
    ],
)
def test_what_cannot_be_read_tunes_nothing_and_is_said(line: str, why: str) -> None:
    found = of(f"\n{line}\n")
    assert found.tunables == () and found.key == ""
    (said,) = found.unread
    assert said.startswith("line 2: ") and why in said


@pytest.mark.parametrize("line", ["# B = 64  # tunable: 16, 64", "  // tunable: 16, 64", "the word tunable: alone", ""])
def test_what_is_no_declaration_is_passed_over(line: str) -> None:
    assert not of(line).tunables and not of(line).unread


MARKED = """\
OUTSIDE = 1  # tunable: 1, 2
# EVOLVE-BLOCK-START
INSIDE = 1  # tunable: 1, 2
# EVOLVE-BLOCK-END
AFTER = 1  # tunable: 1, 2
"""


def test_only_evolve_blocks_are_tuned() -> None:
    found = declared(Candidate({"program.py": MARKED, "other.c": "int n = 1; // tunable: 1, 2\n"}))
    assert found.values == {"INSIDE": 1}
    assert of(MARKED.replace("BLOCK-END", "BLOCK-EN")).values == {}, "and nothing where markers do not pair up"


def test_every_file_without_markers_is_tuned_and_names_are_told_apart() -> None:
    program, kernel = (
        "N = 1  # tunable: 1, 2\nN = 2  # tunable: 1, 2\n",
        "int N = 3; // tunable: 3, 4\nx // tunable: 1\n",
    )
    found = declared(Candidate({"program.py": program, "kernel.c": kernel}))
    assert found.values == {"N": 3, "N (2)": 1, "N (3)": 2}, "in the order of paths"
    assert found.unread == ("line 2 of kernel.c: expected NAME = VALUE before the comment",)
    changed = found.write({"N": 4, "N (2)": 2, "N (3)": 1})
    assert changed.files["kernel.c"].startswith("int N = 4;")
    assert changed.program == "N = 2  # tunable: 1, 2\nN = 1  # tunable: 1, 2\n"


def test_there_are_at_most_so_many() -> None:
    found = of("".join(f"N{number} = 1  # tunable: 1, 2\n" for number in range(MOST + 2)))
    assert len(found.tunables) == MOST
    assert found.unread == tuple(f"line {MOST + more}: a program has at most {MOST} tunables" for more in (1, 2))


def test_other_values_than_declared_are_not_written() -> None:
    found = of("N = 1  # tunable: 1, 2\n")
    bad: list[dict[str, Value]] = [{}, {"M": 1}, {"N": 3}, {"N": 1, "M": 1}, {"N": True}]
    for values in bad:
        with pytest.raises(ValueError, match="The program declares N"):
            found.write(values)


def test_floats_have_the_digits_that_their_range_needs() -> None:
    assert Range(0.0, 1.0).rounded(1 / 3) == 0.333333
    assert Range(1e6, 1e6 + 1).rounded(1e6 + 1 / 3) == 1e6 + 0.333333
    assert Range(1e-9, 1.0, log=True).rounded(1e-7 / 3) == 3.33333e-08
    assert Range(0.0, 1.0).rounded(2.0) == 1.0
    assert Range(1, 9, whole=True).rounded(3.7) == 4
