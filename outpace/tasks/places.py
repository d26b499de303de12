"""Where the keys of a TOML text stand, for messages that name the line."""

import re

Location = tuple[str | int, ...]
"""The way to a key: names of tables and keys, and the number of a table in an array of tables (from 0)."""


class Places:
    """Where each key of a TOML text stands. The standard parser does not tell, so the lines are read once more."""

    _HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
    _KEY = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=(.*)$""")

    def __init__(self, text: str) -> None:
        self._lines: dict[Location, int] = {}
        self._counts: dict[Location, int] = {}
        table: Location = ()
        quote = ""
        for number, line in enumerate(text.split("\n"), 1):
            if quote:
                quote = "" if quote in line else quote
            elif header := self._HEADER.match(line):
                table = self._table(header.group(2), repeated=header.group(1) == "[[")
                self._note(table, number)
            elif key := self._KEY.match(line):
                self._note((*table, *_parts(key.group(1))), number)
                quote = next((q for q in ('"""', "'''") if key.group(2).count(q) == 1), "")

    def line(self, at: Location) -> int:
        """Return the line of a key, or of the nearest table around it (0: the file as a whole)."""
        while at and at not in self._lines:
            at = at[:-1]
        return self._lines.get(at, 0)

    def _table(self, name: str, *, repeated: bool) -> Location:
        place: Location = ()
        parts = _parts(name)
        for part in parts[:-1]:
            place = (*place, part)
            if place in self._counts:
                place = (*place, self._counts[place])
        place = (*place, parts[-1])
        if repeated:
            self._counts[place] = self._counts.get(place, -1) + 1
            place = (*place, self._counts[place])
        return place

    def _note(self, at: Location, number: int) -> None:
        for length in range(1, len(at) + 1):
            self._lines.setdefault(at[:length], number)


def _parts(key: str) -> list[str]:
    return [part.strip().strip("\"'") for part in key.split(".")]
