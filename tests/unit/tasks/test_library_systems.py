"""The simulated machines of the library: what they execute, what they refuse, what they count."""

import functools
import sys
from collections.abc import Callable
from itertools import product
from typing import Any, ClassVar

import numpy as np
import pytest

from outpace.errors import WrongAnswer
from outpace.tasks import registry
from outpace.tasks.spec import Problem, Task


@functools.cache
def bundled(name: str) -> Task:
    return registry.find(name)


def refusal(name: str, problem: Problem, answer: Any) -> str:
    with pytest.raises(WrongAnswer) as caught:
        bundled(name).check(problem, answer)
    return str(caught.value)


def value(name: str, problem: Problem, answer: Any) -> float:
    bundled(name).check(problem, answer)
    return bundled(name).score(problem, answer)


def mean(name: str, answered: Callable[[Problem], Any], split: Any = "train") -> float:
    task = bundled(name)
    given = [task.generate(case, case.seed) for case in task.spec.split(split)]
    return sum(value(name, problem, answered(problem)) for problem in given) / len(given)


@pytest.mark.parametrize(
    ("name", "start", "reference"), [("vliw_kernel", 282.333, 42.0), ("cache_blocking", 687.230, 319.007)]
)
def test_what_the_start_and_the_reference_reach(
    name: str, start: float, reference: float, solve: Callable[..., Any]
) -> None:
    task = bundled(name)
    assert mean(name, lambda problem: solve(task, problem)) == pytest.approx(start, abs=1e-3)
    assert mean(name, task.reference) == pytest.approx(reference, abs=1e-3)
    assert f"{start:.1f}" in task.spec.statement
    for split in {case.split for case in task.spec.cases} - {"train"}:
        begun, better = mean(name, lambda problem: solve(task, problem), split), mean(name, task.reference, split)
        assert better < begun


