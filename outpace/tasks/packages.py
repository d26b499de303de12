"""Modules that programs import, and the packages that bring them, where the two have different names."""

import ast
from collections.abc import Iterator

_PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "faiss": "faiss-cpu",
    "ortools": "'ortools<9.12'",  # what AlgoTune's references are written for
    "ot": "POT",
    "pysat": "python-sat",
    "pywt": "PyWavelets",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def package_of(module: str) -> str:
    """Return the name by which ``pip`` installs a module."""
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top)


def imported(program: str) -> Iterator[tuple[str, int]]:
    """Yield the top-level modules that a Python program imports, each with its line; raises ``SyntaxError``."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0], node.lineno
