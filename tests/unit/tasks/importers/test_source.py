"""``FORMAT:PATH``: what it says, where the folder that is made of it lies, and what is wrong with it."""

from pathlib import Path

import pytest

from outpace.errors import OutpaceError, TaskError, UnknownName, UsageError
from outpace.tasks import registry
from outpace.tasks.importers import source

PROGRAM = "# EVOLVE-BLOCK-START\ndef guess():\n    return 3\n# EVOLVE-BLOCK-END\n"
EVALUATOR = "def evaluate(program_path):\n    return {'combined_score': 1.0}\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "outpace" / "imported"


@pytest.fixture
def guesses(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        folder = tmp_path / "guesses" / name
        folder.mkdir(parents=True)
        (folder / "initial_program.py").write_text(PROGRAM)
        (folder / "evaluator.py").write_text(EVALUATOR)
    return tmp_path / "guesses"


def test_a_text_says_format_path_and_options() -> None:
    assert source.is_source("openevolve:/a/b")
    assert not any(map(source.is_source, ("nbody", "./a:b", "/a:b/c", "my-task")))
    said = source.parsed("openevolve:~/a b/c?wall_s=5&config=x%26y.yaml")
    assert (said.format, said.path) == ("openevolve", Path("~/a b/c").expanduser())
    assert said.options == {"wall_s": "5", "config": "x&y.yaml"}
    assert said.whole("wall_s") == 5 and said.whole("threads", 2) == 2
    assert said.option("config", "") == "x&y.yaml" and said.option("program", "p") == "p"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("openevolv:/a", "Unknown format 'openevolv'. Did you mean 'openevolve'? Available: algotune, "),
        ("openevolve:", "'openevolve:' names no folder; expected openevolve:PATH, the path of a folder with "),
        ("openevolve:/a?wall", "Cannot read the options 'wall' of 'openevolve'; expected NAME=VALUE&NAME=VALUE."),
        ("openevolve:/a?wal_s=1", "Unknown option of openevolve 'wal_s'. Did you mean 'wall_s'? Available: "),
    ],
)
def test_what_says_nothing_is_told(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        source.parsed(text)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("given", "method"), [("-1", "whole"), ("1.5", "whole"), ("٣", "whole"), ("maybe", "switch")])
def test_an_option_of_another_kind_is_refused(given: str, method: str) -> None:
    one = source.Source("algotune", Path("/a"), {"n": given})
    with pytest.raises(UsageError, match=f"Option 'n' of algotune: got '{given}', expected "):
        getattr(one, method)("n", **({"default": True} if method == "switch" else {}))


def test_a_switch_is_yes_or_no() -> None:
    one = source.Source("algotune", Path("/a"), {"on": "yes", "off": "no"})
    assert [one.switch(name, default=False) for name in ("on", "off", "unsaid")] == [True, False, False]


def test_tasks_are_listed_as_texts_that_name_them(guesses: Path) -> None:
    both = [f"openevolve:{guesses}/{name}" for name in ("one", "two")]
    assert source.listed(f"openevolve:{guesses}") == both
    assert source.listed(f"openevolve:{guesses}/?wall_s=5") == [f"{one}?wall_s=5" for one in both]
    assert source.listed(both[0]) == [both[0]]
    with pytest.raises(TaskError, match="no such folder"):
        source.listed(f"openevolve:{guesses}/three")


def test_the_folder_is_named_after_what_it_holds(guesses: Path, cache: Path) -> None:
    first = source.folder_of(f"openevolve:{guesses}/one")
    assert first.parent == cache / "openevolve"
    assert source.folder_of(f"openevolve:{guesses}/one") == first
    assert list(first.parent.iterdir()) == [first], "nothing is left beside it"
    (guesses / "one" / "evaluator.py").write_text(EVALUATOR.replace("1.0", "2.0"))
    assert source.folder_of(f"openevolve:{guesses}/one") != first


def test_a_cache_that_cannot_be_written_is_told(guesses: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(TaskError, match=r"Cannot write the imported task below .*: "):
        source.folder_of(f"openevolve:{guesses}/one")


def test_the_registry_finds_it_from_anywhere(guesses: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(guesses)
    (guesses / "nbody").mkdir()
    assert registry.absolute("nbody") == "nbody", "a name, whatever lies here"
    task = registry.find("openevolve:one")
    assert task.spec.goal.self_reported
    absolute = registry.absolute("openevolve:one?wall_s=5")
    assert absolute == f"openevolve:{guesses / 'one'}?wall_s=5"
    monkeypatch.chdir("/")
    assert registry.find(absolute).spec.name == task.spec.name
    assert registry.absolute("nbody") == "nbody"
    assert registry.absolute("~/mine") == str(Path.home() / "mine")
    with pytest.raises(UnknownName):
        registry.find("nothing:here")


def test_a_folder_is_written_once(guesses: Path, tmp_path: Path) -> None:
    files = source.written(f"openevolve:{guesses}/one", tmp_path / "mine")
    assert {"task.toml", "task.py", "program.py", "driver.py"} <= set(files)
    assert sorted(files) == files
    assert registry.find(tmp_path / "mine").fingerprint == registry.find(f"openevolve:{guesses}/one").fingerprint
    with pytest.raises(UsageError, match=r"it exists already\. Nothing was changed"):
        source.written(f"openevolve:{guesses}/one", tmp_path / "mine")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UsageError, match="it exists already"):
        source.written(f"openevolve:{guesses}/one", tmp_path / "link")
    with pytest.raises(OutpaceError):
        source.written(f"openevolve:{guesses}/none", tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models.yaml", "llm:\n  api_key: 0123456789abcdefABCDEF\n"),
        ("models.py", 'KEY = 1\nclient(api_key="0123456789abcdefABCDEF")\n'),
        ("notes.txt", "it was\nsk-proj-0123456789abcdefABCDEF\n"),
    ],
)
def test_a_file_with_a_key_reaches_no_sandbox(guesses: Path, cache: Path, name: str, text: str) -> None:
    (guesses / "one" / name).write_text(text)
    with pytest.raises(TaskError, match=rf"support/task/{name}:2 .* seems to hold a key, and candidates see that file"):
        source.folder_of(f"openevolve:{guesses}/one")
    with pytest.raises(TaskError, match="seems to hold a key"):
        source.written(f"openevolve:{guesses}/one", cache / "mine")
    assert not cache.exists() or not list(cache.rglob(name))


@pytest.mark.parametrize(
    "text",
    [
        "api_key: ${OPENAI_API_KEY}\n",
        'api_key = os.environ["OPENAI_API_KEY_2"]\n',
        "api_key=a_name_that_is_quite_long)\n",
    ],
)
def test_what_names_a_key_holds_none(guesses: Path, text: str) -> None:
    (guesses / "one" / "models.txt").write_text(text)
    assert (source.folder_of(f"openevolve:{guesses}/one") / "support/task/models.txt").read_text() == text


def test_settings_of_runs_are_left_behind(guesses: Path) -> None:
    key = "llm: {api_key: 0123456789abcdefABCDEF}\nmax_iterations: 7\n"
    (guesses / "one" / "config.yaml").write_text(key)
    (guesses / "one" / "config_other.yml").write_text(key)
    folder = source.folder_of(f"openevolve:{guesses}/one")
    assert not [path for path in folder.rglob("*") if path.is_file() and b"0123456789" in path.read_bytes()]
    assert registry.find(folder).spec.evaluations == 7