class TestVliw:
    """Programs for a dot product of one pair: words 0 and 1 come in, word 2 goes out."""

    ONE: ClassVar[Problem] = {"kernel": "dot", "n": 1, "m": 0}
    RIGHT: ClassVar[list[Any]] = [
        [["load", "r1", 0, 0], ["load", "r2", 1, 0]],
        [],
        [],
        [],
        [["mul", "r3", "r1", "r2"]],
        [],
        [],
        [["store", "r3", 2, 0]],
    ]

    def changed(self, bundle: int, *instructions: Any) -> list[Any]:
        return [*self.RIGHT[:bundle], list(instructions), *self.RIGHT[bundle + 1 :]]

    def test_the_shortest_dot_product(self) -> None:
        assert value("vliw_kernel", self.ONE, self.RIGHT) == 8
        assert value("vliw_kernel", self.ONE, [tuple(tuple(one) for one in bundle) for bundle in self.RIGHT]) == 8
        assert value("vliw_kernel", self.ONE, [*self.RIGHT, [], []]) == 10, "empty bundles count"

    @pytest.mark.parametrize("bundle", [1, 2, 3, 5, 6])
    def test_nothing_waits(self, bundle: int) -> None:
        """With any cycle of waiting left out, a result is used before it is there."""
        assert "word 0 of the output is" in refusal(
            "vliw_kernel", self.ONE, self.RIGHT[:bundle] + self.RIGHT[bundle + 1 :]
        )

    def test_what_has_not_arrived_is_lost_and_a_last_store_counts(self) -> None:
        assert "1 of 1 words are wrong" in refusal("vliw_kernel", self.ONE, self.RIGHT[:-1])
        assert "is 4294967295" in refusal("vliw_kernel", self.ONE, [[]])

    def test_a_register_keeps_its_old_value_until_the_new_one_is_there(self) -> None:
        """r1 is loaded anew while its old value is still to be multiplied."""
        program = self.changed(1, ["load", "r1", 0, 1])
        assert value("vliw_kernel", self.ONE, program) == 8
        program = self.changed(4, ["mul", "r3", "r1", "r2"], ["add", "r1", 7, 7], ["add", "r2", "r1", "r1"])
        assert value("vliw_kernel", self.ONE, program) == 8, "all of a bundle read before any writes"

    def test_loads_see_the_stores_of_earlier_bundles_only(self) -> None:
        through = [*self.RIGHT[:-1], [["store", "r3", 10, 0]], [["load", "r4", 10, 0]], [], [], []]
        assert value("vliw_kernel", self.ONE, [*through, [["store", "r4", 1, 1]]]) == 13
        together = [*self.RIGHT[:-1], [["store", "r3", 10, 0], ["load", "r4", 10, 0]], [], [], []]
        assert "output" in refusal("vliw_kernel", self.ONE, [*together, [["store", "r4", 1, 1]]])

    def test_two_results_in_one_register_at_once(self) -> None:
        program = self.changed(6, ["add", "r3", 0, 0])
        assert "r3 would get two results at the beginning of cycle 7" in refusal("vliw_kernel", self.ONE, program)
        assert value("vliw_kernel", self.ONE, self.changed(5, ["add", "r3", 0, 0])) == 8

    @pytest.mark.parametrize(
        ("instruction", "said"),
        [
            (["load", "r1", 67, 0], "address 67; memory ends at 66"),
            (["store", 0, 2**32 - 1, 0], "address 4294967295"),
            (["add", 5, 1, 2], "the target of add is 5, expected a register"),
            (["add", "r64", 1, 2], "'r64' is no register"),
            (["add", "r01", 1, 2], "'r01' is no register"),
            (["add", "r1", -1, 2], "-1 is no register"),
            (["add", "r1", 2**32, 2], "is no register"),
            (["add", "r1", True, 2], "True is no register"),
            (["add", "r1", 1.0, 2], "1.0 is no register"),
            (["alu", "r1", 1, 2], "there is no instruction 'alu'"),
            (["div", "r1", 1, 2], "there is no instruction 'div'"),
            (["add", "r1", 1], "expected [name, target, a, b]"),
            ("add r1", "expected [name, target, a, b]"),
        ],
    )
    def test_wrong_instructions(self, instruction: Any, said: str) -> None:
        assert said in refusal("vliw_kernel", self.ONE, self.changed(1, instruction))

    def test_units(self) -> None:
        for name, most in (("add", 3), ("mul", 2), ("load", 2)):
            fits = [[name, f"r{10 + number}", 0, 0] for number in range(most)]
            assert value("vliw_kernel", self.ONE, self.changed(3, *fits)) == 8
            said = refusal("vliw_kernel", self.ONE, self.changed(3, *fits, [name, "r20", 0, 0]))
            assert f"of which there are {most}" in said
        two = [["store", 0, 5, 0], ["store", 0, 6, 0]]
        assert "2 instructions for store, of which there are 1" in refusal(
            "vliw_kernel", self.ONE, self.changed(3, *two)
        )

    @pytest.mark.parametrize("program", [None, [], [[]] * 4001, "add", [None], [[[]]], [[["add", "r1", [], {}]]]])
    def test_wrong_forms(self, program: Any) -> None:
        assert "expected" in refusal("vliw_kernel", self.ONE, program) or program == [[["add", "r1", [], {}]]]

    def test_the_meaning_of_the_instructions(self) -> None:
        """Each one on random words, by Python's whole numbers."""
        machine = sys.modules[type(bundled("vliw_kernel")).__module__ + ".machine"]
        rng = np.random.default_rng(1)
        pairs = [*product((0, 1, 31, 32, 33, 2**31, 2**32 - 1), repeat=2)]
        pairs += [tuple(map(int, pair)) for pair in rng.integers(0, 2**32, size=(50, 2))]
        meant: dict[str, Callable[[int, int], int]] = {
            "add": lambda a, b: a + b,
            "sub": lambda a, b: a - b,
            "mul": lambda a, b: a * b,
            "and": lambda a, b: a & b,
            "or": lambda a, b: a | b,
            "xor": lambda a, b: a ^ b,
            "min": min,
            "max": max,
            "shl": lambda a, b: a << b % 32,
            "shr": lambda a, b: a >> b % 32,
            "rotl": lambda a, b: a << b % 32 | a >> 32 - b % 32,
        }
        assert meant.keys() == machine.OPERATIONS.keys()
        a, b = (np.array(words, dtype=np.uint32) for words in zip(*pairs, strict=True))
        for name, function in meant.items():
            found = machine.OPERATIONS[name][1](a, b)
            assert found.dtype == np.uint32
            assert found.tolist() == [function(x, y) % 2**32 for x, y in pairs], name

    def test_inputs_hang_on_the_program_and_the_verdict_on_nothing_else(self) -> None:
        """A program that writes down the product of the inputs of another one is wrong; so it is each time."""
        programs = [[*self.RIGHT[:-1], [["store", number, 2, 0]]] for number in (0, 1, 2, 7)]
        said = [refusal("vliw_kernel", self.ONE, program) for program in programs]
        assert said == [refusal("vliw_kernel", self.ONE, program) for program in programs]
        assert len(set(said)) == len(said)

    def test_a_network_with_one_comparator_less_sorts_almost_everything(self) -> None:
        """The inputs of zeros and ones find it: without one comparator a network may still sort most sequences."""
        task = bundled("vliw_kernel")
        kernels = sys.modules[type(task).__module__ + ".kernels"]
        scheduling = sys.modules[type(task).__module__ + ".scheduling"]
        problem = {"kernel": "sort", "n": 10, "m": 0}
        every = list(kernels.comparators(10))
        for gone in range(len(every)):
            code = kernels.Plain()
            values = [code.load(i) for i in range(10)]
            for i, j in every[:gone] + every[gone + 1 :]:
                values[i], values[j] = code.do("min", values[i], values[j]), code.do("max", values[i], values[j])
            for i, one in enumerate(values):
                code.store(one, 10 + i)
            assert "output" in refusal("vliw_kernel", problem, scheduling.Scheduler(code.steps).run())

    @pytest.mark.parametrize("kernel", ["dot", "fir", "sort", "hash", "polynomial", "prefix"])
    def test_other_sizes(self, kernel: str, solve: Callable[..., Any]) -> None:
        task = bundled("vliw_kernel")
        for n, m in ((2, 2), (3, 4), (7, 1), (16, 3)):
            problem = {"kernel": kernel, "n": n, "m": m}
            quick, slow = task.reference(problem), solve(task, problem)
            assert value("vliw_kernel", problem, quick) <= value("vliw_kernel", problem, slow)


