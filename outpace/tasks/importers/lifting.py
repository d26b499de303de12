"""A method of a class as a program of its own: the class under another name, with what it needs of its module."""

import ast
from collections.abc import Iterable, Sequence

from outpace.tasks.folder import bound_names


class Lift:
    """What of a module stays when ``method`` of one of its classes is to run alone, as a class called ``name``.

    Kept are that method and ``__init__``, the methods and constants of the class that they name, and of the module what
    these name in turn, all of it with its text and the comments right above. Imports from ``dropped`` packages and the
    ``bases`` that come from there go, and so do calls of ``super().__init__``.
    """

    def __init__(self, text: str, owner: str, *, method: str, name: str, dropped: Sequence[str]) -> None:
        """Read the module; ``owner`` is the class, which must be at its top level."""
        self.method, self.name, self.dropped = method, name, dropped
        self.text = _renamed(text, name) if owner != name else text
        self.lines = self.text.splitlines()
        self.tree = ast.parse(self.text)
        self.owner = next(node for node in self.tree.body if isinstance(node, ast.ClassDef) and node.name == owner)

    def program(self) -> str:
        """Return the program."""
        body = self._body()
        needed = self._needed([*body, *self._bases()])
        parts = [(node, part) for node in self.tree.body if (part := self._part(node, needed, body))]
        text = "".join(_gap(node, before) + part for (node, part), before in zip(parts, [None, *parts], strict=False))
        alias = f"\n\n\n{self.owner.name} = {self.name}" if self.owner.name in needed - {self.name} else ""
        return f"{text.strip()}{alias}\n"

    def _bases(self) -> list[ast.expr]:
        gone = {bound for node in self.tree.body if self._is_dropped(node) for bound in bound_names(_module(node))}
        return [base for base in self.owner.bases if not (isinstance(base, ast.Name) and base.id in gone)]

    def _body(self) -> list[ast.stmt]:
        """Return the statements of the class that stay, in order."""
        methods = {node.name: node for node in self.owner.body if isinstance(node, ast.FunctionDef)}
        kept, waiting = set[str](), ["__init__", self.method]
        while waiting:
            one = waiting.pop()
            if one in methods and one not in kept:
                kept.add(one)
                waiting += _attributes(methods[one])
        if "__init__" in kept and not _works(methods["__init__"]):
            kept.discard("__init__")
        named = {name for one in kept for name in _attributes(methods[one])}
        return [node for node in self.owner.body if _bound(node) & (kept | named)]

    def _needed(self, nodes: Iterable[ast.AST]) -> set[str]:
        """Return the names that these nodes use, and those that the module's statements use which bind them."""
        binding: dict[str, list[ast.stmt]] = {}
        for node in self.tree.body:
            if node is not self.owner:
                for bound in bound_names(_module(node)):
                    binding.setdefault(bound, []).append(node)
        needed, waiting = set[str](), [name for node in nodes for name in _names(node)]
        waiting += [name for node in self.tree.body if _does(node) for name in _names(node)]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += [one for node in binding.get(name, ()) if not _is_import(node) for one in _names(node)]
        return needed

    def _part(self, node: ast.stmt, needed: set[str], body: list[ast.stmt]) -> str:
        """Return what stays of a statement of the module, as text."""
        if node is self.owner:
            bases = ", ".join(map(ast.unparse, self._bases()))
            head = f"class {self.name}({bases}):" if bases else f"class {self.name}:"
            return "\n".join(
                [
                    head,
                    *(
                        ("\n" if isinstance(one, ast.FunctionDef) and one is not body[0] else "") + self._text(one)
                        for one in body
                    ),
                ]
            )
        if isinstance(node, ast.Import | ast.ImportFrom):
            return "" if self._is_dropped(node) else _imported(node, needed)
        return self._text(node) if _does(node) or needed & bound_names(_module(node)).keys() else ""

    def _is_dropped(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.ImportFrom):
            return (node.module or "").split(".")[0] in self.dropped
        return isinstance(node, ast.Import) and all(alias.name.split(".")[0] in self.dropped for alias in node.names)

    def _text(self, node: ast.stmt) -> str:
        """Return the lines of a statement with the comments right above, without calls of ``super().__init__``."""
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        while first > 1 and self.lines[first - 2].lstrip().startswith("#"):
            first -= 1
        cut = {
            line
            for inner in ast.walk(node)
            if isinstance(inner, ast.Expr) and _is_begun_above(inner)
            for line in range(inner.lineno, (inner.end_lineno or inner.lineno) + 1)
        }
        last = node.end_lineno or node.lineno
        return "\n".join(self.lines[line - 1] for line in range(first, last + 1) if line not in cut)


def _gap(node: ast.stmt, before: tuple[ast.stmt, str] | None) -> str:
    """Return the empty lines above a statement, as they are usual."""
    if before is None:
        return ""
    tall = (ast.ClassDef, ast.FunctionDef)
    if isinstance(node, tall) or isinstance(before[0], tall):
        return "\n\n\n"
    return "\n" if _is_import(node) == _is_import(before[0]) else "\n\n"


def _module(node: ast.stmt) -> ast.Module:
    return ast.Module([node], [])


def _names(node: ast.AST) -> list[str]:
    return [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]


def _attributes(node: ast.AST) -> list[str]:
    return [one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)]


def _bound(node: ast.stmt) -> set[str]:
    return set(bound_names(_module(node)))


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_begun_above(node: ast.AST) -> bool:
    """Tell whether a statement is a call of ``super().__init__``."""
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("super().__init__(")


def _works(node: ast.FunctionDef) -> bool:
    """Tell whether an ``__init__`` does more than to begin what stands above it."""
    idle = [one for one in node.body if isinstance(one, ast.Pass) or _is_begun_above(one) or _is_text(one)]
    return len(idle) < len(node.body)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _does(node: ast.stmt) -> bool:
    """Tell whether a statement of a module is there for what it does: neither a name nor a text nor the main block."""
    if _is_text(node):
        return False
    if isinstance(node, ast.If) and "__name__" in _names(node.test):
        return False
    return not bound_names(_module(node)) and not isinstance(node, ast.Pass)


def _imported(node: ast.Import | ast.ImportFrom, needed: set[str]) -> str:
    """Return an import with the names that are needed, or nothing."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return ast.unparse(node)
    kept = [one for one in node.names if one.name == "*" or (one.asname or one.name).split(".")[0] in needed]
    if not kept:
        return ""
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(kept))
    return ast.unparse(ast.ImportFrom(node.module, kept, node.level))


def _renamed(text: str, name: str) -> str:
    """Return a module in which what is called ``name`` is called otherwise."""
    tree = ast.parse(text)
    if name not in bound_names(tree):
        return text
    other = f"Original{name}"
    found: list[tuple[int, int, int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name:
            found.append((node.lineno, node.col_offset, node.end_col_offset or 0, other))
        elif isinstance(node, ast.alias) and (node.asname or node.name) == name:
            found.append((node.lineno, node.col_offset, node.end_col_offset or 0, f"{node.name} as {other}"))
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            start = node.col_offset + len("class " if isinstance(node, ast.ClassDef) else "def ")
            found.append((node.lineno, start, start + len(name.encode()), other))
    lines = [line.encode() for line in text.splitlines()]
    for line, start, end, new in sorted(found, reverse=True):
        lines[line - 1] = lines[line - 1][:start] + new.encode() + lines[line - 1][end:]
    return b"\n".join(lines).decode() + "\n"
