"""GPU MODE's reference kernels: a kernel to be made faster, here as a function on tensors of the CPU.

A problem is a folder with ``task.yml``, ``reference.py`` (``generate_input``, ``ref_kernel``, ``check_implementation``)
and mostly ``submission.py`` (``custom_kernel``); the files that it uses may lie elsewhere in the checkout.
"""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from outpace.errors import TaskError
from outpace.tasks.folder import bound_names
from outpace.tasks.importers import survey, writing
from outpace.tasks.importers.source import Files, Source

OPTIONS = {"mb": "megabytes that the tensors of a case may take, larger cases are left out; default 64"}
MB = 64
ENTRY, SUBMISSION = "custom_kernel", "@SUBMISSION@"
_DESCRIPTION = "task.yml"
_REFERENCE = "reference.py"
_NAMES = ("generate_input", "ref_kernel", "check_implementation")
_GPU_ONLY = frozenset({"aiter", "cuda", "cupy", "cutlass", "helion", "iris", "mori", "nvshmem", "pynvml", "triton"})
"""Packages that need a GPU to do anything."""
_COMPILERS = re.compile(r"torch\.compile|load_inline|cpp_extension|@helion|@triton")
_WHAT = "a problem's folder of GPU MODE, with task.yml and reference.py"
_MEMORY_MB = 6144


def tasks(path: Path) -> list[str]:
    """Return the problems of a checkout, a set, or one problem."""
    if (path / _DESCRIPTION).is_file():
        return [""]
    if not path.is_dir():
        raise TaskError(
            f"{path}: {'no folder' if path.exists() else 'no such folder'}; expected {_WHAT}, or a checkout"
        )
    found = sorted(one.parent.relative_to(path).as_posix() for one in path.rglob(_DESCRIPTION))
    if not found:
        raise TaskError(f"{path}: no {_DESCRIPTION} in it or below; expected {_WHAT}, or a checkout")
    return found


def files(source: Source) -> Files:
    """Return the task folder of one problem, with the cases that a CPU can do."""
    mb = source.whole("mb", MB)
    path = _folder(source.path)
    about = _about(path)
    texts = _texts(path, about)
    submission = texts.pop("submission.py", "")
    named = _named(path, about)
    _on_cpu(path, texts)
    own = {Path(name).stem for name in texts}
    packages = writing.packages(*texts.values(), own=own)
    survey.needed(str(path), sorted({"torch", *packages}))
    why = _unusable(submission, own)
    found = survey.surveyed("gpumode/survey.py", texts, "" if why else submission, [spec for _, spec in named], mb)
    if found["refused"]:
        raise TaskError(f"{path}: {found['refused']}")
    why = why or found["start"]
    program = submission if not why else _of_reference(texts[_REFERENCE])
    cases = _cases([name for name, _ in named], found["cases"])
    if not any(timed for _, timed in cases.values()):
        _too_fast(path, found["cases"])
    limits = survey.timing(
        max(found["cases"][index]["seconds"] for index, timed in cases.values() if timed), str(path), smaller="mb=16"
    )
    table = _facts(path, found, sorted({"torch", *packages, *writing.packages(program, own=own)}), limits)
    return {
        **writing.inside("gpumode/driver.py", "gpumode/hosted.py", "gpumode/judging.py", "gpumode/task.py"),
        **writing.utf8(
            {
                "statement.md": statement(path, about, found, _left(named, found["cases"]), why),
                "program.py": writing.in_block(program),
                "allocated.json": json.dumps(found["allocated"]),
                f"original/{_REFERENCE}": texts[_REFERENCE],
                **{f"support/{name}": text for name, text in texts.items() if name != _REFERENCE},
                "support/tensors.py": (writing.INSIDE / "tensors.py").read_text(),
            }
        ),
        "task.toml": writing.facts(
            table,
            [{"name": name, "timed": timed, "params": named[index][1]} for name, (index, timed) in cases.items()],
        ),
    }


def _folder(path: Path) -> Path:
    if (path / _DESCRIPTION).is_file():
        return path
    inner = path.parent.parent / "problems" / path.parent.name / path.name
    if (inner / _DESCRIPTION).is_file():
        return inner
    if path.is_dir():
        raise TaskError(f"{path}: holds no {_DESCRIPTION}; expected {_WHAT} (outpace task list gpumode:{path})")
    raise TaskError(f"{path}: {'no folder' if path.exists() else 'no such folder'}; expected {_WHAT}")


