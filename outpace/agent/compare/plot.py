"""The curves as pictures; needs matplotlib (the extra ``plot``)."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outpace.agent.compare.curves import Band, Curve, band
from outpace.agent.compare.figures import Figures, Outcome, Sheet, families
from outpace.errors import MissingPackage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MISSING = "The pictures of the curves need the package 'matplotlib': pip install 'outpace[plot]'"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6A3D9A", "#8C564B")
"""After Okabe and Ito (2008): colour-blind people tell them apart too. The yardsticks are grey."""
STYLES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (4, 1, 1, 1)), (0, (2, 1)), (0, (6, 1, 1, 1, 1, 1)))
YARDSTICKS: dict[str, tuple[str, Any]] = {"random": ("#8A8A8A", (0, (1, 1.2))), "best_of_n": ("#202020", (0, (3, 2)))}
ACROSS = 3
FORMATS = ("png", "svg")


def available() -> bool:
    """Tell whether pictures can be drawn here."""
    return find_spec("matplotlib") is not None


def draw(figures: Figures, folder: Path) -> list[Path]:
    """Write ``curves.png`` and ``curves.svg``, with several settings ``settings.*`` too; return the files.

    Raises ``MissingPackage`` without matplotlib.
    """
    if not available():
        raise MissingPackage(MISSING)
    if not figures.sheets:
        return []
    pictures = {"curves": _curves(figures)}
    if figures.plan.draws > 1:
        pictures["settings"] = _settings(figures)
    return [_saved(picture, folder / f"{name}.{form}") for name, picture in pictures.items() for form in FORMATS]


def _saved(picture: "Figure", file: Path) -> Path:
    import matplotlib as mpl

    plain: dict[str, Any] = {"Date": None} if file.suffix == ".svg" else {"Software": None}
    with mpl.rc_context({"svg.hashsalt": "outpace"}):  # the same figures give the same file
        picture.savefig(file, dpi=140, metadata=plain)
    return file


def _curves(figures: Figures) -> "Figure":
    """Return a panel for each task, against evaluations, and where models were asked against tokens below."""
    tokens = any(line.by_tokens for sheet in figures.sheets for line in sheet.lines)
    panels = [(sheet, False) for sheet in figures.sheets] + [(sheet, True) for sheet in figures.sheets if tokens]
    picture, axes = _panels(len(panels), across=min(ACROSS, len(figures.sheets)))
    names = families(figures.plan)
    looks = _looks(names)
    for (sheet, by_tokens), one in zip(panels, axes, strict=True):
        for name in names:
            outcomes = [each for line in sheet.lines if line.entrant.family == name for each in line.outcomes]
            _trace(one, _band(outcomes, sheet, by_tokens=by_tokens), name, looks[name])
        _label(one, sheet, "tokens" if by_tokens else "evaluations")
    _legend(picture, axes)
    return picture


def _panels(count: int, *, across: int) -> tuple["Figure", list["Axes"]]:
    """Return a picture with so many panels; nothing of it is shown on a screen (the canvas is Agg's)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    down = -(-count // across)
    picture = Figure(figsize=(5.2 * across, 3.7 * down + 0.7), layout="constrained")
    FigureCanvasAgg(picture)
    grid = picture.subplots(down, across, squeeze=False)
    axes = [one for row in grid for one in row]
    for spare in axes[count:]:
        spare.set_axis_off()
    return picture, axes[:count]


def _band(outcomes: Sequence[Outcome], sheet: Sheet, *, by_tokens: bool) -> Band | None:
    if not by_tokens:
        return band([one.curve for one in outcomes], until=sheet.budget) if outcomes else None
    curves: list[Curve] = [one.by_tokens for one in outcomes if one.by_tokens]
    return band(curves, until=max(one.tokens for one in outcomes)) if curves else None


def _trace(axes: "Axes", found: Band | None, name: str, look: tuple[str, Any]) -> None:
    if found is None:
        return
    colour, style = look
    axes.fill_between(found.spent, found.low, found.high, step="post", color=colour, alpha=0.09, linewidth=0)
    axes.step(found.spent, found.median, where="post", color=colour, linestyle=style, linewidth=1.7, label=name)


def _label(axes: "Axes", sheet: Sheet, along: str) -> None:
    goal = sheet.goal
    direction = "more" if goal.direction == "maximise" else "less"
    axes.set_title(f"{sheet.task.name} ({direction} is better)", fontsize=11, loc="left")
    axes.set_xlabel(along)
    axes.set_ylabel(f"best {goal.name} so far{f', {goal.unit}' if goal.unit else ''}", fontsize=9)
    if goal.kind == "speedup":
        axes.set_yscale("log")
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(picture: "Figure", axes: Sequence["Axes"]) -> None:
    """Name every strategy that any panel shows, once."""
    shown = {name: handle for one in axes for handle, name in zip(*one.get_legend_handles_labels(), strict=True)}
    columns = min(5, max(1, len(shown)))
    picture.legend(
        [*shown.values()], [*shown], loc="outside lower center", ncols=columns, frameon=False, handlelength=3.6
    )
    picture.suptitle("Median over the runs, and the quartiles as a band", fontsize=10, color="#555555")


def _looks(names: Sequence[str]) -> dict[str, tuple[str, Any]]:
    """Return a colour and a style of line for each strategy."""
    others = [name for name in names if name not in YARDSTICKS]
    looks = {
        name: (COLOURS[index % len(COLOURS)], STYLES[index % len(STYLES)])  # 8 and 5: 40 pairs before one comes again
        for index, name in enumerate(others)
    }
    return {**YARDSTICKS, **looks}


def _settings(figures: Figures) -> "Figure":
    """Return a panel for each task: the median final score of each setting, the one as named filled."""
    picture, axes = _panels(len(figures.sheets), across=min(ACROSS, len(figures.sheets)))
    names = families(figures.plan)
    looks = _looks(names)
    for sheet, one in zip(figures.sheets, axes, strict=True):
        for row, name in enumerate(reversed(names)):
            lines = [line for line in sheet.lines if line.entrant.family == name and line.final]
            for line in lines:
                assert line.final
                fill = looks[name][0] if line.entrant.draw == 0 else "none"
                one.plot(line.final.median, row, "o", mfc=fill, mec=looks[name][0], ms=7, zorder=3)
        _label(one, sheet, f"final {sheet.goal.name}, median over the seeds")
        one.set_ylabel("")
        one.set_yscale("linear")
        one.set_yticks(range(len(names)), [*reversed(names)])
    picture.suptitle("Each circle a setting of the parameters; filled: as named", fontsize=10, color="#555555")
    return picture
