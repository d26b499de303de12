"""A candidate is a program: its files and nothing else; its id is the hash of its files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

PROGRAM = "program.py"
BLOCK_START = "EVOLVE-BLOCK-START"
BLOCK_END = "EVOLVE-BLOCK-END"


@dataclass(frozen=True, slots=True)
class Candidate:
    """``files`` maps relative POSIX paths to text; ``id`` is the first 16 hex digits of their SHA-256."""

    files: Mapping[str, str]
    id: str = field(init=False)

    def __post_init__(self) -> None:
        """Freeze the files and derive the id from them."""
        files = dict(sorted(self.files.items()))
        digest = hashlib.sha256()
        for path, text in files.items():
            for part in (path, text):
                data = part.encode()
                digest.update(len(data).to_bytes(8, "big") + data)
        object.__setattr__(self, "files", MappingProxyType(files))
        object.__setattr__(self, "id", digest.hexdigest()[:16])

    @property
    def program(self) -> str:
        """Text of the main file, ``program.py``."""
        return self.files[PROGRAM]

    def with_program(self, text: str) -> "Candidate":
        """Return a candidate that differs only in ``program.py``."""
        return Candidate({**self.files, PROGRAM: text})

    def __hash__(self) -> int:
        """Hash by id, as equality of files implies equality of ids."""
        return hash(self.id)
