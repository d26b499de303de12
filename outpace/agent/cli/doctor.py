"""``outpace doctor``: what this machine can do, what it cannot, and what to do about it."""

import asyncio
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.home import HomeOption, JsonOption, holds_runs, opened, resolve_home
from outpace.errors import OutpaceError
from outpace.plugins import DEFAULT_SANDBOX
from outpace.sandbox.base import Containment

app = typer.Typer()

Verdict = Literal["ok", "note", "bad"]
LEVELS = "ABCD"
LEAST = "B"  # for code that nobody has read
BUSY_LOAD = 0.7  # load per core from which timings suffer
HIGH_FLOOR = 0.05  # a noise that hides gains worth having
ACCELERATORS = ("/dev/nvidia0", "/dev/kfd")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``ok``; ``note``: it works, but know this; ``bad``: runs will not work.

    ``facts`` are for programs: the level of a sandbox with what is behind it, the noise by clock.
    """

    name: str
    verdict: Verdict
    said: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@app.command("doctor")
def doctor_command(
    context: typer.Context,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the noise, which takes about ten seconds.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check what this machine can do.

    Sandboxes and what holds candidates in them, timers, the smallest speed-up that can be claimed here, libraries and
    the folder of the state. The exit code is 1 if runs would not work.
    """
    checks = list(examine(resolve_home(context, home), quick=quick))
    bad = [check for check in checks if check.verdict == "bad"]
    if as_json:
        typer.echo(records.dump({"ok": not bad, "checks": [asdict(check) for check in checks]}))
    else:
        for line in text.columns([(check.verdict, check.name, text.plain(check.said)) for check in checks]):
            typer.echo(line)
        typer.echo(f"{len(bad)} problems" if bad else "Ready: outpace run online_bin_packing")
    if bad:
        raise typer.Exit(1)


def examine(home: Path, *, quick: bool) -> Iterator[Check]:
    """Look at everything that a run depends on."""
    yield _python()
    yield _machine()
    yield _load()
    yield _timer()
    yield from _sandboxes()
    if not quick:
        yield _noise()
    yield from _libraries()
    yield _accelerator()
    yield _home(home)


def _python() -> Check:
    supported = sys.version_info >= (3, 11)
    said = f"{sys.version.split()[0]} at {sys.executable}" + ("" if supported else "; 3.11 or newer is needed")
    return Check("python", "ok" if supported else "bad", said)


def _machine() -> Check:
    from outpace.evaluators.machine import machine

    facts = machine()
    shown = (facts["cpu"], f"{facts['cores']} cores for this process", f"{facts['memory_gb']} GB", facts["system"])
    return Check("machine", "ok", ", ".join(shown))


def _load() -> Check:
    per_core = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    busy = per_core > BUSY_LOAD
    advice = "; other work disturbs timings: expect wider intervals" if busy else ""
    return Check("load", "note" if busy else "ok", f"{per_core:.2f} per core in the last minute{advice}")


def _timer() -> Check:
    """Tell the smallest step that the clock really makes, of 2,000 readings."""
    readings = [time.perf_counter_ns() for _ in range(2000)]
    steps = [after - before for before, after in pairwise(readings) if after > before]
    step_ns = min(steps, default=0)
    coarse = not 0 < step_ns < 10_000
    advice = "; too coarse for programs that take less than a millisecond" if coarse else ""
    return Check("timer", "note" if coarse else "ok", f"steps of {step_ns} ns{advice}")


def _sandboxes() -> Iterator[Check]:
    """Probe every sandbox; only the default one has to work."""
    from outpace.plugins import available, load

    for name in available("sandbox"):
        needed: Verdict = "bad" if name == DEFAULT_SANDBOX else "note"
        try:
            sandbox = load("sandbox", name)()
            try:
                found = sandbox.probe()
            finally:
                sandbox.close()
        except OutpaceError as error:
            yield Check(f"sandbox {name}", needed, str(error))
            continue
        held = LEVELS.index(found.level) <= LEVELS.index(LEAST)
        yield Check(f"sandbox {name}", "ok" if held else needed, _held(name, found), records.containment(found))


def _held(name: str, found: Containment) -> str:
    """Return what holds candidates in a sandbox, what would make it better, and its default."""
    facts = ", ".join(f"{layer} {fact}" for layer, fact in found.facts.items())
    use = "" if LEVELS.index(found.level) <= LEVELS.index(LEAST) else ": for code that you trust"
    default = ", the default" if name == DEFAULT_SANDBOX else ""
    lacking = f". Not better because: {found.lacking}" if found.lacking else ""
    return f"level {found.level}{use}{default}{_release(name)}: {facts}{lacking}"


def _noise() -> Check:
    """Time a program against its own copy in the default sandbox."""
    from outpace.evaluators.noise import machine_noise
    from outpace.plugins import load

    try:
        sandbox = load("sandbox", DEFAULT_SANDBOX)()
        try:
            found = asyncio.run(machine_noise(sandbox))
        finally:
            sandbox.close()
    except OutpaceError as error:
        return Check("noise", "note", f"not measured: {error}")
    said = (
        f"smallest speed-up that this machine can honestly claim: {text.percent(found.floor)}, by the "
        f"{text.CLOCKS[found.clock]} ({found.pairs} pairs of a program against its own copy)"
    )
    return Check("noise", "note" if found.floor > HIGH_FLOOR else "ok", said, records.noise(found) or {})


def _release(sandbox: str) -> str:
    """Return the version of what a sandbox is built on, where that is a package of its own."""
    try:
        return f" ({sandbox}-bin {version(f'{sandbox}-bin')})"
    except PackageNotFoundError:
        return ""


def _libraries() -> Iterator[Check]:
    """Tell which optional libraries are there, without importing them."""
    for name, purpose in (
        ("numba", "tasks that require it and the largest speed-ups"),
        ("torch", "GPU tasks"),
    ):
        if importlib.util.find_spec(name) is None:
            yield Check(name, "note", f"not installed; needed by {purpose}")
            continue
        try:
            yield Check(name, "ok", version(name))
        except PackageNotFoundError:
            yield Check(name, "note", "can be imported, but is not an installed package")


def _accelerator() -> Check:
    found = [path for path in ACCELERATORS if Path(path).exists()]
    tool = shutil.which("nvidia-smi") or shutil.which("rocminfo")
    if found:
        return Check("gpu", "ok", f"{', '.join(found)}" + (f", {tool}" if tool else "; no driver tool on the PATH"))
    return Check("gpu", "note", "none; only GPU tasks need one")


def _home(home: Path) -> Check:
    """Tell where state lives and whether it can be used."""
    if not holds_runs(home):
        nearest = next(folder for folder in (home, *home.parents) if folder.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            return Check("home", "bad", f"{home} cannot be made: '{nearest}' is not a folder that we may write to")
        return Check("home", "ok", f"{home} (no runs yet)")
    try:
        with opened(home) as store:
            count = len(store.runs())
    except OutpaceError as error:
        return Check("home", "bad", str(error))
    return Check("home", "ok", f"{home} ({text.counted(count, 'run')})")
