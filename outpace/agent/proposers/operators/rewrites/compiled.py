"""Rewrites that hand functions to numba."""

from collections.abc import Sequence

import libcst as cst

from outpace.agent.proposers.operators.rewrites.edits import disjoint
from outpace.agent.proposers.operators.scope import all_names, fresh, module_alias
from outpace.agent.proposers.operators.source import Edit, Source, walk

_COMPILERS = {"njit", "jit", "vectorize", "guvectorize"}
_CONVERSIONS = {
    "bytes": "{np}.frombuffer({name}, dtype={np}.uint8)",
    "bytearray": "{np}.frombuffer({name}, dtype={np}.uint8)",
    "list[int]": "{np}.array({name}, dtype={np}.int64)",
    "list[float]": "{np}.array({name}, dtype={np}.float64)",
    "Sequence[int]": "{np}.array({name}, dtype={np}.int64)",
    "Sequence[float]": "{np}.array({name}, dtype={np}.float64)",
}


def njit(source: Source, entry: str) -> Sequence[Edit]:
    """Decorate every function of the module."""
    return _decorate(source, _plain(source))


def callees(source: Source, entry: str) -> Sequence[Edit]:
    """Decorate every function of the module but the entry, for entries that numba cannot take."""
    functions = _plain(source)
    others = [function for function in functions if function.name.value != entry]
    return _decorate(source, others) if len(others) < len(functions) else []


def kernel(source: Source, entry: str) -> Sequence[Edit]:
    """Move the entry's body to a compiled function; the entry converts bytes and lists to arrays and calls it."""
    function = next((one for one in _plain(source) if one.name.value == entry), None)
    if (
        function is None
        or function.decorators
        or not _movable(function.params)
        or any(map(compiled, source.functions()))
    ):
        return []
    taken = all_names(source)
    numpy, imports = _numpy(source)
    name = fresh(f"{entry}_kernel", taken)
    parameters = [parameter.name.value for parameter in function.params.params]
    arguments = [_converted(source, parameter, numpy) for parameter in function.params.params]
    if arguments == parameters:
        return []  # njit of the entry itself does the same
    head_end = source.data.index(b"\n", source.span(function.params)[1]) + 1
    head = source.data[source.line_start(function) : head_end].decode()
    first = next(iter(function.body.body))
    moved = f"def {name}({', '.join(parameters)}):\n"
    call = f"    return {name}({', '.join(arguments)})\n"
    document = source.code(first) if _is_docstring(first) else ""
    body = source.data[head_end : source.span(function)[1]].decode()
    wrapper = head + (f"    {document}\n" if document else "") + call
    edit = Edit(
        source.line_start(function),
        source.span(function)[1],
        f"@njit\n{moved}{body.rstrip()}\n\n\n{wrapper}".rstrip("\n"),
    )
    others = [one for one in _plain(source) if one is not function]
    return [*_decorate(source, others, extra=[*imports, "from numba import njit"]), edit]


def arrays(source: Source, entry: str) -> Sequence[Edit]:
    """Put arrays in place of ``[number] * n`` and ``list(range(n))`` in compiled functions."""
    numpy, imports = _numpy(source)
    edits = []
    for function in source.functions():
        if not compiled(function):
            continue
        for node in walk(function.body):
            if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Multiply):
                text = _filled(source, node, numpy)
            else:
                text = _counted(source, node, numpy)
            if text:
                edits.append(source.replace(node, text))
    return [*([source.top(imports)] if imports and edits else []), *disjoint(edits)]


def fastmath(source: Source, entry: str) -> Sequence[Edit]:
    """Allow the compiler to reorder floating-point arithmetic."""
    return _option(source, "fastmath=True")


def error_model(source: Source, entry: str) -> Sequence[Edit]:
    """Let divisions by zero give infinities, as numpy does, which spares a check for each division."""
    return _option(source, 'error_model="numpy"')


def compiled(function: cst.FunctionDef) -> bool:
    """Return whether a function has a decorator of numba."""
    return any(
        isinstance(node, cst.Name) and node.value in _COMPILERS for one in function.decorators for node in walk(one)
    )


def _plain(source: Source) -> list[cst.FunctionDef]:
    """Return the functions of the module's top level that are not compiled yet and that numba might take."""
    top = set(map(id, source.module.body))
    return [
        function
        for function in source.functions()
        if id(function) in top and not compiled(function) and function.asynchronous is None
    ]


def _decorate(source: Source, functions: Sequence[cst.FunctionDef], *, extra: Sequence[str] = ()) -> list[Edit]:
    lines = list(extra)
    if functions and not lines:
        lines = ["from numba import njit"]
    if "njit" in all_names(source):
        lines = [line for line in lines if line != "from numba import njit"]
    if not functions and not extra:
        return []
    edits = [source.before(function, ["@njit"]) for function in functions]
    return [*([source.top(lines)] if lines else []), *edits]


def _option(source: Source, option: str) -> list[Edit]:
    key = option.split("=", maxsplit=1)[0]
    edits = []
    for function in source.functions():
        for one in function.decorators:
            decorator = one.decorator
            text = source.code(decorator)
            if not compiled(function) or key in text:
                continue
            if isinstance(decorator, cst.Call):
                edits.append(source.replace(decorator, f"{text.rstrip(')').rstrip(', ')}, {option})"))
            else:
                edits.append(source.replace(decorator, f"{text}({option})"))
    return edits


def _numpy(source: Source) -> tuple[str, list[str]]:
    """Return the name of numpy in the program, and the line that imports it if that is still to be done."""
    alias = module_alias(source, "numpy")
    return (alias, []) if alias else ("np", ["import numpy as np"])


def _movable(parameters: cst.Parameters) -> bool:
    """Return whether all parameters are plain ones."""
    star = not isinstance(parameters.star_arg, cst.MaybeSentinel)
    return not (star or parameters.star_kwarg or parameters.kwonly_params or parameters.posonly_params)


def _converted(source: Source, parameter: cst.Param, numpy: str) -> str:
    name = parameter.name.value
    kind = source.code(parameter.annotation.annotation) if parameter.annotation else ""
    return _CONVERSIONS.get(kind, "{name}").format(name=name, np=numpy)


def _is_docstring(statement: cst.CSTNode) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, cst.SimpleString)
    )


def _filled(source: Source, node: cst.BinaryOperation, numpy: str) -> str:
    """Return the array for ``[number] * n``, nothing for anything else."""
    if not isinstance(node.left, cst.List) or len(node.left.elements) != 1:
        return ""
    value = node.left.elements[0].value
    count = source.code(node.right)
    if isinstance(value, cst.Integer):
        return f"{numpy}.full({count}, {source.code(value)}, dtype={numpy}.int64)"
    return f"{numpy}.full({count}, {source.code(value)})" if isinstance(value, cst.Float) else ""


def _counted(source: Source, node: cst.CSTNode, numpy: str) -> str:
    """Return the array for ``list(range(…))``, nothing for anything else."""
    if not isinstance(node, cst.Call) or source.code(node.func) != "list" or len(node.args) != 1:
        return ""
    inner = node.args[0].value
    if not isinstance(inner, cst.Call) or source.code(inner.func) != "range":
        return ""
    return f"{numpy}.arange({', '.join(source.code(argument.value) for argument in inner.args)})"
