"""Which literals are tuned, and how a program is written with other numbers."""

import pytest

from outpace.agent.proposers.operators.numbers import template


def block(*lines: str) -> str:
    return "\n".join(["# EVOLVE-BLOCK-START", *lines, "# EVOLVE-BLOCK-END", ""])


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("y = 0.3 * x + 4.5", [0.3, 4.5]),
        ("y = x - 0.3 * z", [-0.3]),
        ("y = x - -0.3 * z + -(0.4)", [0.3, 0.4]),
        ("y = 1.0 / (1.0 + x)", []),
        ("y = x * (1.0 - 1e-12)", []),
        ("y = x ** 2 + x ** 0.5", [0.5]),
        ("y = x[3] + z[:, 7]", []),
        ("y = np.zeros(9) + np.sum(x, axis=12)", []),
        ("for i in range(10): y = 10 * x", [10]),
        ("y = x // 16 + x % 8", []),
        ("y = f(0.7, 30, key=0.2)", [0.7]),
        ("RINGS = [(0.04, 0.0, 7), (0.32, 1.0, 1)]", [0.04, 0.0, 7, 0.32, 1.0]),
        ("if x > 12: y = -0.25", [12, -0.25]),
        ("y = 'text 0.5' + f'{x:.3f} {0.5}'", []),
        ("y = True + x", []),
    ],
)
def test_what_is_tuned(line: str, values: list[float]) -> None:
    found = template(block(line))
    assert (list(found.values) if found else []) == values


def test_nothing_outside_the_block_is_tuned_nor_are_defaults_and_decorators() -> None:
    text = "A = 0.3 * B\n" + block("@d(0.5)", "def f(x: 0.1 = 0.2):", "    return 0.7 * x") + "C = 0.9 * B\n"
    found = template(text)
    assert found is not None
    assert found.values == (0.7,)
    assert found.write([2.5]) == text.replace("0.7", "2.5")


def test_a_sum_keeps_its_looks() -> None:
    text = block("y = (", "    0.5 * x", "    + 0.25 * z", "    - 0.125 * w", ")")
    found = template(text)
    assert found is not None
    assert found.values == (0.5, 0.25, -0.125)
    assert "    - 0.25 * z\n    + 0.125 * w" in found.write([0.5, -0.25, 0.125])
    assert found.write(found.values) == text


def test_a_negative_base_of_a_power_gets_parentheses() -> None:
    found = template(block("y = 3.5 ** x"))
    assert found is not None
    assert "y = (-3.5) ** x" in found.write([-3.5])


def test_whole_numbers_stay_whole_and_floats_floats() -> None:
    found = template(block("y = 10 * x + 2.5"))
    assert found is not None
    assert "y = 12 * x + 3.0" in found.write([11.6, 3.0])


def test_programs_that_differ_in_numbers_share_a_key_and_others_do_not() -> None:
    first, second = template(block("y = 0.3 * x - 4.5")), template(block("y = -7.5 * x + 0.01"))
    other = template(block("y = 0.3 * z - 4.5"))
    assert first and second and other
    assert first.key == second.key != other.key
