"""KernelBench (Ouyang et al. 2025, arXiv:2502.10517): a PyTorch module to be made faster, here on the CPU.

A problem is a file ``<id>_<name>.py`` in a folder ``level<n>`` with ``Model``, ``get_inputs`` and ``get_init_inputs``;
a candidate is a class ``ModelNew`` with the same weights. The shapes are made for a GPU with tens of gigabytes, so the
task has smaller ones unless told otherwise.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from outpace.errors import TaskError, UsageError
from outpace.tasks.folder import bound_names
from outpace.tasks.importers import survey, writing
from outpace.tasks.importers.source import Files, Source

OPTIONS = {
    "mb": "megabytes that inputs, parameters and answer of a call may take; default 64",
    "gflop": "billions of operations that a call may take; default 20",
    "shapes": "small (the default), or original: those of the file, gigabytes as they may be",
}
MB, GFLOP = 64, 20
CANDIDATE, ORIGINAL = "ModelNew", "Model"
_NAMES = (ORIGINAL, "get_inputs", "get_init_inputs")
_FILE = re.compile(r"(\d+)_(\w+)\.py")
_LEVEL = re.compile(r"level(\d+)")
_MEMORY_MB = 6144
_WHAT = "a problem of KernelBench, such as level1/23_Softmax.py"


def tasks(path: Path) -> list[str]:
    """Return the problems of a checkout, a level, or one problem."""
    if not path.exists() or path.is_file():
        _file(path)
        return [""]
    root = _root(path)
    prefix = root.relative_to(path).as_posix()
    found = sorted(_problems(root), key=lambda one: (_number(one.parent.name), _number(one.name)))
    if not found:
        raise TaskError(f"{path}: holds no problem; expected folders level1 to level4 with files such as 23_Softmax.py")
    names = [one.relative_to(root).as_posix() for one in found]
    return names if prefix == "." else [f"{prefix}/{name}" for name in names]


def _root(path: Path) -> Path:
    """Return the folder that holds the levels: of a checkout its folder ``KernelBench``."""
    inner = path / "KernelBench"
    return inner if inner.is_dir() and not any(path.glob("level*")) else path


def _problems(root: Path) -> Iterable[Path]:
    levels = (
        [root] if _LEVEL.fullmatch(root.name) else [one for one in root.glob("level*") if _LEVEL.fullmatch(one.name)]
    )
    return [file for level in levels for file in level.glob("*.py") if _FILE.fullmatch(file.name)]


def _number(name: str) -> int:
    found = re.search(r"\d+", name)
    return int(found[0]) if found else 0


def _file(path: Path) -> Path:
    """Return the file of a problem, which may be named by its number alone; raises ``TaskError``."""
    if path.is_file():
        return path
    level = path.parent if path.parent.is_dir() else _root(path.parent.parent) / path.parent.name
    if path.name.isdecimal() and level.is_dir():
        found = sorted(one for one in level.glob(f"{path.name}_*.py") if _FILE.fullmatch(one.name))
        if len(found) == 1:
            return found[0]
        raise TaskError(f"{level}: {'several files' if found else 'no file'} {path.name}_*.py; expected {_WHAT}")
    if (file := level / path.name).is_file():
        return file
    raise TaskError(f"{path}: no such file; expected {_WHAT}")


def files(source: Source) -> Files:
    """Return the task folder of one problem, with shapes that fit this machine."""
    if (path := source.path).is_dir():
        raise TaskError(f"{path}: is a folder; expected {_WHAT} (outpace task list kernelbench:{path})")
    shapes = source.option("shapes", "small")
    if shapes not in ("small", "original"):
        raise UsageError(f"Option 'shapes' of kernelbench: got '{shapes:.40}', expected small or original.")
    mb, gflop = source.whole("mb", MB), source.whole("gflop", GFLOP)
    file = _file(path)
    text = _read(file)
    packages = writing.packages(text)
    survey.needed(str(file), sorted({"torch", *packages}))
    found = survey.surveyed("kernelbench/survey.py", text, mb, gflop, shapes == "original")
    if found["refused"]:
        raise TaskError(f"{file}: {found['refused']}")
    limits = survey.timing(found["seconds"], str(file), smaller="make it smaller with mb=16 or gflop=5")
    return {
        **writing.inside("kernelbench/driver.py", "kernelbench/hosted.py", "kernelbench/task.py"),
        **writing.utf8(
            {
                "statement.md": statement(file, found),
                "program.py": writing.in_block(renamed(found["text"])),
                "original.py": found["text"],
                "support/tensors.py": (writing.INSIDE / "tensors.py").read_text(),
            }
        ),
        "task.toml": _facts(file, found, ["torch", *(name for name in packages if name != "torch")], limits),
    }


def _read(file: Path) -> str:
    """Return the text of a problem; raises ``TaskError`` for what can be seen without running it."""
    text, tree = writing.parsed(file, _WHAT)
    names = bound_names(tree)
    if missing := [name for name in _NAMES if name not in names]:
        raise TaskError(f"{file}: defines no {' and no '.join(missing)}; expected {_WHAT}")
    if not isinstance(names[ORIGINAL], ast.ClassDef):
        raise TaskError(f"{file}: {ORIGINAL} is no class; expected {_WHAT}")
    if "transformers" in writing.packages(text):
        raise TaskError(f"{file}: loads a model from Hugging Face, which no program in the sandbox can; not supported")
    return text


def renamed(text: str) -> str:
    """Return a program with the class ``Model`` named ``ModelNew``; comments and texts stay as they are."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = [token.start for token in tokens if token.type == tokenize.NAME and token.string == ORIGINAL]
    lines = text.splitlines(keepends=True)
    for row, column in reversed(found):
        line = lines[row - 1]
        lines[row - 1] = f"{line[:column]}{CANDIDATE}{line[column + len(ORIGINAL) :]}"
    return "".join(lines)


