"""Compiles small kernels for a simulated VLIW machine; the score is the number of cycles."""

LATENCY = {"mul": 3, "load": 4}  # everything else: 1
REGISTERS = 64
FACTOR, ADDEND, TURN = 0x9E3779B1, 0x7F4A7C15, 13


class Code:
    """A kernel as steps (name, value, operands...): a value is a text like "v7", any other operand a constant.

    A store has no value of its own: ("store", None, stored, address, 0).
    """

    def __init__(self) -> None:
        self.steps: list[tuple] = []

    def do(self, name: str, a: str | int, b: str | int) -> str:
        """Add a step and return its value."""
        value = f"v{len(self.steps)}"
        self.steps.append((name, value, a, b))
        return value

    def load(self, address: int) -> str:
        """Add a load from a constant address."""
        return self.do("load", address, 0)

    def store(self, value: str | int, address: int) -> None:
        """Add a store to a constant address."""
        self.steps.append(("store", None, value, address, 0))


# EVOLVE-BLOCK-START
def dot(code: Code, n: int, m: int) -> None:
    total = code.do("mul", code.load(0), code.load(n))
    for i in range(1, n):
        total = code.do("add", total, code.do("mul", code.load(i), code.load(n + i)))
    code.store(total, 2 * n)


def fir(code: Code, n: int, m: int) -> None:
    for i in range(n):
        total = code.do("mul", code.load(i), code.load(n + m - 1))
        for j in range(1, m):
            total = code.do("add", total, code.do("mul", code.load(i + j), code.load(n + m - 1 + j)))
        code.store(total, n + 2 * m - 1 + i)


def sort(code: Code, n: int, m: int) -> None:
    values = [code.load(i) for i in range(n)]
    for last in range(n - 1, 0, -1):
        for i in range(last):
            a, b = values[i], values[i + 1]
            values[i], values[i + 1] = code.do("min", a, b), code.do("max", a, b)
    for i in range(n):
        code.store(values[i], n + i)


def hash_(code: Code, n: int, m: int) -> None:
    for s in range(m):
        state: int | str = 0
        for i in range(n):
            mixed = code.do("xor", state, code.do("mul", code.load(s * n + i), FACTOR))
            state = code.do("add", code.do("mul", code.do("rotl", mixed, TURN), 5), ADDEND)
        code.store(state, n * m + s)


def polynomial(code: Code, n: int, m: int) -> None:
    x, total = code.load(n), code.load(n - 1)
    for i in range(n - 2, -1, -1):
        total = code.do("add", code.do("mul", total, x), code.load(i))
    code.store(total, n + 1)


def prefix(code: Code, n: int, m: int) -> None:
    total: int | str = 0
    for i in range(n):
        total = code.do("add", total, code.load(i))
        code.store(total, n + i)


KERNELS = {"dot": dot, "fir": fir, "sort": sort, "hash": hash_, "polynomial": polynomial, "prefix": prefix}


def schedule(kernel: str, n: int, m: int) -> list[list[list]]:
    """Return the bundles: one step after the other, each as soon as its operands are there, one in a bundle."""
    code = Code()
    KERNELS[kernel](code, n, m)
    last_use = {operand: number for number, step in enumerate(code.steps) for operand in step[2:]}
    free = list(range(REGISTERS))
    register: dict[str, int] = {}
    ready: dict[str, int] = {}
    bundles: list[list[list]] = []
    for number, (name, value, *operands) in enumerate(code.steps):
        used = {operand for operand in operands if operand in register}
        while len(bundles) < max((ready[operand] for operand in used), default=0):
            bundles.append([])
        words = [f"r{register[operand]}" if operand in register else operand for operand in operands]
        free += sorted(register[operand] for operand in used if last_use[operand] == number)
        if value is not None:
            register[value] = free.pop(0)
            ready[value] = len(bundles) + LATENCY.get(name, 1)
            words = [f"r{register[value]}", *words]
        bundles.append([[name, *words]])
    return bundles


# EVOLVE-BLOCK-END
