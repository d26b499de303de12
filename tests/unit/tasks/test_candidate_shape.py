"""The shape of a candidate: what makes two texts the same program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outpace.tasks.candidate import Candidate

PROGRAM = '''"""Packs."""

import math


class Bin:
    """A bin."""

    size = 1


def first(item, bins):
    """Best fit."""
    name = "a" + "b"
    return {name: -(bins - item)}
'''


def shape(text: str, **files: str) -> str:
    return Candidate({"program.py": text, **files}).shape


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('    """Best fit."""\n', ""),
        ('    """Best fit."""\n', '    "Worst fit."\n'),
        ('"""Packs."""\n', "#!/usr/bin/env python\n"),
        ("    size = 1\n", "    size = 0x1  # one\n"),
        ('    """A bin."""\n\n', ""),
        ("return {name: -(bins - item)}", "return {\n        name: -(\n            bins - item\n        ),\n    }"),
        ("-(bins - item)", "(-(bins - item))"),
        ('name = "a" + "b"', "name = u'a' + 'b'"),
        ("import math\n", "import math;\n"),
    ],
)
def test_comments_layout_and_docstrings_do_not_count(old: str, new: str) -> None:
    changed = PROGRAM.replace(old, new)
    assert changed != PROGRAM
    assert shape(changed) == shape(PROGRAM)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-(bins - item)", "-(item - bins)"),
        ("-(bins - item)", "-bins - item"),
        ("size = 1", "size = 1.0"),
        ("size = 1", "size = True"),
        ("def first(item, bins)", "def first(bins, item)"),
        ('name = "a" + "b"', 'name = "ab"'),
        ('name = "a" + "b"', 'name = b"a" + b"b"'),
        ("import math\n", ""),
    ],
)
def test_what_runs_counts(old: str, new: str) -> None:
    changed = PROGRAM.replace(old, new)
    assert changed != PROGRAM
    assert shape(changed) != shape(PROGRAM)


def test_a_text_that_is_no_docstring_counts() -> None:
    """Only the first statement of a body documents it."""
    assert shape('x = 1\n"a"\n') != shape("x = 1\n")
    assert shape("def f():\n    return 'a'\n") != shape("def f():\n    return 'b'\n")


def test_all_files_count_each_in_its_way() -> None:
    base = shape("x = 1\n", **{"inner/part.py": "y = 2\n", "table.txt": "1 2\n"})
    assert shape("x = 1\n", **{"inner/part.py": "y  =  2  # two\n", "table.txt": "1 2\n"}) == base
    assert shape("x = 1\n", **{"inner/part.py": "y = 2\n", "table.txt": "1  2\n"}) != base
    assert shape("x = 1\n", **{"inner/other.py": "y = 2\n", "table.txt": "1 2\n"}) != base
    assert shape("x = 1\n") != base


def test_what_does_not_parse_counts_by_its_text() -> None:
    assert shape("int main() { return 0; }\n") != shape("int main() { return 0; } \n")
    assert shape("x = '\x00'\n") == shape("x = '\x00'\n")
    deep = "x = " + "-" * 100_000 + "1\n"
    assert shape(deep) != shape(deep + "# more\n")


@pytest.mark.parametrize(
    "directive",
    ["# pythran export f(int)", "#cython: boundscheck=False", "# distutils: language=c++", "# language: r"],
)
def test_what_speaks_to_a_compiler_counts_by_its_text(directive: str) -> None:
    program = f"{directive}\ndef f(x):\n    return x\n"
    assert shape(program) != shape(program.replace(directive, ""))
    assert shape(program) != shape(program + "# more\n")
    assert shape(program) == shape(program)


def test_odd_escapes_warn_of_nothing() -> None:
    """Warnings are errors in these tests."""
    assert shape("x = '\\d'\n") == shape("x = '\\d'  # digits\n")


@given(st.text(), st.text())
def test_any_texts_have_shapes(one: str, other: str) -> None:
    """Surrogates apart, which no candidate holds; equal texts have equal shapes, and trees differ where texts must."""
    try:
        shapes = [shape(text) for text in (one, other)]
    except UnicodeEncodeError:
        return
    assert all(len(found) == 16 for found in shapes)
    assert (one != other) or shapes[0] == shapes[1]
