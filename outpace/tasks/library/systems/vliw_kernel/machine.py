"""The simulated machine: decodes bundles and executes them, for many memories at once.

A machine of our own, in the manner of processors with exposed pipelines (Fisher 1983; Texas Instruments C6000): nothing
is hidden, nothing waits. A result arrives a fixed number of cycles after its instruction, and until then the register
holds what it held before.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.errors import WrongAnswer

Words = NDArray[np.uint32]
REGISTERS = 64
UNITS = {"alu": 3, "mul": 2, "load": 2, "store": 1}
"""How many instructions of each kind one bundle may hold."""
LATENCY = {"alu": 1, "mul": 3, "load": 4}
MOST_BUNDLES = 4000
_SHIFTS, _BITS = np.uint32(31), np.uint32(32)
_NAMES = {f"r{number}": number for number in range(REGISTERS)}


def _rotated(a: Words, b: Words) -> Words:
    return np.bitwise_or(a << (b & _SHIFTS), a >> ((_BITS - (b & _SHIFTS)) & _SHIFTS))


OPERATIONS: dict[str, tuple[str, Callable[[Words, Words], Words]]] = {
    "add": ("alu", lambda a, b: a + b),
    "sub": ("alu", lambda a, b: a - b),
    "and": ("alu", lambda a, b: a & b),
    "or": ("alu", lambda a, b: a | b),
    "xor": ("alu", lambda a, b: a ^ b),
    "min": ("alu", np.minimum),
    "max": ("alu", np.maximum),
    "shl": ("alu", lambda a, b: a << (b & _SHIFTS)),
    "shr": ("alu", lambda a, b: a >> (b & _SHIFTS)),
    "rotl": ("alu", _rotated),
    "mul": ("mul", lambda a, b: a * b),
}
"""The unit and the meaning of what is computed from two words of 32 bits, modulo 2**32, without a sign."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A register or a constant."""

    register: int | None
    constant: int = 0


@dataclass(frozen=True, slots=True)
class Instruction:
    """``target`` is a register, or for a store the word that is stored; a and b are added to an address for memory."""

    name: str
    unit: str
    target: Operand
    a: Operand
    b: Operand


def decoded(bundles: Any) -> list[list[Instruction]]:
    """Return the bundles of an answer, or refuse what is none: form, names, ranges, units."""
    if type(bundles) is not list or not 1 <= len(bundles) <= MOST_BUNDLES:
        raise WrongAnswer(f"expected a list of 1 to {MOST_BUNDLES} bundles")
    return [_bundle(bundle, f"bundle {number}") for number, bundle in enumerate(bundles)]


def _bundle(bundle: Any, at: str) -> list[Instruction]:
    if type(bundle) not in (list, tuple) or len(bundle) > sum(UNITS.values()):
        raise WrongAnswer(f"{at}: expected a list of at most {sum(UNITS.values())} instructions")
    found = [_instruction(one, f"{at}, instruction {number}") for number, one in enumerate(bundle)]
    for unit, count in Counter(one.unit for one in found).items():
        if count > UNITS[unit]:
            raise WrongAnswer(f"{at}: {count} instructions for {unit}, of which there are {UNITS[unit]}")
    return found


def _instruction(text: Any, at: str) -> Instruction:
    if type(text) not in (list, tuple) or len(text) != 4 or type(text[0]) is not str:
        raise WrongAnswer(f"{at}: {text!r:.60}; expected [name, target, a, b]")
    name, *rest = text
    unit = OPERATIONS[name][0] if name in OPERATIONS else name
    if unit not in UNITS or name == "alu":
        raise WrongAnswer(f"{at}: there is no instruction {name!r:.20}")
    target, a, b = (_operand(one, at) for one in rest)
    if target.register is None and name != "store":
        raise WrongAnswer(f"{at}: the target of {name} is {rest[0]!r:.20}, expected a register, 'r0' to 'r63'")
    return Instruction(name, unit, target, a, b)


def _operand(value: Any, at: str) -> Operand:
    if type(value) is str and value in _NAMES:
        return Operand(_NAMES[value])
    if type(value) is int and 0 <= value < 2**32:
        return Operand(None, value)
    raise WrongAnswer(f"{at}: {value!r:.20} is no register 'r0' to 'r63' and no whole number from 0 to 2**32 - 1")


class Machine:
    """Registers, memory and results on their way, for as many runs at once as ``memory`` (runs, words) has rows."""

    def __init__(self, memory: Words) -> None:
        self.memory = memory
        self._runs = np.arange(len(memory))
        self._registers: list[Words] = [np.zeros(1, dtype=np.uint32)] * REGISTERS
        self._arriving: dict[int, dict[int, Words]] = {}

    def run(self, bundles: list[list[Instruction]]) -> None:
        """Execute all bundles, one a cycle. What has not arrived when the last one ends is lost.

        All instructions of a bundle read before any of them writes. A load reads the memory in its own cycle, a store
        changes it for the next one.
        """
        for cycle, bundle in enumerate(bundles):
            for register, words in self._arriving.pop(cycle, {}).items():
                self._registers[register] = words
            stores = []
            for one in bundle:
                at = f"bundle {cycle}, {one.name}"
                a, b = self._value(one.a), self._value(one.b)
                if one.unit == "store":
                    stores.append((self._address(a, b, at), self._value(one.target)))
                else:
                    words = self._loaded(a, b, at) if one.unit == "load" else OPERATIONS[one.name][1](a, b)
                    assert one.target.register is not None
                    self._send(cycle + LATENCY[one.unit], one.target.register, words, at)
            for address, words in stores:
                self.memory[self._runs, address] = words

    def _send(self, cycle: int, register: int, words: Words, at: str) -> None:
        arriving = self._arriving.setdefault(cycle, {})
        if register in arriving:
            raise WrongAnswer(f"{at}: r{register} would get two results at the beginning of cycle {cycle}")
        arriving[register] = words

    def _value(self, operand: Operand) -> Words:
        if operand.register is None:
            return np.array([operand.constant], dtype=np.uint32)
        return self._registers[operand.register]

    def _loaded(self, a: Words, b: Words, at: str) -> Words:
        return self.memory[self._runs, self._address(a, b, at)]

    def _address(self, a: Words, b: Words, at: str) -> Words:
        address = a + b
        if not int(address.max()) < self.memory.shape[1]:
            raise WrongAnswer(f"{at}: address {int(address.max())}; memory ends at {self.memory.shape[1] - 1}")
        return address
