"""``outpace task check``: everything that can be found wrong with a task folder without running a candidate."""

import ast
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

from outpace.tasks import description
from outpace.tasks.candidate import PROGRAM, Block, blocks
from outpace.tasks.finding import Finding
from outpace.tasks.folder import DRIVER, Contents, bound_names, bring_up, examine, supported
from outpace.tasks.packages import imported, package_of
from outpace.tasks.spec import Case, Task
from outpace.tasks.trial import fixed, trial


def check(path: str | Path) -> list[Finding]:
    """Return what is wrong with the task folder ``path``; empty where all is well, no error where it can be used.

    The text files are read first, then ``task.py`` is imported and tried in this process: it is trusted code. The
    starting program is not run here; that needs a sandbox.
    """
    folder = Path(path)
    contents, findings = examine(folder)
    if contents is None:
        return findings
    findings += [*_facts(contents), *_program(contents), *_imports(contents)]
    task, more = bring_up(contents)
    findings += more
    if task is not None:
        findings += _methods(task, folder) or trial(task, folder) or _arguments(contents, task)
        if not any(finding.severity == "error" for finding in findings):
            findings += _held_out(task, folder)
    return findings


def _facts(contents: Contents) -> Iterator[Finding]:
    """Yield what no single key of task.toml shows: splits and seeds."""
    spec, file = contents.spec, str(contents.folder / description.FILE)
    train = spec.split("train")
    if not train:
        yield Finding(file, 0, 'no case with split = "train"; the search needs at least one')
    elif spec.goal.kind == "speedup" and not any(case.timed for case in train):
        yield Finding(file, 0, "all train cases have timed = false; a speed-up needs at least one timed case")
    for split in dict.fromkeys(case.split for case in spec.cases if spec.device == "gpu"):
        if all(case.timed for case in spec.split(split)):
            text = f"all {split} cases are timed; without a GPU only those with timed = false are checked"
            yield Finding(file, 0, f"{text}, so there must be one")
    if spec.goal.kind == "metric":
        for one, other in combinations(spec.cases, 2):
            if one.split != other.split and one.params == other.params and _overlap(one, other):
                text = f"cases '{one.name}' ({one.split}) and '{other.name}' ({other.split}) share problems"
                yield Finding(file, 0, f"{text}: same params and overlapping seeds; move one seed away")


def _overlap(one: Case, other: Case) -> bool:
    return one.seed < other.seed + other.instances and other.seed < one.seed + one.instances


def _program(contents: Contents) -> Iterator[Finding]:
    """Yield blocks that hold nothing, and a program whose entry cannot be changed by changing its blocks.

    The entry may stand inside a block or outside. Outside, something in a block must reach it: what stays outside all
    blocks (imports, constants of the task, fixed helpers) is the part that no proposal may touch. A program that is
    built may keep its block in a text of another language, which the build command takes out.
    """
    file, text = str(contents.folder / PROGRAM), contents.start.program
    found = blocks(text)
    built = bool(contents.spec.build)  # its block may hold a text of another language
    if contents.spec.language != "python":
        built, text = True, ""
    tree = ast.parse(text)
    for block in found:
        if not (block.text.strip() if built else _holds_statements(tree, block)):
            yield Finding(file, block.start, "the evolve block holds no statement; there is nothing to improve in it")
    if built or not contents.spec.entry:
        return
    names = bound_names(tree)
    reached, waiting = set[str](), [contents.spec.entry]
    while waiting:
        name = waiting.pop()
        if name in names and name not in reached:
            reached.add(name)
            waiting += [node.id for node in ast.walk(names[name]) if isinstance(node, ast.Name)]
    if not any(_touches(names[name], block) for name in reached for block in found):
        text = f"the entry '{contents.spec.entry}' uses nothing from an evolve block; no change of a block changes it"
        yield Finding(file, names[contents.spec.entry].lineno, text)


def _holds_statements(tree: ast.Module, block: Block) -> bool:
    return any(_inside(node, block) for node in ast.walk(tree) if isinstance(node, ast.stmt))


def _inside(node: ast.stmt, block: Block) -> bool:
    return block.start < node.lineno and (node.end_lineno or node.lineno) < block.end


def _touches(node: ast.stmt, block: Block) -> bool:
    return node.lineno < block.end and block.start < (node.end_lineno or node.lineno)


def _imports(contents: Contents) -> Iterator[Finding]:
    """Yield modules that are missing on this machine, or used and not listed."""
    listed = {name.split(".")[0]: name for name in contents.spec.requires}
    used: dict[str, tuple[str, int]] = {}
    program = contents.start.program if contents.spec.language == "python" else ""
    for name, text in ((PROGRAM, program), (DRIVER, contents.driver or "")):
        for module, line in imported(text):
            used.setdefault(module, (name, line))
    for module, name in listed.items():
        if find_spec(module) is None:
            said = f"requires: the module '{name}' is not installed here; pip install {package_of(name)}"
            yield Finding(str(contents.folder / description.FILE), 0, said)
    beside = {Path(path).parts[0].removesuffix(".py") for path in supported(contents)}
    for module, (name, line) in used.items():
        if module not in listed and module not in beside and module not in sys.stdlib_module_names:
            said = f"imports '{module}', which is not in requires of task.toml"
            yield Finding(str(contents.folder / name), line, said, "warning")


def _methods(task: Task, folder: Path) -> list[Finding]:
    """Return the methods that the task must define and does not."""
    needed = ["generate(self, case, seed)", "check(self, problem, output)"]
    if task.spec.goal.kind == "metric":
        needed.append("score(self, problem, output)")
    missing = [one for one in needed if getattr(type(task), name := one.split("(")[0]) is getattr(Task, name)]
    return [Finding(str(folder / "task.py"), 0, f"class Task does not define {one}") for one in missing]


def _arguments(contents: Contents, task: Task) -> Iterator[Finding]:
    """Yield an entry that does not take what ``generate`` gives: a problem's keys are the names of its arguments."""
    node = bound_names(ast.parse(contents.start.program)).get(contents.spec.entry)
    if contents.driver is not None or not isinstance(node, ast.FunctionDef) or node.decorator_list or node.args.kwarg:
        return
    arguments = [*node.args.args, *node.args.kwonlyargs]
    taken = [one.arg for one in arguments]
    defaults = [*node.args.args[len(node.args.args) - len(node.args.defaults) :]]
    defaults += [one for one, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
    needed = set(taken) - {one.arg for one in defaults}
    for case in contents.spec.cases:
        given = list(task.generate(case, case.seed))
        if not needed <= set(given) <= set(taken):
            text = f"the entry '{node.name}' takes {', '.join(taken) or 'nothing'}, and generate gives "
            text += f"{', '.join(given) or 'nothing'} (case '{case.name}'); they must have the same names"
            yield Finding(str(contents.folder / PROGRAM), node.lineno, text)
            return


def _held_out(task: Task, folder: Path) -> list[Finding]:
    """Warn where nothing was kept back from the search, unless the problem is one fixed record to be beaten."""
    if task.spec.split("heldout") or all(fixed(task, case) for case in task.spec.split("train")):
        return []
    text = 'no case with split = "heldout"; a champion that only suits the train cases would not be noticed'
    return [Finding(str(folder / description.FILE), 0, text, "warning")]