class TestCache:
    CACHE: ClassVar[Problem] = {"line": 4, "sets": 2, "ways": 2}

    def problem(self, kernel: str, n: int, m: int = 0, **cache: int) -> Problem:
        return {"kernel": kernel, "n": n, "m": m, **self.CACHE, **cache}

    @staticmethod
    def counted(addresses: list[int], line: int, sets: int, ways: int) -> int:
        """Count misses from the definition: a line is there if fewer than ``ways`` others of its set came since."""
        lines = [address // line for address in addresses]
        found = 0
        for now, one in enumerate(lines):
            before = [t for t in range(now) if lines[t] == one]
            since = lines[before[-1] + 1 : now] if before else []
            found += not before or len({x for x in since if x % sets == one % sets}) >= ways
        return found

    def test_the_cache_by_its_definition(self) -> None:
        misses = sys.modules[type(bundled("cache_blocking")).__module__].misses
        rng = np.random.default_rng(2)
        for line, sets, ways in ((1, 1, 1), (4, 2, 2), (2, 4, 1), (8, 1, 5), (4, 3, 2)):
            addresses = rng.integers(0, 100, size=300)
            assert misses(addresses // line, sets, ways) == self.counted(addresses.tolist(), line, sets, ways)

    def test_misses_worked_out_by_hand(self) -> None:
        """The product of 2 x 2 matrices: 12 words in 3 lines of 4, 8 steps."""
        steps = np.array(list(product(range(2), repeat=3)))
        assert value("cache_blocking", self.problem("product", 2, sets=1, ways=3), steps) == 1000 * 3 / 8
        assert value("cache_blocking", self.problem("product", 2, sets=1, ways=2), steps) == 1000 * 24 / 8
        assert value("cache_blocking", self.problem("product", 2, sets=2, ways=1), steps) == 1000 * 17 / 8
        assert value("cache_blocking", self.problem("product", 2, line=12, sets=1, ways=1), steps) == 1000 / 8

    def test_the_program_counts_alike(self, namespace: Callable[[str | None], dict[str, Any]]) -> None:
        task = bundled("cache_blocking")
        names = namespace(task.start.program)
        for case in task.spec.cases:
            problem = task.generate(case, 0)
            steps = task.reference(problem)
            kernel, n, m, *cache = problem.values()
            assert names["misses"](steps, kernel, n, m, cache) == task.score(problem, steps)

    @pytest.mark.parametrize(("kernel", "m"), [("product", 0), ("substitution", 3), ("elimination", 0), ("stencil", 3)])
    def test_an_order_is_legal_if_it_computes_the_same(self, kernel: str, m: int) -> None:
        """Exchange two steps at a time and compare what check says with what comes out of the kernel.

        A step that comes too early changes the result: modulo a prime of 31 bits, and sweeps weigh differently.
        """
        n, rng = 5, np.random.default_rng(3)
        problem = self.problem(kernel, n, m)
        right = bundled("cache_blocking").reference(problem)
        memory = rng.integers(1, 2**31 - 1, size=3 * n * n)
        meant = self.computed(kernel, right, memory, n, m)
        verdicts = []
        for _ in range(150):
            order = right.copy()
            a, b = rng.integers(0, len(order), size=2)
            order[[a, b]] = order[[b, a]]
            try:
                bundled("cache_blocking").check(problem, order)
                legal = True
            except WrongAnswer:
                legal = False
            assert legal == (self.computed(kernel, order, memory, n, m) == meant), order[[a, b]].tolist()
            verdicts.append(legal)
        assert any(verdicts) and (kernel == "product") == all(verdicts)

    @staticmethod
    def computed(kernel: str, steps: np.ndarray, memory: np.ndarray, n: int, m: int) -> list[int]:
        """Execute a kernel step by step, modulo a prime."""
        words, prime = memory.tolist(), 2**31 - 1
        for a, b, c in steps.tolist():
            if kernel == "stencil":
                old, new = (1 - a % 2) * n * n, a % 2 * n * n
                near = (old + (b + i) * n + c + j for i, j in ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)))
                words[new + b * n + c] = sum((3 + place + 7 * a) * words[x] for place, x in enumerate(near)) % prime
                continue
            x, y, z = {
                "product": (a * n + c, n * n + c * n + b, 2 * n * n + a * n + b),
                "substitution": (a * n + c, n * n + c * m + b, n * n + a * m + b),
                "elimination": (a * n + c, c * n + b, a * n + b),
            }[kernel]
            words[z] = (words[z] - words[x] * words[y]) % prime
        return list(words)

    def test_skewed_sweeps_are_legal(self) -> None:
        """Blocks of the stencil that take all sweeps at once, shifted by one place a sweep, and miss less."""
        problem = bundled("cache_blocking").generate(bundled("cache_blocking").spec.cases[3], 0)
        plain = bundled("cache_blocking").reference(problem)
        t, i, j = plain.T
        skewed = plain[np.lexsort([j, i, t, (i + t) // 2])]
        assert value("cache_blocking", problem, skewed) < value("cache_blocking", problem, plain)
        wrong = plain[np.lexsort([j, i, t, i // 2])]
        assert "comes before what it needs is complete" in refusal("cache_blocking", problem, wrong)

    def test_wrong_orders(self) -> None:
        problem = self.problem("substitution", 4, 2)
        right = bundled("cache_blocking").reference(problem)
        assert "there are 11 steps, of which 11 differ, expected 12" in refusal("cache_blocking", problem, right[:-1])
        twice = np.concatenate([right, right[-1:]])
        assert "there are 13 steps, of which 12 differ" in refusal("cache_blocking", problem, twice)
        twice = np.concatenate([right[:1], right[:-1]])
        assert f"each once; {tuple(right[-1].tolist())} is missing" in refusal("cache_blocking", problem, twice)
        backwards = refusal("cache_blocking", problem, right[::-1].copy())
        assert backwards.startswith("step ") and "comes before what it needs is complete" in backwards
        for row in ([0, 0, 0], [1, 0, 1], [4, 0, 0], [-1, 0, 0], [1, 2, 0], [2**40, 0, 0]):
            order = right.copy()
            order[5] = row
            assert f"step 5, {tuple(row)}, is none of the kernel's" in refusal("cache_blocking", problem, order)
        for form in (right.tolist(), right.astype(float), right.T, right[:, :2], None):
            assert "expected an integer array" in refusal("cache_blocking", problem, form)
        assert "there are 0 steps" in refusal("cache_blocking", problem, right[:0])

    def test_narrow_types_count_alike(self) -> None:
        problem = bundled("cache_blocking").generate(bundled("cache_blocking").spec.cases[0], 0)
        right = bundled("cache_blocking").reference(problem)
        for dtype in (np.int8, np.uint8, np.uint64):
            assert value("cache_blocking", problem, right.astype(dtype)) == value("cache_blocking", problem, right)