def _about(path: Path) -> dict[str, Any]:
    """Return what ``task.yml`` says; raises ``TaskError`` for what no CPU can do."""
    file = path / _DESCRIPTION
    try:
        about = yaml.safe_load(writing.text_of(file, _WHAT))
    except yaml.YAMLError as error:
        raise TaskError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(about, dict):
        raise TaskError(f"{file}: got a {type(about).__name__}, expected keys such as files, tests and benchmarks")
    if about.get("lang", "py") != "py":
        raise TaskError(f"{file}: lang is {about['lang']!r:.20}, expected 'py': kernels in other languages need a GPU")
    if about.get("multi_gpu"):
        raise TaskError(f"{file}: multi_gpu is set: it needs several GPUs; not supported")
    return about


def _named(path: Path, about: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return all cases with their names."""
    kinds = ("tests", "benchmarks")
    return [(f"{kind[:-1]}_{number}", spec) for kind in kinds for number, spec in enumerate(_specs(path, about, kind))]


def _specs(path: Path, about: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the arguments of generate_input of each case, without the seed."""
    specs = about.get(kind) or []
    if not isinstance(specs, list) or not all(isinstance(one, dict) for one in specs):
        raise TaskError(f"{path / _DESCRIPTION}: {kind}: expected a list of tables such as {{size: 1024, seed: 7}}")
    if kind == "benchmarks" and not specs and not about.get("tests"):
        raise TaskError(f"{path / _DESCRIPTION}: neither tests nor benchmarks; expected cases such as {{size: 1024}}")
    return [{str(key): value for key, value in one.items() if key != "seed"} for one in specs]


def _texts(path: Path, about: Mapping[str, Any]) -> dict[str, str]:
    """Return the Python files of a problem by the names under which they import each other, told to use the CPU."""
    listed = about.get("files") or []
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and {"name", "source"} <= one.keys() for one in listed
    ):
        raise TaskError(f"{path / _DESCRIPTION}: files: expected a list of {{name: utils.py, source: ../utils.py}}")
    found: dict[str, str] = {}
    for name, place in ((str(one["name"]), str(one["source"])) for one in listed):
        if place == SUBMISSION or name == about.get("config", {}).get("main") or not name.endswith(".py"):
            continue
        if "/" in name:
            raise TaskError(f"{path / _DESCRIPTION}: files: got the name '{name:.60}', expected one without a folder")
        found[name] = on_cpu(writing.parsed(path / place, f"the file that {_DESCRIPTION} calls {name}")[0])
    if _REFERENCE not in found:
        raise TaskError(f"{path / _DESCRIPTION}: files lists no {_REFERENCE}; expected {_WHAT}")
    if (path / "submission.py").is_file():
        found["submission.py"] = on_cpu(writing.text_of(path / "submission.py", _WHAT))
    return found


def on_cpu(text: str) -> str:
    """Return a program with the device "cuda" replaced by "cpu"."""
    text = re.sub(r"""(["'])cuda(:0)?\1""", r"\1cpu\1", text)
    return re.sub(r"\.is_cuda\b", ".is_cpu", re.sub(r"\.cuda\(\)", ".cpu()", text))


def _on_cpu(path: Path, texts: Mapping[str, str]) -> None:
    """Raise ``TaskError`` for what can be seen without running it."""
    tree = ast.parse(texts[_REFERENCE])
    names = bound_names(tree)
    if missing := [name for name in _NAMES if name not in names]:
        raise TaskError(f"{path / _REFERENCE}: defines no {' and no '.join(missing)}; expected {_WHAT}")
    generator = names["generate_input"]
    arguments = generator.args if isinstance(generator, ast.FunctionDef) else None
    if arguments and any(one.arg == "rank" for one in (*arguments.args, *arguments.kwonlyargs)):
        raise TaskError(f"{path / _REFERENCE}: generate_input takes a rank: it needs several GPUs; not supported")
    if gpu := sorted(_GPU_ONLY.intersection(writing.packages(*texts.values()))):
        raise TaskError(f"{path / _REFERENCE}: imports {' and '.join(gpu)}: it needs a GPU; not supported on a CPU")
    if "_scaled_mm" in texts[_REFERENCE] and re.search(r"float4|fp4", texts[_REFERENCE]):
        raise TaskError(f"{path / _REFERENCE}: multiplies in 4-bit floats: it needs a GPU; not supported on a CPU")


def _unusable(submission: str, own: set[str]) -> str:
    """Return why the problem's own submission cannot be tried as the starting program; empty where it can."""
    if not submission:
        return "there is no submission.py"
    try:
        tree = ast.parse(submission)
    except SyntaxError as error:
        return f"submission.py is not valid Python ({error.msg}, line {error.lineno})"
    if ENTRY not in bound_names(tree):
        return f"submission.py defines no {ENTRY}"
    if found := _COMPILERS.search(submission):
        return f"submission.py uses {found[0]}, which needs a compiler"
    if gpu := sorted(_GPU_ONLY.intersection(writing.packages(submission, own=own))):
        return f"submission.py imports {' and '.join(gpu)}"
    return ""


