"""From a message of the model to the one command in it.

The commands and their form are those of AlgoTuner (Press et al. 2025, https://arxiv.org/abs/2507.15887): a few words of
thought, then the command between two lines of three backticks, alone.
"""

import re
from dataclasses import dataclass

from outpace.agent.proposers.answers import MAX_THOUGHT, fences_of, without_thinking
from outpace.errors import OutpaceError

SHORT = {
    "ls": "",
    "view_file": "FILE [FIRST_LINE]",
    "revert": "",
    "reference": "[CASE [NUMBER]]",
    "eval_input": "[CASE [NUMBER]]",
    "eval": "",
    "profile": "[CASE [NUMBER]]",
    "profile_lines": "[CASE [NUMBER]]",
    "done": "",
}
"""Commands of one line, and what follows the name."""
NAMES = ("view_file", "edit", "delete", *(name for name in SHORT if name != "view_file"))
MAX_NUMBER = 1_000_000
_LINES = re.compile(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?")


class CommandError(OutpaceError):
    """A message that holds no command, more than one, or one that is not understood; nothing has been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a message asks for; ``thought`` is what it says besides.

    ``file``, ``first`` and ``last`` (lines, from 1; of ``view_file`` only the first) and ``text`` (the new lines of an
    edit) say where and what; ``case`` and ``number`` name an input, None the first case of the search.
    """

    name: str
    file: str = ""
    first: int = 1
    last: int = 1
    text: str = ""
    case: str | None = None
    number: int = 1
    thought: str = ""


def command_of(message: str) -> Command:
    """Return the command in a message; raises ``CommandError`` with what to do instead."""
    message = without_thinking(message.replace("\r\n", "\n"))
    fences = fences_of(message)
    if not fences:
        raise CommandError("There is no command in your message: put one between two lines of three backticks.")
    bodies = [fence.text if _name(fence.text) or not fence.info else f"{fence.info}\n{fence.text}" for fence in fences]
    found = [body for body in bodies if _name(body)]
    if len(found) > 1:
        raise CommandError(f"There are {len(found)} commands in your message: send one, and wait for its answer.")
    if not found:
        word = (bodies[0].split() or ["nothing"])[0]
        raise CommandError(f"'{word:.40}' is not a command. Commands: {', '.join(NAMES)}.")
    lines = message.split("\n")
    for fence in fences:
        lines[fence.start : fence.end] = [""] * (fence.end - fence.start)
    return _parsed(found[0], "\n".join(line for line in lines if line.strip())[:MAX_THOUGHT])


def _name(body: str) -> str | None:
    """Return the command that a fenced text begins with, or None."""
    words = body.split(maxsplit=1)
    return words[0] if words and words[0] in NAMES else None


def _parsed(body: str, thought: str) -> Command:
    lines = body.strip("\n").split("\n")
    while not lines[0].strip():
        lines.pop(0)
    name = lines[0].split()[0]
    if name in ("edit", "delete"):
        return _change(name, lines, thought)
    if any(line.strip() for line in lines[1:]):
        raise CommandError(f"After '{name}' come further lines. One command a message; its form: {form_of(name)}")
    words = lines[0].split()[1:]
    if name == "view_file":
        return _view(words, thought)
    if not SHORT[name] and words:
        raise CommandError(f"'{name}' stands alone. Its form: {form_of(name)}")
    if len(words) > 2 or (len(words) == 2 and not _is_number(words[1])):
        raise CommandError(f"'{lines[0].strip():.80}' names no input. Its form: {form_of(name)}")
    case = words[0] if words else None
    return Command(name=name, case=case, number=int(words[1]) if len(words) == 2 else 1, thought=thought)


def _view(words: list[str], thought: str) -> Command:
    if not 1 <= len(words) <= 2 or (len(words) == 2 and not _is_number(words[1])):
        raise CommandError(f"Which file, and from which line? Its form: {form_of('view_file')}")
    return Command(
        name="view_file", file=words[0], first=max(1, int(words[1])) if len(words) == 2 else 1, thought=thought
    )


def _change(name: str, lines: list[str], thought: str) -> Command:
    """Parse ``edit`` and ``delete``: fields, each on a line of its own, then new lines between two of three dashes."""
    rules = [index for index, line in enumerate(lines) if line.strip() == "---"]
    if name == "edit" and len(rules) < 2:
        raise CommandError(f"The new lines of an edit stand between two lines '---'. Its form: {form_of('edit')}")
    head = lines[1 : rules[0]] if name == "edit" else lines[1:]
    fields = {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in head) if colon}
    place = _LINES.fullmatch(fields.get("lines", ""))
    if set(fields) != {"file", "lines"} or place is None or lines[0].split() != [name]:
        raise CommandError(f"'{name}' needs a file and its lines. Its form: {form_of(name)}")
    first = int(place[1])
    last = int(place[2]) if place[2] else first
    if first > last or (first == 0) != (last == 0) or (name == "delete" and first == 0):
        raise CommandError(f"lines: {fields['lines']} are no lines: expected FIRST-LAST, counted from 1.")
    text = "".join(f"{line}\n" for line in lines[rules[0] + 1 : rules[-1]]) if name == "edit" else ""
    return Command(name=name, file=fields["file"], first=first, last=last, text=text, thought=thought)


def _is_number(word: str) -> bool:
    return word.isdecimal() and word.isascii() and int(word[:10]) <= MAX_NUMBER


def form_of(name: str) -> str:
    """Return how a command is written, in one line ("⏎" for the ends of lines of those that have several)."""
    if name == "edit":
        return "edit ⏎ file: FILE ⏎ lines: FIRST-LAST ⏎ --- ⏎ the new lines ⏎ ---"
    if name == "delete":
        return "delete ⏎ file: FILE ⏎ lines: FIRST-LAST"
    return f"{name} {SHORT[name]}".strip()
