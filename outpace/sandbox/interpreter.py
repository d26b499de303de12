"""What of this host a Python worker needs to see: the running interpreter and its packages, and nothing of Outpace."""

import marshal
import os
import sys
import sysconfig
from functools import cache
from pathlib import Path

from outpace.sandbox import _inside

SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
"""The system's programs and libraries."""
_WORKER = ("", ".codec", ".landlock", ".confine", ".line", ".build", ".worker")
_ZYGOTE = (*_WORKER, ".namespaces", ".zygote")
_BOOT = """
import marshal, posix, sys
from importlib.machinery import ModuleSpec
judge = int(sys.argv.pop())
def take(size):
    data = b""
    while len(data) < size:
        part = posix.read(judge, size - len(data))
        if not part:
            posix._exit(0)
        data += part
    return data
sys.path += {packages!r}
for name, code in marshal.loads(take(int.from_bytes(take(8), "big"))):
    module = sys.modules[name] = type(sys)(name)
    module.__spec__ = ModuleSpec(name, None, is_package=name == "inside")
    module.__package__ = module.__spec__.parent
    exec(code, module.__dict__)
module.main(judge)
"""


def executable() -> str:
    """Return the interpreter behind the running one, without the links of a virtual environment."""
    base: str = getattr(sys, "_base_executable", "") or sys.executable
    return os.path.realpath(base)


def package_folders() -> list[str]:
    """Return the folders where installed packages lie, in the order in which this process searches them."""
    names = {"site-packages", "dist-packages"}
    return [path for path in sys.path if Path(path).name in names and Path(path).is_dir()]


def readable_paths() -> list[Path]:
    """Return what the interpreter needs beside ``SYSTEM``: binaries, standard library and packages."""
    wanted = [sysconfig.get_path("stdlib"), *package_folders()]
    for prefix in (sys.base_prefix, sys.base_exec_prefix, str(Path(executable()).parent.parent)):
        wanted += [f"{prefix}/bin", f"{prefix}/lib", f"{prefix}/lib64"]
    return [Path(path) for path in dict.fromkeys(wanted) if Path(path).exists()]


def hidden_paths() -> list[Path]:
    """Return what must not be seen even where a readable path holds it: Outpace with its tasks and checkers."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    return [checkout if (checkout / "pyproject.toml").exists() else package]


def command() -> list[str]:
    """Return the command line of a bare interpreter; the number of its socket goes after it.

    It has no ``site``, writes no bytecode, and looks for nothing in the current folder or in the user's own packages.
    It is sent its code instead of finding it in a file, so that no folder of Outpace need be visible to it, and none is
    compiled anew for each worker where bytecode cannot be written.
    """
    text = _BOOT.format(packages=package_folders())
    return [executable(), "-s", "-P", "-S", "-B", "-X", "faulthandler", "-c", text]


@cache
def code(*, zygote: bool = False) -> bytes:
    """Return what a bare worker, or zygote, wants to read first: modules of ``_inside``, compiled, after their length.

    The ``main`` of the last module is called with the number of the socket.
    """
    folder = Path(_inside.__file__).parent
    modules = []
    for name in _ZYGOTE if zygote else _WORKER:
        path = folder / f"{name[1:] or '__init__'}.py"
        modules.append((f"inside{name}", compile(path.read_text(encoding="utf-8"), f"outpace/{path.name}", "exec")))
    data = marshal.dumps(modules)
    return len(data).to_bytes(8, "big") + data
