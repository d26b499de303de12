"""Names and paths of tasks."""

import shutil
import sys
from pathlib import Path

import pytest

from outpace.errors import TaskError, UnknownName, UsageError
from outpace.tasks import registry

LIBRARY = [
    "autocorrelation_inequalities",
    "cache_blocking",
    "cache_replacement",
    "cap_sets",
    "circle_packing",
    "cluster_scheduling",
    "convolution",
    "dynamic_time_warping",
    "edit_distance",
    "erdos_minimum_overlap",
    "flow_shop",
    "gemm",
    "heilbronn_triangles",
    "histogram",
    "k_means",
    "kernel_density",
    "kissing_configurations",
    "layernorm_triton",
    "matrix_multiplication_tensors",
    "nbody",
    "ode_integration",
    "online_bin_packing",
    "pagerank",
    "pde_stepping",
    "riccati_equation",
    "sha256",
    "softmax_triton",
    "sorting",
    "sparse_solve",
    "transport_lp",
    "tsp_construction",
    "tsp_local_search",
    "vehicle_routing",
    "vliw_kernel",
]


def test_bundled_tasks() -> None:
    assert registry.bundled() == LIBRARY
    assert set(LIBRARY) <= set(registry.available())


def test_specs_are_read_without_importing_a_task() -> None:
    before = set(sys.modules)
    specs = registry.specs()
    assert sorted(spec.name for spec in specs) == LIBRARY
    assert [spec.family for spec in specs] == sorted(spec.family for spec in specs)
    assert not [name for name in set(sys.modules) - before if name.startswith("_outpace_task")]


@pytest.mark.parametrize("name", LIBRARY)
def test_a_bundled_task_is_named_like_its_folder_and_says_where_it_comes_from(name: str) -> None:
    task = registry.find(name)
    assert task.spec.name == name
    assert task.spec.sources
    assert type(task).__module__.startswith("_outpace_task_")


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownName, match=r"Unknown task 'online_bin_paking'. Did you mean 'online_bin_packing'\?"):
        registry.find("online_bin_paking")


def test_paths(metric: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(metric.parent)
    for given in ("./jobs", "./jobs/", str(metric), metric, Path("jobs"), "jobs/task.toml"):
        assert registry.find(given).spec.name == "jobs"


def test_a_folder_without_its_dot(metric: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(metric.parent)
    with pytest.raises(UsageError, match=r"there is a task folder of that name here: write './jobs'"):
        registry.find("jobs")


def test_a_path_that_leads_nowhere() -> None:
    with pytest.raises(TaskError, match=r"nowhere: no such folder"):
        registry.find("./nowhere")


def install(site: Path, module: str, points: str) -> None:
    """Write what pip would: a module and the metadata that holds its entry points."""
    (site / "outpace_task_plugin.py").write_text(module)
    info = site / "outpace_task_plugin-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outpace-task-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[outpace.tasks]\n{points}\n")


def test_installed_tasks(metric: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    shutil.copytree(metric, site / "folder")
    module = f"""\
from pathlib import Path
from outpace.tasks.folder import load
FOLDER = {str(site / "folder")!r}
def path(): return Path(FOLDER)
def task(): return load(FOLDER)
def number(): return 3
def broken(): raise OSError("no disk")
"""
    names = ["FOLDER", "path", "task", "number", "broken", "missing"]
    install(site, module, "\n".join(f"plug_{name} = outpace_task_plugin:{name}" for name in names))
    monkeypatch.syspath_prepend(str(site))
    try:
        for name in ("plug_FOLDER", "plug_path", "plug_task"):
            assert registry.find(name).spec.name == "jobs"
        assert "plug_path" in registry.available()
        assert "plug_path" not in registry.bundled()
        with pytest.raises(TaskError, match=r"gave a int, expected a Task or the path of a task folder"):
            registry.find("plug_number")
        with pytest.raises(TaskError, match=r"entry point 'plug_broken' .* failed: OSError: no disk"):
            registry.find("plug_broken")
        with pytest.raises(TaskError, match=r"plug_missing.*failed: AttributeError"):
            registry.find("plug_missing")
        with pytest.raises(UnknownName, match=r"Did you mean 'plug_path'\?"):
            registry.find("plug_pat")
    finally:
        sys.modules.pop("outpace_task_plugin", None)
