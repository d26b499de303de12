"""``outpace task new``: writes a small task that works as it stands and explains itself."""

import keyword
import re
from pathlib import Path

from outpace.errors import UnknownName, UsageError
from outpace.tasks import registry

KINDS = ("metric", "speedup")
_TEMPLATES = Path(__file__).parent / "template"
_NAME = "my_task"  # what the templates are called


def new(path: str | Path, kind: str = "metric") -> Path:
    """Write the task folder ``path``, named after its last part, and return it.

    ``kind``: "metric" for a task that asks for a better answer, "speedup" for the same answer, faster.

    Raises:
        UnknownName: there is no such kind.
        UsageError: the name is no identifier or taken, or something is there already, or it cannot be written.
    """
    folder = Path(path)
    if kind not in KINDS:
        raise UnknownName("kind of task", kind, KINDS)
    _check_name(folder.resolve().name)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"Cannot write the task '{folder}': it exists already. Nothing was changed; give another name."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for template in sorted((_TEMPLATES / kind).iterdir()):
            if template.is_file():
                text = template.read_text(encoding="utf-8").replace(_NAME, folder.resolve().name)
                (folder / template.name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot write the task '{folder}': {error.strerror} ({error.filename}).") from error
    return folder


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or keyword.iskeyword(name):
        nearest = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "my_task"
        nearest = f"task_{nearest}" if nearest[0].isdigit() or keyword.iskeyword(nearest) else nearest
        raise UsageError(
            f"Cannot name a task '{name}': expected letters, digits and '_', not a digit first. Try '{nearest}'."
        )
    if name in registry.bundled():
        raise UsageError(f"Cannot name a task '{name}': a bundled task has that name. Give another one.")
