"""From a model's name to a model."""

import subprocess
import sys
from pathlib import Path

import pytest

from outpace.agent.models.open import open_model
from outpace.agent.models.openai import OpenAIModel
from outpace.agent.models.scripted import ScriptedModel
from outpace.errors import UnknownName, UsageError

OWN = """
class Own:
    name = "own"

    def __init__(self, *, base_url=None):
        self.base_url = base_url

    async def complete(self, messages, *, key, sampling=None):
        raise NotImplementedError


ready = Own(base_url="made before")


def plain():
    return Own()


def wrong():
    return "no model"


number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_models_here.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_models_here", raising=False)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_model_with_an_address_of_its_own_has_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key for OpenAI never goes to another endpoint that stands beside it in an ensemble."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-openai-alone")
    local = open_model("openai:small@http://127.0.0.1:8080/v1", base_url="https://elsewhere.example.org/v1")
    assert isinstance(local, OpenAIModel)
    assert (local.name, repr(local)) == ("openai:small", "OpenAIModel('small', base_url='http://127.0.0.1:8080/v1')")
    assert local._endpoint.key is None
    assert local._endpoint.key_env == "OUTPACE_KEY_127_0_0_1"
    monkeypatch.setenv("OUTPACE_KEY_API_EXAMPLE_ORG", "sk-of-example")
    other = open_model("openai:org/large@https://api.example.org/v1")
    assert isinstance(other, OpenAIModel)
    assert other._endpoint.key == "sk-of-example"
    kept = open_model("openai:@cf/meta@latest", base_url="http://127.0.0.1:8000/v1")
    assert kept.name == "openai:@cf/meta@latest", "an @ that no address follows belongs to the name"


def test_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    model = open_model("openai:meta/some:tag", base_url="http://127.0.0.1:8000/v1/")
    assert isinstance(model, OpenAIModel)
    assert model.name == "openai:meta/some:tag"
    assert repr(model) == "OpenAIModel('meta/some:tag', base_url='http://127.0.0.1:8000/v1')"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9000/v1")
    assert "9000" in repr(open_model("openai:tiny"))
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abc")
    assert "api.openai.com" in repr(open_model("openai:tiny"))


def test_openai_without_a_key_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="needs a key: set OPENAI_API_KEY, or name a server without keys"):
        open_model("openai:tiny")


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8000", "ftp://host/v1", "http://", "http://host:port/v1", "http://host:99999/v1", "http://[::1/v1"],
)
def test_a_base_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="is not a URL"):
        open_model("openai:tiny", base_url=url)


@pytest.mark.parametrize("url", ["http://me:hunter2@host/v1", "http://host/v1?key=hunter2", "http://host/v1#hunter2"])
def test_a_base_url_with_a_secret_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError, match="where secrets would show") as caught:
        open_model("openai:tiny", base_url=url)
    assert "hunter2" not in str(caught.value)


def test_scripted(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"text": "hi"}\n')
    assert isinstance(open_model(f"scripted:{tmp_path / 'answers.jsonl'}"), ScriptedModel)
    with pytest.raises(UsageError, match="cannot be made with"):
        open_model(f"scripted:{tmp_path / 'answers.jsonl'}", base_url="http://127.0.0.1/v1")


@pytest.mark.parametrize("spec", ["openai", "openai:", "scripted", "scripted:", "vllm", "vllm:"])
def test_half_a_name(spec: str) -> None:
    with pytest.raises(UsageError, match=r"is half a name\. Expected (openai:NAME|scripted:PATH|vllm:MODEL)"):
        open_model(spec)


@pytest.mark.parametrize("spec", ["gpt-nonesuch", "opnai:tiny", "", ":", "not a module:attribute", "openai.tiny"])
def test_an_unknown_name_shows_what_there_is(spec: str) -> None:
    with pytest.raises(
        UnknownName, match=r"Available: openai:NAME, package\.module:attribute, scripted:PATH, vllm:MODEL"
    ):
        open_model(spec)


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'openai:NAME'"):
        open_model("opnai:tiny")


@pytest.mark.usefixtures("own")
def test_ones_own_class_function_or_object() -> None:
    assert open_model("own_models_here:Own").name == "own"
    assert open_model("own_models_here:Own", base_url="http://x").base_url == "http://x"  # type: ignore[attr-defined]
    assert open_model("own_models_here:ready").base_url == "made before"  # type: ignore[attr-defined]
    assert open_model("own_models_here:plain").name == "own"


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("spec", "base_url", "message"),
    [
        ("own_models_here:Missing", None, "has no 'Missing'"),
        ("no.such.module:Thing", None, "no module"),
        ("own_models_here:number", None, "is no model but of type int"),
        ("own_models_here:wrong", None, "is no model but of type str"),
        ("own_models_here:plain", "http://x", "cannot be made with base_url"),
        ("own_models_here:ready", "http://x", "takes no base URL"),
    ],
)
def test_what_is_no_model_is_told(spec: str, base_url: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_model(spec, base_url=base_url)


def test_importing_the_adapter_does_not_import_the_client() -> None:
    code = "import sys, outpace.agent.models.openai; print('openai' in sys.modules, 'httpx2' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
