"""From a model's name on the command line to a model, and its end."""

import inspect
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from outpace import plugins
from outpace.agent.models.base import Model
from outpace.errors import UnknownName, UsageError

KEY_OF_HOST = "OUTPACE_KEY_"
"""How the variable begins that holds the key of an endpoint with an address in the model's name; its host follows."""
_FORMS = {"openai": "openai:NAME", "scripted": "scripted:PATH", "vllm": "vllm:MODEL"}


def open_model(spec: str, *, base_url: str | None = None, vllm_python: str | None = None) -> Model:
    """Return the model that ``spec`` names.

    ``openai:NAME`` is NAME behind ``base_url`` (default: OpenAI), ``openai:NAME@URL`` is NAME behind an address of its
    own, with a key of its own (``key_variable``) if there is one, ``vllm:MODEL`` is MODEL on a vLLM server, the one at
    ``base_url`` or one that ``vllm_python`` runs (default: this Python), ``scripted:PATH`` answers from a file of JSON
    lines, ``package.module:attribute`` is one's own: a model, or a class or function that makes one (called with
    ``base_url=…`` only if that is given). An installed plug-in is named ``plugin`` or ``plugin:ARGUMENT``.

    Raises:
        UnknownName: nothing is called that.
        UsageError: the name lacks its second half, the path leads nowhere, or what it leads to is no model.
    """
    head, colon, rest = spec.partition(":")
    if head == "replay":
        raise UsageError(f"'{spec}' is no model to ask, it repeats a whole run: outpace run TASK --model {spec}")
    names = plugins.available("model")
    if head in names:
        if head in _FORMS and not rest:
            raise UsageError(f"'{spec}' is half a name. Expected {_FORMS[head]}.")
        if colon and not rest:
            raise UsageError(f"'{spec}' ends with a colon. Expected '{head}' or '{head}:ARGUMENT'.")
        options = {"base_url": base_url, "python": vllm_python if head == "vllm" else None}
        name, _, url = rest.rpartition("@")
        if head == "openai" and name and url.startswith(("http://", "https://")):
            rest, options = name, {"base_url": url, "api_key_env": key_variable(url)}
        return _made(spec, plugins.load("model", head), [rest] if rest else [], options)
    if not colon or not _importable(head):
        forms = [_FORMS.get(name, name) for name in names]
        raise UnknownName("model", spec, [*forms, "package.module:attribute"])
    return _made(spec, plugins.load("model", spec), [], {"base_url": base_url})


def key_variable(url: str) -> str:
    """Return the variable that holds the key of the endpoint at ``url``: ``OUTPACE_KEY_API_EXAMPLE_ORG``."""
    host = "".join(sign if sign.isalnum() else "_" for sign in (urlsplit(url).hostname or ""))
    return f"{KEY_OF_HOST}{host.upper()}"


async def close(model: Model) -> None:
    """Close what a model holds open, if it holds anything: its ``aclose`` method is optional."""
    if aclose := getattr(model, "aclose", None):
        await aclose()


def _importable(module: str) -> bool:
    """Return whether ``module`` looks like a module's path and, where it has one part, is one."""
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts):
        return False
    return len(parts) > 1 or find_spec(module) is not None


def _made(spec: str, part: Any, arguments: list[str], chosen: Mapping[str, str | None]) -> Model:
    """Make the model with the options that are chosen, or take it as it is."""
    options = {name: value for name, value in chosen.items() if value is not None}
    if callable(part) and not _is_model(part):
        try:
            inspect.signature(part).bind(*arguments, **options)
        except TypeError as error:
            given = ", ".join([*map(repr, arguments), *options]) or "no arguments"
            raise UsageError(f"The model '{spec}' cannot be made with {given}: {error}.") from None
        part = part(*arguments, **options)
    elif options:
        raise UsageError(f"The model '{spec}' takes no base URL: leave --base-url out.")
    if not _is_model(part):
        raise UsageError(
            f"'{spec}' is no model but of type {type(part).__name__}. "
            "Expected an object with a text 'name' and an async method 'complete'."
        )
    made: Model = part
    return made


def _is_model(part: Any) -> bool:
    if isinstance(part, type):
        return False
    return isinstance(getattr(part, "name", None), str) and callable(getattr(part, "complete", None))
