"""A list scheduler for plain code: each cycle takes what is ready, oldest first, as far as units and registers go."""

from collections import Counter
from typing import Any

from . import machine
from .kernels import Step

SPARE = 4
"""So many registers are kept for the oldest step, which frees others."""


class Scheduler:
    """Places the steps of one kernel; ``bundles`` are those so far."""

    def __init__(self, steps: list[Step]) -> None:
        self.bundles: list[list[list[Any]]] = []
        self._left = list(steps)
        self._uses = Counter(one for _, _, operands in steps for one in operands if isinstance(one, str))
        self._ready: dict[str, int] = {}
        self._register: dict[str, int] = {}
        self._free = list(range(machine.REGISTERS))[::-1]

    def run(self) -> list[list[list[Any]]]:
        """Return the bundles, and as many empty ones as the last results take to arrive: stores take none."""
        while self._left:
            self._cycle()
        return self.bundles

    def _cycle(self) -> None:
        cycle, bundle, used = len(self.bundles), [], Counter[str]()
        kept = []
        for number, step in enumerate(self._left):
            unit = _unit(step[0])
            room = step[1] is None or len(self._free) > (SPARE if number else 0)
            ready = all(self._ready.get(one, cycle + 1) <= cycle for one in step[2] if isinstance(one, str))
            if room and ready and used[unit] < machine.UNITS[unit]:
                used[unit] += 1
                bundle.append(self._placed(step, cycle, unit))
            else:
                kept.append(step)
        self._left = kept
        self.bundles.append(bundle)

    def _placed(self, step: Step, cycle: int, unit: str) -> list[Any]:
        name, made, operands = step
        words = [f"r{self._register[one]}" if isinstance(one, str) else one for one in operands]
        for one in operands:
            if isinstance(one, str):
                self._uses[one] -= 1
                if not self._uses[one]:
                    self._free.append(self._register[one])
        if made is None:
            return [name, *words]
        value = f"v{made}"
        self._register[value] = self._free.pop()
        self._ready[value] = cycle + machine.LATENCY[unit]
        return [name, f"r{self._register[value]}", *words]


def _unit(name: str) -> str:
    return machine.OPERATIONS[name][0] if name in machine.OPERATIONS else name
