"""What an evaluation says to whoever proposes next: which input, what was expected, what came."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from outpace.sandbox.base import Reply

EXCERPT = 300
STDERR = 1200
REMARKS = 2000
ENDINGS = {
    "timeout": "did not answer in time",
    "memory": "used more memory than it may",
    "output": "gave or printed more than it may",
    "signal": "was killed by a signal",
    "exit": "ended its process",
    "garbled": "wrote something that is no answer",
}


def excerpt(value: Any, *, limit: int = EXCERPT) -> str:
    """Return a short text of a value: arrays by dtype, shape and first elements, the rest by the head of their repr."""
    if isinstance(value, np.ndarray):
        head = ", ".join(map(str, value.ravel()[:6].tolist()))
        more = ", …" if value.size > 6 else ""
        return f"array({value.dtype}, shape {value.shape}: {head}{more})"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)}={excerpt(item, limit=limit // 2)}" for key, item in list(value.items())[:8])
        return inner if len(inner) <= limit * 2 else inner[: limit * 2] + " …"
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than the interpreter turns into text (sys.set_int_max_str_digits)
        return f"{type(value).__name__} with an integer too long to be shown"
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text)} characters)"


def _key(key: Any) -> str:
    """Return a key as it is if it is a name, quoted if it is not: keys of an answer are the candidate's words."""
    return key if isinstance(key, str) and key.isidentifier() else excerpt(key, limit=60)


def of_reply(reply: Reply, *, case: str, problem: Mapping[str, Any], stderr: str) -> str:
    """Say how a call failed: the candidate's exception, or how its process ended."""
    if reply.error is not None:
        happened = f"raised an exception:\n{quoted(reply.error)}"
    else:
        assert reply.ended_by is not None
        happened = ENDINGS[reply.ended_by] + (f" ({reply.detail})" if reply.detail else "") + "."
    return f"On case '{case}' the program {happened}\nInput: {excerpt(problem)}" + printed(stderr)


def of_wrong(reason: str, *, case: str, problem: Mapping[str, Any], output: Any, stderr: str) -> str:
    """Say why an answer was not accepted."""
    return (
        f"On case '{case}' the answer is not accepted: {reason}\n"
        f"Input: {excerpt(problem)}\nAnswer: {excerpt(output)}" + printed(stderr)
    )


def of_load(reply: Reply, stderr: str) -> str:
    """Say why a program could not be loaded."""
    what = reply.error if reply.error is not None else f"{ENDINGS[reply.ended_by or 'exit']} {reply.detail}".strip()
    shown = f" {what}" if what.isprintable() else f"\n{quoted(what)}"
    return f"The program cannot be loaded:{shown}" + printed(stderr)


def printed(stderr: str) -> str:
    """Return the tail of what the program printed, as a paragraph, or nothing."""
    tail = stderr.strip()[-STDERR:]
    return f"\nIt printed:\n{quoted(tail)}" if tail else ""


def quoted(text: str) -> str:
    """Return words of the candidate as a quotation: each line marked, nothing in it that a terminal would obey.

    Whoever reads on, a person or a model, can tell where the judge speaks and where the candidate does.
    """
    lines = text.splitlines()
    return "\n".join("| " + "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line) for line in lines)
