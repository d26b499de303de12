"""The catalogue of speed rewrites: the same answers, written another way, and really faster where it says so."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from outpace.agent.proposers.operators.rewrites import names, rewrites
from outpace.agent.proposers.operators.source import Source
from outpace.tasks.registry import find


def block(*lines: str) -> str:
    return "\n".join(["# EVOLVE-BLOCK-START", *lines, "# EVOLVE-BLOCK-END", ""])


def load(text: str, name: str = "f") -> Callable[..., Any]:
    scope: dict[str, Any] = {"__name__": "candidate"}
    exec(compile(text, "program.py", "exec"), scope)
    found: Callable[..., Any] = scope[name]
    return found


def named(text: str, name: str, *, requires: tuple[str, ...] = (), entry: str = "f") -> str:
    """Return the program after the rewrite ``name``."""
    found = [done.text for done in rewrites(Source(text), entry, requires=requires) if done.name == name]
    assert len(found) == 1, f"{name} applied {len(found)} times"
    return found[0]


def applied(text: str, **options: Any) -> set[str]:
    return {done.name for done in rewrites(Source(text), "f", **options)}


APPEND = block(
    "def f(xs):",
    "    out = []",
    "    for x in xs:",
    "        if x > 1:",
    "            out.append(x * 2)",
    "    return out",
)
FILL = block(
    "def f(n):",
    "    out = []",
    "    for i in range(n + 1):",
    "        y = i * i",
    "        out.append(y)",
    "    return out",
)
LEAST = block("def f(a, b, c):", "    return min(a, b, c) - max(a, b) + min(c, 2)")
LOOP = block(
    "def f(xs, k):",
    "    total = 0",
    "    for i in range(len(xs)):",
    "        for j in range(len(xs)):",
    "            total += xs[i] * xs[j] + 3 * k",
    "    return total",
)
POWERS = block("import math", "def f(x):", "    return x**2 + x**3 - (x + 1)**2 + (x * x)**0.5")
LOCAL = block(
    "import math",
    "def f(xs):",
    "    total = 0.0",
    "    for x in xs:",
    "        total += math.sqrt(x)",
    "    return total",
)
RECURSE = block("def fib(n):", "    return n if n < 2 else fib(n - 1) + fib(n - 2)", "def f(n):", "    return fib(n)")
TABLE = block(
    "def f(n, m):",
    "    old = list(range(n))",
    "    for i in range(m):",
    "        new = [0] * n",
    "        for j in range(n):",
    "            new[j] = old[j] + i * (old[j - 1] if j else 1)",
    "        old = new",
    "    return [int(x) for x in old]",
)


@pytest.mark.parametrize(
    ("text", "name", "arguments", "mark"),
    [
        (APPEND, "comprehension", ([0, 1, 2, 3],), "out = [x * 2 for x in xs if x > 1]"),
        (FILL, "preallocate", (5,), "out = [None] * (n + 1)"),
        (LEAST, "conditional", (3, 1, 2), "a if a <= b and a <= c else (b if b <= c else c)"),
        (LOOP, "hoist", ([1, 2, 3], 4), "fixed"),
        (POWERS, "power", (2.5,), "x * x * x"),
        (LOCAL, "local", ([1.0, 4.0],), "sqrt = math.sqrt"),
        (RECURSE, "memoise", (15,), "lru_cache"),
        (TABLE, "reuse", (5, 4), "old, new = new, old"),
    ],
)
def test_a_rewrite_keeps_the_answers(text: str, name: str, arguments: tuple[Any, ...], mark: str) -> None:
    done = named(text, name)
    assert mark in done
    assert load(done)(*arguments) == load(text)(*arguments)
    assert name not in applied(done)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (APPEND.replace("x * 2", "len(out)"), "comprehension"),
        (APPEND.replace("out = []", "out = [1]"), "comprehension"),
        (FILL.replace("y = i * i", "y = len(out)"), "preallocate"),
        (FILL.replace("y = i * i", "if i == 2: continue"), "preallocate"),
        (FILL.replace("y = i * i", "i = 2 * i"), "preallocate"),
        (LEAST.replace("a, b", "g(a), b").replace("f(g(a)", "f(a").replace("(c, 2)", "(*c, 2)"), "conditional"),
        (RECURSE.replace("fib(n - 1) + fib(n - 2)", "1"), "memoise"),
        (TABLE.replace("[0] * n", "[0] * (n + i - i)"), "reuse"),
        (block("def f(xs):", "    for x in xs:", "        xs.append(len(xs))"), "hoist"),
        (block("def f(xs, y):", "    for x in xs:", "        if x and 1 / y: y = y + 1"), "hoist"),
    ],
)
def test_a_rewrite_that_would_change_the_answer_is_left_out(text: str, name: str) -> None:
    assert name not in applied(text)


def test_numba_is_used_only_where_the_task_has_it() -> None:
    assert not any("njit" in name for name in applied(LOOP))
    assert "njit" in applied(LOOP, requires=("numpy", "numba"))
    assert "arrays" not in applied(TABLE, requires=("numba",))


def test_bytes_and_lists_are_converted_outside_the_kernel() -> None:
    text = block("def f(a: bytes, b: list[float], k: int) -> float:", '    """Sum."""', "    return a[0] + b[1] * k")
    done = named(text, "njit_kernel", requires=("numba",))
    assert load(done)(b"\x07", [0.0, 2.5], 2) == 12.0
    assert "def f(a: bytes, b: list[float], k: int) -> float:" in done
    assert "njit_kernel" not in applied(done, requires=("numba",))


def test_options_are_added_to_what_is_there() -> None:
    compiled = named(LOOP, "njit", requires=("numba",))
    fast = named(compiled, "njit_fastmath", requires=("numba",))
    both = named(fast, "njit_errors", requires=("numba",))
    assert '@njit(fastmath=True, error_model="numpy")' in both
    assert {"njit_fastmath", "njit_errors", "njit"}.isdisjoint(applied(both, requires=("numba",)))


def test_arrays_take_the_place_of_lists_in_compiled_functions() -> None:
    compiled = named(TABLE, "njit", requires=("numba",))
    done = named(compiled, "arrays", requires=("numba",))
    assert "np.arange(n)" in done and "np.full(n, 0, dtype=np.int64)" in done
    assert load(done)(6, 5) == load(TABLE)(6, 5)


def test_names_are_unique_and_documented() -> None:
    assert len(set(names())) == len(names()) >= 12


@pytest.mark.parametrize("name", ["edit_distance", "nbody"])
def test_the_first_proposal_for_a_bundled_task_is_right_and_far_faster(name: str) -> None:
    task = find(name)
    case = next(case for case in task.spec.cases if case.timed)
    problem = task.generate(case, 1)
    start = load(task.start.program, task.spec.entry)
    first = next(rewrites(Source(task.start.program), task.spec.entry, requires=task.spec.requires))
    fast = load(first.text, task.spec.entry)
    fast(**problem)  # compiles
    task.check(problem, fast(**problem))
    assert first.name == "njit"
    ratios = []
    for _ in range(3):
        began = time.process_time()
        start(**problem)
        between = time.process_time()
        fast(**problem)
        ratios.append((between - began) / max(time.process_time() - between, 1e-9))
    assert max(ratios) >= 10
