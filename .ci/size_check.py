"""Checks the size limits of the house: run it at the root of the checkout, or name files and folders.

Functions at most 60 lines, files 600 lines, classes 15 methods, parameters 6 (``self`` and ``cls`` apart), and a
parameter with a default is keyword-only unless it is one of the first two: options are named where they are given.
Prints ``file:line: message`` for each finding and exits with 1 if there is any. With ``--aims`` it prints instead what
the house aims at and does not insist on: functions of 25 lines, files of 250, keyword-only after the second parameter.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

POSITIONAL = 2
FOLDERS = ("outpace", "tests", "benchmarks", ".ci")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large things may be; ``named_options``: only parameters with a default have to be keyword-only."""

    function_lines: int
    file_lines: int
    class_methods: int = 15
    parameters: int = 6
    named_options: bool = True


LIMITS = Sizes(function_lines=60, file_lines=600)
AIMS = Sizes(function_lines=25, file_lines=250, named_options=False)


def main(arguments: Sequence[str]) -> int:
    """Print the findings in the named files and folders (default: the whole house) and return the exit code."""
    sizes = AIMS if "--aims" in arguments else LIMITS
    named = [Path(argument) for argument in arguments if argument != "--aims"]
    roots = named or [Path(folder) for folder in FOLDERS]
    missing = [root for root in roots if not root.exists()]
    findings = [f"{root}: no such file or folder" for root in missing]
    files = [path for root in roots for path in sources(root)]
    findings += [finding for path in files for finding in check(path, sizes)]
    for finding in findings:
        print(finding)
    print(f"{len(files)} files, {len(findings)} findings", file=sys.stderr)
    return 1 if findings or not files else 0


def sources(root: Path) -> list[Path]:
    """Return the Python files under ``root``, or ``root`` itself if it is one."""
    return [root] if root.is_file() else sorted(root.rglob("*.py"))


def check(path: Path, sizes: Sizes) -> Iterator[str]:
    """Yield the findings in one file."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > sizes.file_lines:
        yield f"{path}:1: file has {lines} lines, at most {sizes.file_lines} are allowed"
    tree = ast.parse(text, str(path))
    methods = {
        child for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for child in node.body if _is_function(child)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found = _class_findings(node, sizes)
        elif isinstance(node, FunctionNode):
            given = _signature_is_given(path, node)
            parameters = [] if given else _parameter_findings(node, sizes, is_method=node in methods)
            found = [*_length_findings(node, sizes), *parameters]
        else:
            continue
        yield from (f"{path}:{node.lineno}: {finding}" for finding in found)


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, FunctionNode)


def _class_findings(node: ast.ClassDef, sizes: Sizes) -> list[str]:
    names = {child.name for child in node.body if isinstance(child, FunctionNode)}  # a property's setter is not another
    names -= {name for name in names if name.startswith("test_")}  # a group of tests may be large
    if len(names) <= sizes.class_methods:
        return []
    return [f"class {node.name} has {len(names)} methods, at most {sizes.class_methods} are allowed"]


def _length_findings(node: FunctionNode, sizes: Sizes) -> list[str]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if lines <= sizes.function_lines:
        return []
    return [f"function {node.name} has {lines} lines, at most {sizes.function_lines} are allowed"]


def _signature_is_given(path: Path, node: FunctionNode) -> bool:
    """Tell whether pytest (fixtures), Python (special methods), typer, a device or a method decides the parameters.

    A strategy takes those of its method by name, each of which a user may set (``--param``).
    """
    in_tests = "tests" in path.parts
    is_special = node.name.startswith("__") and node.name.endswith("__") and node.name not in ("__init__", "__call__")
    is_method = "strategies" in path.parts and node.name == "__init__" and len(node.args.args) <= 1 + POSITIONAL
    return in_tests or is_special or is_method or any(_is_command(decorator) for decorator in node.decorator_list)


def _is_command(decorator: ast.expr) -> bool:
    """Tell whether this is ``@app.command(...)``, ``@app.callback(...)`` or ``@triton.jit``.

    Each option is a parameter there, or each pointer and stride.
    """
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Attribute) and call.attr in ("command", "callback", "jit")


def _parameter_findings(node: FunctionNode, sizes: Sizes, *, is_method: bool) -> list[str]:
    arguments = node.args
    static = any(isinstance(name, ast.Name) and name.id == "staticmethod" for name in node.decorator_list)
    positional = [*arguments.posonlyargs, *arguments.args][1 if is_method and not static else 0 :]
    extra = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    count = len(positional) + len(arguments.kwonlyargs) + len(extra)
    found = []
    if count > sizes.parameters:
        found.append(f"function {node.name} has {count} parameters, at most {sizes.parameters} are allowed")
    first_default = len(positional) - len(arguments.defaults) if sizes.named_options else 0
    late = positional[max(POSITIONAL, first_default) :]
    if late:
        found.append(f"function {node.name} takes '{late[0].arg}' by position: put '*' before it")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
