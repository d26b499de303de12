"""How values become text and bytes on disk: strict JSON and zlib. No pickle, nothing that can run code."""

import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

from outpace.errors import StoreError


def encode(value: Any, *, what: str = "value") -> str:
    """Return ``value`` as compact JSON that ``decode`` turns back into an equal value.

    None, bool, int, finite float (round trips exactly), str, list and mappings with str keys; a tuple comes back as a
    list. Anything else, NaN and infinities are a ``StoreError`` that names the place, ``what`` being its root.
    """
    return json.dumps(_plain(value, what), allow_nan=False, separators=(",", ":"))


def decode(text: str) -> Any:
    """Return what ``encode`` was given."""
    return json.loads(text)


def pack(text: str) -> bytes:
    """Return text compressed; any str, lone surrogates included."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def unpack(data: bytes) -> str:
    """Return what ``pack`` was given."""
    return zlib.decompress(data).decode("utf-8", "surrogatepass")


def digest(text: str) -> str:
    """Return the key of a text in the table of texts: its SHA-256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def finite(value: float, what: str) -> float:
    """Return ``value`` as a float; raises ``StoreError`` for NaN and infinities, which SQL would change."""
    if not math.isfinite(value):
        raise StoreError(f"Cannot store {what}: got {value!r}, expected a finite number.")
    return float(value)


def _plain(value: Any, what: str) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return finite(value, what)
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{what}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, what): _plain(item, f"{what}.{key}") for key, item in value.items()}
    raise StoreError(
        f"Cannot store {what}: got a {type(value).__name__}, expected plain JSON (numbers, text, lists, maps)."
    )


def _key(key: Any, what: str) -> str:
    if isinstance(key, str):
        return key
    raise StoreError(f"Cannot store {what}: got the key {key!r}, expected keys of text.")
