"""What is wrong with a task folder, one line a finding."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. ``file`` is the path as it is shown, ``line`` counts from 1 (0: the file as a whole).

    ``error``: the task cannot be used as it is; ``warning``: it can, and its results will be worth less.
    """

    file: str
    line: int
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Return ``file:line: message``, the form that editors and terminals turn into a link."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {'warning: ' if self.severity == 'warning' else ''}{self.message}"
