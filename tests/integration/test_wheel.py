"""What is published works without the checkout: the wheel, built and installed in a clean environment."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = {"online_bin_packing", "circle_packing", "edit_distance", "nbody"}
CORE_SIZE_LIMIT_MB = 250


def call(*command: str | Path, cwd: Path) -> str:
    """Run ``command`` in an environment that knows nothing of the checkout, and return what it printed."""
    ours = ("PYTHON", "OUTPACE", "VIRTUAL_ENV")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the unpacked sdist; return their folder."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with its core dependencies in a clean virtual environment and return its folder."""
    venv = tmp_path_factory.mktemp("clean") / "venv"
    call(sys.executable, "-m", "venv", venv, cwd=venv.parent)
    (wheel,) = dist.glob("*.whl")
    call(venv / "bin" / "pip", "install", "--quiet", wheel, cwd=venv.parent)
    return venv


def site_packages(venv: Path) -> Path:
    (folder,) = (venv / "lib").glob("python3.*/site-packages")
    return folder


def test_wheel_holds_code_data_and_licence_only(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"outpace"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    packaged = {name for name in names if name.startswith("outpace/")}
    in_checkout = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "outpace").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packaged == in_checkout
    assert "outpace/py.typed" in packaged
    for task in BUNDLED:
        parts = {name.rpartition("/")[2] for name in packaged if f"/{task}/" in name}
        assert {"task.toml", "task.py", "program.py"} <= parts, task


def test_sdist_holds_what_the_tests_need(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "outpace/errors.py", "tests/integration/test_wheel.py"} <= names
    assert {name.partition("/")[0] for name in names} <= {
        *("outpace", "tests", "benchmarks", "docs", ".ci"),
        *("README.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"),
    }


def test_installed_wheel_lists_the_bundled_tasks(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(call(installed / "bin" / "outpace", "task", "list", "--json", cwd=tmp_path))
    assert {task["name"] for task in listed} >= BUNDLED
    code = "import outpace; print(outpace.__file__)"
    where = call(installed / "bin" / "python", "-c", code, cwd=tmp_path).strip()
    assert Path(where).is_relative_to(installed)


def test_core_install_is_light(installed: Path) -> None:
    folders = [
        folder for folder in site_packages(installed).iterdir() if not folder.name.startswith(("pip", "setuptools"))
    ]
    files = [path for folder in folders for path in [folder, *folder.rglob("*")] if path.is_file()]
    size_mb = sum(path.stat().st_blocks * 512 for path in files) / 1e6
    assert size_mb < CORE_SIZE_LIMIT_MB
    heavy = {"torch", "triton", "vllm", "ray", "docker"}
    assert not heavy & {folder.name for folder in folders}
