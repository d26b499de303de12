"""Every error that Outpace raises on purpose.

::

    OutpaceError                 exit code 1
    ├── UsageError               exit code 2: what was asked for cannot be
    │   ├── UnknownName          no such task, strategy, model, sandbox … (names the nearest one)
    │   ├── TaskError            a task folder is broken (file, key, what was expected)
    │   │   └── MarkerError      evolve-block markers of a program do not pair up (knows the line)
    │   └── MissingPackage       a package or an extra is not installed (names the line that installs it)
    ├── SandboxUnavailable       this host cannot isolate as asked, or the sandbox itself failed
    ├── StoreError               the database is full, locked, foreign or damaged
    ├── ModelError               a model endpoint failed
    │   ├── ModelTransient       worth waiting for: rate limit, overload, lost connection
    │   └── ModelPermanent       will not get better: bad key, unknown model, refused request
    ├── Unserved                 a brief is not served now and stays open
    │   ├── BudgetSpent          nothing is left of a bound of the budget
    │   └── Withdrawn            the sitting has ended before anybody served it
    ├── ProposalError            an answer did not become a candidate
    │   └── EditError            an edit that cannot be applied (knows the lines to show)
    └── WrongAnswer              raised by Task.check: the answer is not accepted

Wording: what failed, what was given, what was expected, what to do. Catch by name.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class OutpaceError(Exception):
    """Base of every deliberate error; its text is fit to be shown to the user as it is."""

    exit_code = 1


class UsageError(OutpaceError):
    """What the user asked for cannot be done as asked."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that nothing answers to.

    ``kind`` is the noun ("task", "strategy"), ``given`` what the user wrote, ``available`` what exists.
    """

    def __init__(self, kind: str, given: str, available: Iterable[str]) -> None:
        self.kind, self.given, self.available = kind, given, tuple(sorted(set(available)))
        near = get_close_matches(given, self.available, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        super().__init__(f"Unknown {kind} '{given}'.{hint} Available: {', '.join(self.available) or 'none'}.")


class TaskError(UsageError):
    """A task folder is broken; the text names the file, the key and what was expected."""


class MarkerError(TaskError):
    """The evolve-block markers of a program do not pair up; ``line`` counts from 1, ``reason`` leaves it out."""

    def __init__(self, line: int, reason: str) -> None:
        self.line, self.reason = line, reason
        super().__init__(f"line {line}: {reason}")


class MissingPackage(UsageError):
    """A package is needed and not installed; the text holds the command that installs it."""


class SandboxUnavailable(OutpaceError):
    """The sandbox cannot start or failed by its own fault (never by the candidate's)."""


class StoreError(OutpaceError):
    """The store cannot be opened, read or written; what it already holds is untouched."""


class ModelError(OutpaceError):
    """A model endpoint did not give an answer."""


class ModelTransient(ModelError):
    """May pass by itself: rate limit, overload, time-out, lost connection."""


class ModelPermanent(ModelError):
    """Will not pass by itself: bad key, unknown model, malformed request."""


class Unserved(OutpaceError):
    """A brief is not served now; it stays open, for a sitting to come."""


class BudgetSpent(Unserved):
    """Nothing is left of a bound of the run's budget, so what was to begin has not begun."""


class Withdrawn(Unserved):
    """The sitting has ended before anybody served the brief."""


class ProposalError(OutpaceError):
    """A proposal gave no candidate: unparsable answer, unmatched edit, edit outside the block, no change."""


class WrongAnswer(OutpaceError):
    """Raised by ``Task.check`` with the reason, in words that help whoever improves the program."""