def _place(file: Path) -> str:
    level = _LEVEL.fullmatch(file.parent.name)
    return f"level {level[1]}, problem {_number(file.name)}" if level and _FILE.fullmatch(file.name) else file.name


def _facts(file: Path, found: dict[str, Any], packages: list[str], limits: dict[str, float]) -> bytes:
    inputs_mb, answer_mb = (-(-size >> 20) for size in found["bytes"])
    small = "small twin, " if found["changes"] else ""
    name = _FILE.fullmatch(file.name)
    said = (name[2] if name else file.stem).strip("_").replace("_", " ")
    table = {
        "name": writing.identifier(f"kernelbench_{file.parent.name}_{file.stem}"),
        "title": f"{said} (KernelBench {_place(file)}; {small}{survey.CPU})",
        "entry": CANDIDATE,
        "family": "kernelbench",
        "requires": packages,
        "sources": ["Ouyang et al., KernelBench: Can LLMs Write Efficient GPU Kernels?, 2025, arXiv:2502.10517"],
        "goal": {"kind": "speedup"},
        "answer": {
            "kind": "array" if found["dtype"] else None,
            "dtype": found["dtype"],
            "tolerance": 2 * (1e-2 if found["rough"] else 1e-4),
            "accepts": ["half"] if found["rough"] else None,
        },
        "limits": {
            **limits,
            "memory_mb": _MEMORY_MB + 16 * (inputs_mb + answer_mb),
            "output_mb": min(1024, max(16, 2 * inputs_mb + 2 * answer_mb + 8)),
        },
    }
    return writing.facts(table, [{"name": "shapes"}])


def statement(file: Path, found: dict[str, Any]) -> str:
    """Return the statement: what is asked, on which shapes, how it is called, timed and judged."""
    lines = [
        f"# {file.stem.strip('_')} (KernelBench {_place(file)})",
        "",
        f"Write a class `{CANDIDATE}` that answers as the PyTorch module `{ORIGINAL}` of the problem does, and faster.",
        f"`program.py` begins as the problem's own file, with `{ORIGINAL}` named `{CANDIDATE}`.",
        "",
        f"**{survey.CPU}.** One core and one thread run eager PyTorch; the score is the speed-up over the problem's",
        "own module on this machine, and says nothing about a GPU.",
        "",
        *_shapes(found),
        "",
        "## How it is called",
        "",
        f"- `{CANDIDATE}(*get_init_inputs())` is built once, untimed, directly after `torch.manual_seed(42)`, as the",
        "  problem's own module is: parameters that are made in the same order get the same numbers.",
        f"- Then it is called under `torch.no_grad()` with {_listed(found['inputs'])}, fresh each time. It is in",
        "  training mode, as in KernelBench, and `torch.manual_seed` comes directly before each call.",
        "- Inputs are on the CPU, contiguous, and must not be changed; an answer must not be one of them.",
        "- No program can be started in the sandbox, so `torch.compile`, C++ extensions and Triton are of no use here.",
        "",
        "## How it is judged",
        "",
        f"The answer is `{found['answer']}`. Form and dtype must be the same and all numbers finite; each may be off",
        "by 1e-4 of itself plus 1e-4 of 1 or of the largest number, whichever is less (1e-2 for float16 and bfloat16).",
        "Whole numbers must be the same.",
    ]
    return "\n".join(lines) + "\n"


def _shapes(found: dict[str, Any]) -> list[str]:
    if not found["changes"]:
        return ["The shapes are those of the problem's file."]
    changes = [f"- `{name}`: {value} instead of {old}" for name, old, value in found["changes"]]
    return [
        "This is a **small twin** of the problem, on other shapes than KernelBench's, so that it fits:",
        "",
        *changes,
    ]


def _listed(forms: list[str]) -> str:
    return f"`({', '.join(forms)})`"
