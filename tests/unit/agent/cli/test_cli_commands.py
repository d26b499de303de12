"""The commands in this process: what they print and with what code they end."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from outpace.agent.cli.candidates import _safe
from outpace.agent.cli.main import app
from outpace.agent.cli.run import _budget, _params
from outpace.agent.home import default_home
from outpace.errors import OutpaceError, SandboxUnavailable, TaskError, UnknownName, UsageError
from outpace.plugins import DEFAULT_SANDBOX


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(*arguments: str | Path) -> OutpaceError:
    """Return the error with which a command refuses."""
    result = invoke(*arguments)
    assert isinstance(result.exception, OutpaceError), result.output
    assert "\n" not in str(result.exception).strip()
    return result.exception


def test_version() -> None:
    assert invoke("--version").output.startswith("outpace 0.")


def test_help_of_every_command_names_its_json() -> None:
    for command in ("run", "resume", "runs", "leaderboard", "show", "diff", "export", "verify", "doctor"):
        result = invoke(command, "--help")
        assert result.exit_code == 0
        assert "--json" in result.output


def test_tasks_are_listed_for_people_and_programs() -> None:
    assert "online_bin_packing" in invoke("task", "list").output
    listed = json.loads(invoke("task", "list", "--json").output)
    packing = next(task for task in listed if task["name"] == "online_bin_packing")
    assert packing["goal"]["direction"] == "minimise"
    assert packing["sources"]


def test_task_show_tells_statement_cases_and_limits() -> None:
    shown = invoke("task", "show", "edit_distance").output
    for part in ("edit_distance", "speed-up", "heldout", "wall_s", "Wagner"):
        assert part in shown
    task = json.loads(invoke("task", "show", "edit_distance", "--json").output)
    assert "EVOLVE-BLOCK-START" in task["start"]["files"]["program.py"]


def test_unknown_task_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    for command in (["task", "show", "nbdoy"], ["run", "nbdoy", "--home", tmp_path / "home"]):
        error = refusal(*command)
        assert isinstance(error, UnknownName)
        assert "Did you mean 'nbody'?" in str(error)
        assert error.exit_code == 2
    assert not (tmp_path / "home").exists()


def test_unknown_strategy_sandbox_and_model_are_refused_with_what_exists(tmp_path: Path) -> None:
    for option, given, hint in (
        ("--strategy", "island", "Did you mean 'islands'?"),
        ("--sandbox", "bubblewarp", "Did you mean 'bubblewrap'?"),
        ("--model", "opnai:x", "Did you mean 'openai"),
    ):
        error = refusal("run", "nbody", option, given, "--home", tmp_path)
        assert error.exit_code == 2
        assert hint in str(error)


def test_a_level_that_the_host_does_not_reach_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """And nothing is begun. A level that does not exist is a slip of the user's."""
    options: list[str | Path] = ["--sandbox", "process", "--home", tmp_path / "home"]
    error = refusal("run", "circle_packing", "--level", "b", *options)
    assert isinstance(error, SandboxUnavailable)
    assert "reaches level D here, level B was asked for" in str(error)
    assert "Remedy" in str(error)
    assert error.exit_code == 1
    assert not (tmp_path / "home").exists()
    assert "Available: A, B, C, D." in str(refusal("run", "circle_packing", "--level", "E", *options))


def test_strategy_parameters_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    assert "no_such" in str(refusal("run", "nbody", "--param", "no_such=3", "--home", tmp_path))
    assert "KEY=VALUE" in str(refusal("run", "nbody", "--param", "islands", "--home", tmp_path))


def test_budget_options_become_a_budget() -> None:
    assert _budget(minutes=None, evaluations=None) is None
    budget = _budget(minutes=1.5, evaluations=20, usd=None)
    assert budget is not None
    assert budget.as_dict() == {"evaluations": 20, "wall_s": 90.0}


@pytest.mark.parametrize("bound", ["--evaluations=0", "--minutes=-1", "--minutes=nan", "--usd=0"])
def test_budget_without_anything_in_it_is_refused(bound: str, tmp_path: Path) -> None:
    assert "must be above 0" in str(refusal("run", "nbody", bound, "--home", tmp_path))


def test_parameters_are_json_where_they_read_as_json() -> None:
    assert _params(["a=4", "b=0.5", "c=true", "d=word", "e=x=y"]) == {
        "a": 4,
        "b": 0.5,
        "c": True,
        "d": "word",
        "e": "x=y",
    }


