"""What do the pairs say? Which clock counts, what is above the noise, and the evaluation that comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from outpace.evaluators import statistics
from outpace.evaluators.base import Clock, Evaluation, Measurement, Noise
from outpace.evaluators.timing import Enough, Measured, Pairing
from outpace.tasks.objectives import CASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """How the pairs of a task are weighed on this machine.

    Threaded tasks go by the wall clock. For others both clocks are worked out: the one that the A/A measurement chose
    counts, unless the other surely shows less, beyond the noise. Without an A/A measurement the lower speed-up counts.
    """

    noise: Noise | None
    threads: int = 1

    def clock(self, measurements: Sequence[Measurement]) -> Clock | None:
        """Return the clock that counts; None: the one that shows the lower speed-up.

        A machine that was quiet in the A/A measurement and is busy now has the CPU clock as well.
        """
        if self.threads > 1:
            return "wall"
        if self.noise is None:
            return None
        return "cpu" if statistics.kept_off(measurements) > statistics.KEPT_OFF else self.noise.clock

    @property
    def floor(self) -> float:
        """The smallest gain that can be claimed."""
        return self.noise.floor if self.noise else statistics.DEFAULT_FLOOR

    def enough(self, pairing: Pairing) -> Enough:
        """Return what tells whether pairs may end at a look."""
        floor = self.floor

        def look(measurements: list[Measurement], error: float) -> bool:
            score, interval = statistics.speedup(measurements, clock=self.clock(measurements), error=error)
            return pairing.enough(score, interval, floor)

        return look

    def disagree(self, measurements: Sequence[Measurement]) -> bool:
        """Tell whether the clock that does not count shows less, by more than the noise of both.

        A hidden thread, or work moved to where the wall clock does not see it, gains on the wall clock only; a program
        that waits gains on the CPU clock only.
        """
        clock = self.clock(measurements)
        if self.threads > 1 or clock is None or self.noise is None:
            return False
        busy = statistics.kept_off(measurements)
        busy = busy if busy > statistics.KEPT_OFF else 0.0
        return statistics.gap(measurements, clock) > max(self.noise.floor, self.noise.wall, self.noise.cpu, busy)

    def record(self, clock: Clock | None) -> dict[str, str]:
        """Return what goes into the record of the machine."""
        return {
            "clock": clock or "lower",
            "noise_floor": f"{self.floor:.4f}",
            "noise": "measured" if self.noise else "assumed",
        }

    def evaluation(self, measured: Measured, clock: Clock | None, *, beside: str) -> Evaluation:
        """Return the evaluation that the pairs make; ``beside`` names the program in the place of the baseline."""
        measurements, error = measured
        score, interval = statistics.speedup(measurements, clock=clock, error=error)
        by_case = {m.case: statistics.speedup([m], clock=clock, error=error)[0] for m in measurements}
        found = Evaluation(
            status="ok",
            score=score,
            interval=interval,
            metrics={
                **{f"{CASE}{name}": ratio for name, ratio in by_case.items()},
                "mean_of_ratios": statistics.mean_of_ratios(measurements, clock=clock),
                "pairs": float(sum(len(m.candidate_wall_ns) for m in measurements)),
                "processes": float(max(len(set(m.groups)) for m in measurements)),
            },
            measurements=tuple(measurements),
            machine=self.record(clock),
        )
        lines = [f"Case '{name}': {ratio:.3g} times as fast as {beside}" for name, ratio in by_case.items()]
        return replace(found, feedback="\n".join([*self._verdict(found, beside), *lines]))

    def _verdict(self, found: Evaluation, beside: str) -> list[str]:
        assert found.score is not None and found.interval is not None
        low, high = found.interval
        said = f"{found.score:.3f} times as fast as {beside}, interval {low:.3f} to {high:.3f}"
        if statistics.measurable(found, self.floor):
            return []
        if statistics.slower(found, self.floor):
            return [f"slower ({said})"]
        return [f"no measurable gain ({said}; noise floor {self.floor:.1%})"]