def _of_reference(text: str) -> str:
    """Return a program that answers as the reference does: all of it but the generator and the checker."""
    tree = ast.parse(text)
    names = bound_names(tree)
    dropped = {id(names[name]) for name in ("generate_input", "check_implementation")}
    lines = text.splitlines()
    gone: set[int] = set()
    for node in tree.body:
        guarded = isinstance(node, ast.If) and isinstance(node.test, ast.Compare)  # if __name__ == "__main__"
        if id(node) in dropped or guarded:
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            gone.update(range(first, (node.end_lineno or node.lineno) + 1))
    kept = "\n".join(line for number, line in enumerate(lines, 1) if number not in gone)
    kept = re.sub(r"\n{4,}", "\n\n\n", kept).strip()
    return f"{kept}\n\n\ndef {ENTRY}(data):\n    return ref_kernel(data)\n"


def _cases(names: Sequence[str], found: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, bool]]:
    """Return the cases that can be used, each with its number and whether it is timed.

    Benchmarks are; where none of them can be used, the tests whose reference takes long enough.
    """
    used = {name: index for index, name in enumerate(names) if "seconds" in found[index]}
    slow = {name for name, index in used.items() if found[index]["seconds"] >= survey.LEAST_S}
    timed = {name for name in slow if name.startswith("benchmark")} or slow
    return {name: (index, name in timed) for name, index in used.items()}


def _too_fast(path: Path, found: Sequence[Mapping[str, Any]]) -> None:
    longest = max(case.get("seconds", 0.0) for case in found)
    survey.timing(min(longest, survey.LEAST_S / 2), str(path), smaller="")


def _left(named: Sequence[tuple[str, dict[str, Any]]], found: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"`{name}` ({', '.join(f'{key}={value}' for key, value in spec.items())}): {case['left']}"
        for (name, spec), case in zip(named, found, strict=True)
        if "left" in case
    ]


def _facts(path: Path, found: Mapping[str, Any], packages: list[str], limits: dict[str, float]) -> dict[str, Any]:
    used = [case for case in found["cases"] if "seconds" in case]
    inputs_mb, answer_mb = (-(-max(case["bytes"][n] for case in used) >> 20) for n in (0, 1))
    return {
        "name": writing.identifier(f"gpumode_{path.parent.name}_{path.name}"),
        "title": f"{path.name.removesuffix('_py')} (GPU MODE {path.parent.name}; {survey.CPU})",
        "entry": ENTRY,
        "family": "gpumode",
        "requires": packages,
        "sources": ["GPU MODE, reference-kernels"],
        "inplace": True if found["inplace"] else None,
        "goal": {"kind": "speedup"},
        "answer": {
            "kind": "array"
            if found["single"] and "bfloat16" not in found["answer"] and "float8" not in found["answer"]
            else None,
            "finite": all(case["finite"] for case in used),
        },
        "limits": {
            **limits,
            "memory_mb": _MEMORY_MB + 16 * (inputs_mb + answer_mb),
            "output_mb": min(1024, max(16, 2 * inputs_mb + 2 * answer_mb + 8)),
        },
    }


def statement(path: Path, about: Mapping[str, Any], found: Mapping[str, Any], left: Sequence[str], why: str) -> str:
    """Return the statement: the problem's own words, then how it is called, timed and judged here."""
    start = f"`ref_kernel` of the problem, for {why}" if why else "the problem's own `submission.py`"
    lines = [
        f"# {path.name} (GPU MODE {path.parent.name})",
        "",
        f"**{survey.CPU}.** One core and one thread run it; what is said of GPUs below is the problem's own text.",
        "",
        str(about.get("description") or "").strip(),
        "",
        "## Here",
        "",
        f"- `{ENTRY}(data)` gets `{found['data']}` on the CPU and returns `{found['answer']}`;",
        "  the program begins as " + start + ".",
        *(
            ["- Outputs that are part of `data` are allocated anew for each call, and hold no zeros."]
            * bool(found["allocated"])
        ),
        *([] if found["inplace"] else ["- Inputs must not be changed."]),
        "- Tests are only checked, benchmarks are timed too, all of them on fresh seeds.",
        "- An answer must have the form of the reference's, and the problem's `check_implementation` must accept it.",
        "- No program can be started in the sandbox, so `torch.compile`, C++ extensions and Triton are of no use here.",
    ]
    if left:
        lines += ["", "These cases are left out:", "", *(f"- {one}" for one in left)]
    return "\n".join(lines) + "\n"