def test_no_runs_yet_is_not_an_error_and_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for command in ("runs", "leaderboard"):
        assert f"No runs in {home} yet" in invoke(command, "--home", home).output
        assert json.loads(invoke(command, "--home", home, "--json").output) == []
    assert not home.exists()


def test_a_candidate_is_looked_for_in_a_store_that_exists(tmp_path: Path) -> None:
    for command in (["show", "abcd"], ["diff", "start", "abcd"], ["export", "abcd", "-o", tmp_path / "out"]):
        error = refusal(*command, "--home", tmp_path / "home")
        assert isinstance(error, UsageError)
        assert "There are no runs in" in str(error)


def test_home_before_and_after_the_command(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    assert str(before) in invoke("--home", before, "runs").output
    assert str(after) in invoke("--home", before, "runs", "--home", after).output


def test_default_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OUTPACE_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_home() == tmp_path / "data" / "outpace"
    (tmp_path / ".outpace").mkdir()
    assert default_home() == tmp_path / ".outpace"
    monkeypatch.setenv("OUTPACE_HOME", "elsewhere")
    assert default_home() == tmp_path / "elsewhere"


def test_broken_task_is_refused_with_file_and_key(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "task.toml").write_text('nmae = "mine"\n', encoding="utf-8")
    error = refusal("run", f"{folder}/", "--home", tmp_path / "home")
    assert isinstance(error, TaskError)
    assert "task.toml" in str(error)


def test_check_prints_a_finding_a_line_and_fails(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "task.toml").write_text('nmae = "mine"\n', encoding="utf-8")
    result = invoke("task", "check", folder)
    assert result.exit_code == 1
    assert all(line.startswith(str(folder)) for line in result.output.splitlines())
    found = json.loads(invoke("task", "check", folder, "--json").output)
    assert found["ok"] is False
    assert len(found["findings"]) == len(result.output.splitlines())


@pytest.mark.parametrize("kind", ["metric", "speedup"])
def test_new_task_is_named_as_a_path_in_the_next_commands(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = invoke("task", "new", "my_first", "--kind", kind).output
    assert "outpace run ./my_first" in said
    assert (tmp_path / "my_first" / "task.toml").is_file()
    assert "exists already" in str(refusal("task", "new", "my_first"))


def test_doctor_reports_every_sandbox_and_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    report = json.loads(invoke("doctor", "--quick", "--home", home, "--json").output)
    found = {check["name"]: check for check in report["checks"]}
    sandboxes = {f"sandbox {name}" for name in ("zygote", "bubblewrap", "docker", "process")}
    assert {"python", "machine", "load", "timer", *sandboxes, "numba", "gpu"} == set(found) - {"torch", "home"}
    assert found["sandbox process"]["verdict"] == "note"
    assert found["sandbox process"]["facts"]["level"] == "D"
    assert "Remedy" in found["sandbox process"]["facts"]["lacking"]
    assert found[f"sandbox {DEFAULT_SANDBOX}"]["said"].startswith("level ")
    assert str(home) in found["home"]["said"]
    assert report["ok"] is all(check["verdict"] != "bad" for check in report["checks"])
    assert not home.exists()


@pytest.mark.slow
def test_doctor_tells_the_smallest_speed_up_that_can_be_claimed(tmp_path: Path) -> None:
    report = json.loads(invoke("doctor", "--home", tmp_path, "--json").output)
    (noise,) = [check for check in report["checks"] if check["name"] == "noise"]
    assert 0 < noise["facts"]["floor"] < 1
    assert noise["facts"]["clock"] in ("wall", "cpu")
    assert "smallest speed-up that this machine can honestly claim" in noise["said"]


def test_doctor_tells_a_home_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = invoke("doctor", "--quick", "--home", tmp_path / "file" / "home", "--json")
    assert result.exit_code == 1
    home = next(check for check in json.loads(result.output)["checks"] if check["name"] == "home")
    assert home["verdict"] == "bad"


@pytest.mark.parametrize("path", ["../out.py", "/etc/out.py", "a/../../out.py", "", "a\x00b"])
def test_export_writes_nothing_outside_its_folder(path: str) -> None:
    with pytest.raises(UsageError, match="outside the folder"):
        _safe(path)
    assert _safe("kernels/add.py") == "kernels/add.py"


def test_commands_are_those_of_the_entry_point() -> None:
    assert set(typer.main.get_command(app).commands) == {  # type: ignore[attr-defined]
        *("run", "resume", "runs", "leaderboard", "report", "show", "diff", "export", "verify", "doctor", "task"),
        *("front", "compare", "score", "strategies", "ask", "tell", "serve", "mcp"),
    }
