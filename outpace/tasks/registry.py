"""Finds tasks: bundled ones, folders, those of other tools, and those of installed packages.

Packages offer theirs in the entry-point group ``outpace.tasks``.

An entry point leads to a task, to the path of a task folder, or to a function without arguments that returns either.
"""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from outpace.errors import TaskError, UnknownName, UsageError
from outpace.tasks import description, folder
from outpace.tasks.importers import source
from outpace.tasks.spec import Task, TaskSpec

GROUP = "outpace.tasks"
_LIBRARY = Path(__file__).parent / "library"


def find(name_or_path: str | Path) -> Task:
    """Return the task of a bundled or installed name, a folder (``./my_task``), or another tool's ``FORMAT:PATH``.

    A text that begins with a word and a colon names a task of another tool (``importers.source``); any other one with a
    slash or a leading dot is a path, anything else a name.

    Raises:
        UnknownName: no task has that name, or no format.
        TaskError: the folder does not exist or is broken.
    """
    if isinstance(name_or_path, str) and source.is_source(name_or_path):
        return folder.load(source.folder_of(name_or_path))
    if isinstance(name_or_path, Path) or _is_path(name_or_path):
        path = Path(name_or_path).expanduser()
        return folder.load(path.parent if path.name == description.FILE else path)
    folders = _folders()
    if name_or_path in folders:
        return folder.load(folders[name_or_path])
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name_or_path in points:
        return _installed(points[name_or_path])
    if (Path(name_or_path) / description.FILE).is_file():
        raise UsageError(
            f"Unknown task '{name_or_path}', but there is a task folder of that name here: write './{name_or_path}'."
        )
    raise UnknownName("task", name_or_path, [*folders, *points])


def absolute(name: str) -> str:
    """Return a name of a task with its path made absolute, so that it is found from any folder."""
    if source.is_source(name):
        head, place, query = source.split(name)
        return f"{head}:{Path(place).expanduser().resolve()}{query}"
    return str(Path(name).expanduser().resolve()) if _is_path(name) else name


def available() -> list[str]:
    """Return the names that ``find`` knows, bundled and installed, sorted."""
    return sorted({*_folders(), *(point.name for point in entry_points(group=GROUP))})


def bundled() -> list[str]:
    """Return the names of the tasks that come with Outpace, sorted."""
    return sorted(_folders())


def place(name: str) -> Path | None:
    """Return the folder of a bundled task, None for any other name."""
    return _folders().get(name)


def specs() -> list[TaskSpec]:
    """Return the facts of the bundled tasks by family and name, without importing any of them."""
    found = [folder.read_spec(path) for path in _folders().values()]
    return sorted(found, key=lambda spec: (spec.family, spec.name))


def _folders() -> dict[str, Path]:
    return {path.parent.name: path.parent for path in _LIBRARY.glob(f"*/*/{description.FILE}")}


def _is_path(text: str) -> bool:
    return "/" in text or text.startswith((".", "~"))


def _installed(point: EntryPoint) -> Task:
    origin = f"entry point '{point.name}' of group {GROUP} ({point.value})"
    try:
        thing = point.load()
        if callable(thing) and not isinstance(thing, Task | Path):
            thing = thing()
    except (Exception, SystemExit) as error:
        raise TaskError(f"{origin} failed: {type(error).__name__}: {error}") from error
    if isinstance(thing, Task):
        return thing
    if isinstance(thing, str | Path):
        return folder.load(thing)
    raise TaskError(f"{origin} gave a {type(thing).__name__}, expected a Task or the path of a task folder")
