"""Compiles what a program brings, by its setup.py or its .pyx files one by one; does nothing where there is neither."""

import subprocess
import sys
from pathlib import Path

sources = sorted(str(path) for path in Path().rglob("*.pyx"))
command = []
if Path("setup.py").is_file():
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
elif sources:
    command = [sys.executable, "-m", "Cython.Build.Cythonize", "-i", "-3", *sources]
sys.exit(subprocess.run(command, check=False).returncode if command else 0)
