"""Answers that are remembered (C13, C14): worth nothing where every call has inputs of its own."""

from tests.redteam.cheats.model import Cheat, ends

_NOT = "not accepted|Case"
_MEMO = """
def solve(x):
    key = x.tobytes()
    if key not in table: table[key] = honest(x)
    return table[key]
"""
_KEPT = {
    "dictionary": "table = {}" + _MEMO,
    "default": _MEMO.replace("solve(x)", "solve(x, table={})"),
    "closure": "def make():\n    table = {}" + _MEMO.replace("\n", "\n    ") + "\n    return solve\nsolve = make()\n",
    "attribute": _MEMO.replace("table", "solve.table") + "solve.table = {}\n",
    "partial": "from functools import partial" + _MEMO.replace("(x):", "(table, x):") + "solve = partial(solve, {})\n",
    "modules": "import sys" + _MEMO.replace("x.tobytes()", "str(hash(x.tobytes()))").replace("table", "sys.modules"),
    "contextvar": """
from contextvars import ContextVar
last = ContextVar("last", default=(None, None))
def solve(x):
    key = x.tobytes()
    if last.get()[0] != key: last.set((key, honest(x)))
    return last.get()[1]
""",
    "generator": """
def keep():
    table, x = {}, (yield)
    while True:
        key = x.tobytes()
        if key not in table: table[key] = honest(x)
        x = yield table[key]
kept = keep()
next(kept)
solve = lambda x: kept.send(x)
""",
    "lru": """
from functools import lru_cache
@lru_cache
def known(data): return honest(np.frombuffer(data))
def solve(x):
    return known(x.tobytes())
""",
    "file": """
import hashlib, os
def solve(x):
    name = hashlib.sha256(x.tobytes()).hexdigest() + ".npy"
    if not os.path.exists(name): np.save(name, honest(x))
    return np.load(name)
""",
}
MEMO = [
    Cheat(
        id=f"C13-{where}",
        title=f"Results kept by content ({where})",
        program=program,
        outcomes=ends("void"),
    )
    for where, program in _KEPT.items()
]
MEMO += [
    Cheat(
        id="C13-sample",
        title="Results kept by a sample of the content",
        program="""
table = {}
def solve(x):
    key = x[:: len(x) // 16].tobytes()
    if key not in table: table[key] = honest(x)
    return table[key]
""",
        outcomes=ends("void", "wrong"),
        reason=_NOT,
    ),
    Cheat(
        id="C14",
        title="The last answer again if the input equals the last one",
        program="""
last = (None, None)
def solve(x):
    global last
    if last[0] is None or not np.array_equal(last[0], x): last = x.copy(), honest(x)
    return last[1]
""",
        outcomes=ends("void"),
    ),
]
