"""``outpace doctor``: what this machine can do, what it cannot, and what to do about it."""

import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Literal

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.home import HomeOption, JsonOption, holds_runs, opened, resolve_home
from outpace.errors import OutpaceError

app = typer.Typer()

Verdict = Literal["ok", "note", "bad"]
DEFAULT_SANDBOX = "bubblewrap"
BUSY_LOAD = 0.7  # load per core from which timings suffer
ACCELERATORS = ("/dev/nvidia0", "/dev/kfd")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``ok``; ``note``: it works, but know this; ``bad``: runs will not work."""

    name: str
    verdict: Verdict
    said: str


@app.command("doctor")
def doctor_command(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check what this machine can do.

    Sandboxes, timers, libraries and the folder of the state. The exit code is 1 if runs would not work.
    """
    checks = list(examine(resolve_home(context, home)))
    bad = [check for check in checks if check.verdict == "bad"]
    if as_json:
        typer.echo(records.dump({"ok": not bad, "checks": [asdict(check) for check in checks]}))
    else:
        for line in text.columns([(check.verdict, check.name, text.plain(check.said)) for check in checks]):
            typer.echo(line)
        typer.echo(f"{len(bad)} problems" if bad else "Ready: outpace run online_bin_packing")
    if bad:
        raise typer.Exit(1)


def examine(home: Path) -> Iterator[Check]:
    """Look at everything that a run depends on."""
    yield _python()
    yield _machine()
    yield _load()
    yield _timer()
    yield from _sandboxes()
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
            sandbox.probe()
        except OutpaceError as error:
            yield Check(f"sandbox {name}", needed, str(error))
            continue
        if sandbox.isolated:
            yield Check(f"sandbox {name}", "ok", f"isolates candidates{_release(name)}")
        else:
            yield Check(f"sandbox {name}", "note", "works, but only limits: for code that you trust")


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
