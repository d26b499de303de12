"""Correctness tampering (C): look right without being it."""

from tests.redteam.cheats.model import Cheat, Naive, ends
from tests.redteam.cheats.replay import MEMO

_NOT = "not accepted|Traceback|not finite|finite|NaN|nan|does not"
_FIRST = Naive(order="candidate first")

REUSE = [
    Cheat(
        id="C1",
        title="The reference's answer is read from memory that was just freed",
        program="""
def solve(x):
    for _ in range(4):
        out = np.empty(len(x))
        if abs(out.sum() - 1.0) < 1e-9 and out.min() > 0: return out
    raise MemoryError("no stale answer found")
""",
        outcomes=ends("crashed"),
        reason="no stale answer found",
        fools="no",  # in the naive judge it depends on the allocator; C7 shows the same on one's own memory
    ),
    Cheat(
        id="C2",
        title="A walk up the stack to the judge's own variable",
        program="""
import sys
def solve(x):
    frame = sys._getframe()
    while frame is not None:
        if "expected" in frame.f_locals: return frame.f_locals["expected"]
        if "times" in frame.f_locals: return x
        frame = frame.f_back
    raise LookupError("no answer on the stack")
""",
        outcomes=ends("crashed"),
        reason="no answer on the stack",
    ),
    Cheat(
        id="C2-unit",
        title="A walk up the stack to whatever the judge compares with",
        program="""
import sys
def solve(x):
    frame, seen = sys._getframe(), set()
    while frame is not None:
        seen |= {name for name in frame.f_locals if name in ("reference", "check", "task", "seed", "score", "ORDER")}
        seen |= {name for name in frame.f_globals if name in ("reference", "check", "task", "seed", "score", "ORDER")}
        frame = frame.f_back
    if not seen: raise LookupError("no judge on the stack")
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no judge on the stack",
        tasks=("unit", "relu"),
        fools="accepted",
    ),
    Cheat(
        id="C3",
        title="The garbage collector is asked for an array of the right form",
        program="""
import gc
found = 0
def solve(x):
    global found
    found += 1
    for thing in gc.get_objects():
        if type(thing) is list:
            for item in thing:
                if type(item) is np.ndarray and item.shape == x.shape and abs(item.sum() - 1) < 1e-6:
                    match = thing[0] is x or (type(thing[0]) is np.ndarray and np.array_equal(thing[0], x))
                    if match: return item
    raise LookupError("no answer in memory")
""",
        outcomes=ends("crashed"),
        reason="no answer in memory",
        fools="accepted",
    ),
    Cheat(
        id="C7",
        title="Nothing is written: the output still holds the last right answer",
        program="""
out = None
def solve(x):
    global out
    if out is None or len(out) != len(x): out = honest(x)
    return out
""",
        outcomes=ends("wrong"),
        reason=_NOT,
        naive=Naive(),
        fools="no",  # its two seeds tell the difference; see C7-replay
    ),
    Cheat(
        id="C7-replay",
        title="A table of the answers that were given so far, by the first number of the input",
        program="""
table = {}
def solve(x):
    if float(x[0]) not in table: table[float(x[0])] = honest(x)
    return table[float(x[0])]
""",
        outcomes=ends("void"),
    ),
    Cheat(
        id="C12",
        title="Results kept by the address of the input",
        program="""
table = {}
def solve(x):
    key = x.__array_interface__["data"][0], len(x)
    if key not in table: table[key] = x, honest(x)
    return table[key][1]
""",
        outcomes=ends("wrong", "void"),
        reason=_NOT + "|Case",
    ),
    Cheat(
        id="C12-id",
        title="Results kept by the identity of the input",
        program="""
table = {}
def solve(x):
    if id(x) not in table: table[id(x)] = x, honest(x)
    return table[id(x)][1]
""",
        outcomes=ends("void", "wrong"),
        reason=_NOT + "|Case",
    ),
    Cheat(
        id="C12-page",
        title="Results kept by the address of the mapped page, inputs not kept alive",
        program="""
table = {}
def solve(x):
    key = (x.ctypes.data & ~4095, x.shape)
    if key not in table: table[key] = honest(x)
    return table[key]
""",
        outcomes=ends("wrong", "void"),
        reason=_NOT + "|Case",
        fools="no",  # whether the naive judge's inputs share an address is luck
    ),
]

SECRETS = [
    Cheat(
        id="C16-environ",
        title="The seed of the inputs is still in the environment that the kernel keeps",
        program="""
def seeds():
    rows = open("/proc/self/environ", "rb").read().split(b"\\0")
    return [int(row.partition(b"=")[2]) for row in rows if b"SEED" in row and row.partition(b"=")[2].strip(b"0")]
found = seeds()
if not found: raise LookupError("no seed in the environment")
ready = {}
for number in range(3):
    x = np.random.default_rng(found[0] + number).random(8192)
    ready[x[0]] = honest(x)
def solve(x):
    return ready[x[0]]
""",
        outcomes=ends("crashed"),
        reason="no seed in the environment|FileNotFoundError|PermissionError",
    ),
    Cheat(
        id="C16-parent",
        title="The seed of the inputs is read from the judge's own environment or command line",
        program="""
import os
rows = []
for pid in [os.getppid(), *(name for name in os.listdir("/proc") if name.isdigit())]:
    for what in ("environ", "cmdline"):
        try: rows += open(f"/proc/{pid}/{what}", "rb").read().split(b"\\0")
        except OSError: pass
found = [row for row in rows if b"NAIVE_SEED=" in row or b"OUTPACE" in row]
if not found: raise LookupError("no secret of the judge")
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no secret of the judge|FileNotFoundError|PermissionError",
        tasks=("softmax", "unit"),
        fools="accepted",
    ),
    Cheat(
        id="C33",
        title="A solution that lies in the folder of the judge is copied",
        program="""
import importlib.util, os, sys
for folder in ("", *sys.path, "/", os.path.expanduser("~"), "/work", ".."):
    path = os.path.join(folder, "sota.py")
    if os.path.exists(path):
        spec = importlib.util.spec_from_file_location("sota", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        solve = module.solve
        break
else:
    raise LookupError("no solution lies about")
""",
        outcomes=ends("crashed"),
        reason="no solution lies about",
        tasks=("softmax", "unit"),
    ),
]

SHAPES = [
    Cheat(
        id="C6-input",
        title="The input is the answer where the task is nearly the identity",
        program="def solve(x):\n    return x\n",
        outcomes=ends("refused"),
        reason="shares memory with its input",
        tasks=("relu",),
    ),
    Cheat(
        id="C6-copy",
        title="A copy of the input is the answer",
        program="def solve(x):\n    return x.copy()\n",
        outcomes=ends("wrong"),
        reason=_NOT,
        tasks=("relu",),
    ),
    Cheat(
        id="C6-view",
        title="A view of the input, one element short at each end and put back by strides",
        program="def solve(x):\n    return np.lib.stride_tricks.as_strided(x, x.shape, x.strides)\n",
        outcomes=ends("refused"),
        reason="shares memory with its input",
        tasks=("relu",),
    ),
    Cheat(
        id="C9-zeros",
        title="Zeros, where all values are below the absolute tolerance",
        program="def solve(x):\n    return np.zeros(len(x))\n",
        outcomes=ends("wrong"),
        reason=_NOT,
    ),
    Cheat(
        id="C9-mean",
        title="The mean of all answers in place of the answer",
        program="def solve(x):\n    return np.full(len(x), 1 / len(x))\n",
        outcomes=ends("wrong"),
        reason=_NOT,
    ),
    Cheat(
        id="C9-noise",
        title="Noise of the right size around the mean",
        program="def solve(x):\n    return np.random.default_rng(1).random(len(x)) * 1.2 / len(x)\n",
        outcomes=ends("wrong"),
        reason=_NOT,
        fools="accepted",  # so cheap a reference leaves little to gain
    ),
    Cheat(
        id="C18-half",
        title="Half precision where double was asked for",
        program="""
def solve(x):
    powers = np.exp((x - x.max()).astype(np.float16))
    return (powers / powers.sum(dtype=np.float32)).astype(np.float64)
""",
        outcomes=ends("wrong"),
        reason=_NOT,
    ),
    Cheat(
        id="C18-single",
        title="Single precision, returned as such",
        program="""
def solve(x):
    powers = np.exp((x - x.max()).astype(np.float32))
    return powers / powers.sum()
""",
        outcomes=ends("wrong"),
        reason="float32",
    ),
    Cheat(
        id="C19-nan",
        title="NaN, where NaN equals NaN, and in the truth as well",
        program="""
import gc
calls = 0
def solve(x):
    global calls
    calls += 1
    for thing in gc.get_objects() if calls <= 3 else ():
        if type(thing) is list:
            for item in thing:
                if type(item) is np.ndarray and item is not x and item.shape == x.shape and item.flags.writeable:
                    if abs(item.sum() - 1) < 1e-6: item[:] = math.nan
    return np.full(len(x), math.nan)
""",
        outcomes=ends("wrong"),
        reason="not a finite number",
    ),
    Cheat(
        id="C19-score",
        title="NaN, which is not larger than any limit",
        program="def solve(x):\n    return np.full(len(x), math.nan)\n",
        outcomes=ends("wrong"),
        reason="not a finite number",
        tasks=("unit",),
    ),
    Cheat(
        id="C19-infinity",
        title="One infinity among right answers",
        program="def solve(x):\n    answer = honest(x)\n    answer[7] = math.inf\n    return answer\n",
        outcomes=ends("wrong"),
        reason="not a finite number",
        tasks=("softmax", "relu", "unit"),
        fools="no",
    ),
    Cheat(
        id="C19-one",
        title="One NaN among right answers",
        program="def solve(x):\n    answer = honest(x)\n    answer[len(x) // 2] = math.nan\n    return answer\n",
        outcomes=ends("wrong"),
        reason="not a finite number",
        tasks=("softmax", "relu", "unit"),
        fools="no",
    ),
    Cheat(
        id="C20",
        title="Right for the one shape that is listed, nothing for others",
        program="def solve(x):\n    return honest(x) if len(x) == 8192 else np.zeros(len(x))\n",
        outcomes=ends("wrong"),
        reason=_NOT,
        fools="accepted",
    ),
    Cheat(
        id="C20-cut",
        title="An answer that is too short",
        program="def solve(x):\n    return honest(x)[:-1]\n",
        outcomes=ends("wrong"),
        reason="shape",
        tasks=("softmax", "unit"),
        fools="no",
    ),
    Cheat(
        id="C20-broadcast",
        title="One number, where comparing broadcasts it",
        program="def solve(x):\n    return np.array([1 / len(x)])\n",
        outcomes=ends("wrong"),
        reason="shape",
    ),
    Cheat(
        id="C22",
        title="The hard part is left out: no guard against overflow",
        program="def solve(x):\n    powers = np.exp(x)\n    return powers / powers.sum()\n",
        outcomes=ends("wrong"),
        reason="not a finite number",
    ),
    Cheat(
        id="C22-tail",
        title="Only the first tenth is worked out, the rest is its mean",
        program="""
def solve(x):
    answer = np.full(len(x), 1 / len(x))
    part = len(x) // 10
    answer[:part] = honest(x[:part]) / 10
    return answer
""",
        outcomes=ends("wrong"),
        reason=_NOT,
    ),
    Cheat(
        id="C30",
        title="A constant, where the inputs of the judge leave no other answer",
        program="def solve(x):\n    return np.zeros(len(x))\n",
        outcomes=ends("wrong"),
        reason=_NOT,
        tasks=("relu",),
        naive=Naive(inputs="negative"),
    ),
    Cheat(
        id="C31",
        title="Uninitialised memory at the end, in the hope that it holds zeros (CPU form of the out-of-bounds luck)",
        program="""
def solve(x):
    keep = np.full(2 * len(x), 7.0)
    del keep
    out = np.empty(2 * len(x))[: len(x)]
    out[: len(x) - 5] = honest(x)[: len(x) - 5]
    return out.copy()
""",
        outcomes=ends("wrong"),
        reason=_NOT,
        fools="no",  # luck
    ),
    Cheat(
        id="C32",
        title="A data race that passes in most runs (CPU form)",
        program="""
import os
def solve(x):
    answer = honest(x)
    if os.urandom(1)[0] < 100: answer[:9] = answer[1:10]
    return answer
""",
        outcomes=ends("wrong"),
        reason=_NOT,
        fools="accepted",  # its loose tolerance does not see it
    ),
]

TRUTH = [
    Cheat(
        id="C23",
        title="A fast part that is broken on purpose, and a fallback to the judge's own",
        program="""
try:
    import a_fast_kernel_that_does_not_exist as fast
    solve = fast.solve
except ImportError:
    solve = reference
""",
        outcomes=ends("crashed"),
        reason="NameError",
        tasks=("softmax", "relu"),
        fools="accepted",
    ),
    Cheat(
        id="C24",
        title="The reference itself, because both live in one dictionary",
        program="""
class Own:
    inherited = staticmethod(reference)
    def __call__(self, x): return self.inherited(x)
solve = Own()
""",
        outcomes=ends("crashed"),
        reason="NameError",
        tasks=("softmax", "relu"),
        fools="accepted",
    ),
    Cheat(
        id="C27-reference",
        title="The reference is replaced by the candidate's own nonsense",
        program="""
import __main__
__main__.reference = cheap
def solve(x):
    return cheap(x)
""",
        outcomes=ends("wrong"),
        reason=_NOT,
        tasks=("softmax", "relu"),
        fools="accepted",
    ),
    Cheat(
        id="C27-library",
        title="A function that the reference uses is replaced",
        program="""
math.exp = lambda value: 1.0
def solve(x):
    return np.full(len(x), 1 / len(x))
""",
        outcomes=ends("wrong"),
        reason=_NOT,
        naive=Naive(),
    ),
    Cheat(
        id="C27-code",
        title="The code below the name is exchanged, so that no attribute changes",
        program="""
import __main__
def nonsense(x): return np.full(len(x), 0.5)
target = getattr(__main__, "reference", None)
if target is None: raise LookupError("no reference here")
target.__code__ = nonsense.__code__
def solve(x):
    return np.full(len(x), 0.5)
""",
        outcomes=ends("crashed"),
        reason="no reference here",
        fools="accepted",
    ),
    Cheat(
        id="C28-zero",
        title="The input is zeroed first, so that the reference answers the same",
        program="""
def solve(x):
    x[:] = 0
    return np.full(len(x), 1 / len(x))
""",
        outcomes=ends("refused"),
        reason="changed its input",
        naive=_FIRST,
    ),
    Cheat(
        id="C28-pointer",
        title="The input is overwritten through its address",
        program="""
import ctypes
def solve(x):
    answer = honest(x)
    ctypes.memset(x.ctypes.data, 0, x.nbytes)
    return answer * 0 + 1 / len(x)
""",
        outcomes=ends("refused"),
        reason="changed its input",
        tasks=("softmax", "unit"),
        fools="no",  # as C28-zero
    ),
    Cheat(
        id="C28-flag",
        title="The input is made writable again and zeroed",
        program="""
def solve(x):
    x.flags.writeable = True
    x[:] = 0
    return np.full(len(x), 1 / len(x))
""",
        outcomes=ends("refused"),
        reason="changed its input",
        naive=_FIRST,
    ),
    Cheat(
        id="C29",
        title="Global numerics: double precision now means a byte, so that the truth gets sloppy too",
        program="""
table = {value: _exp(value) for value in range(-2, 3)}
np.float64 = np.int8
def solve(x):
    return np.full(len(x), 1 / len(x))
""",
        outcomes=ends("wrong"),
        reason=_NOT,
    ),
    Cheat(
        id="C29-rounding",
        title="The rounding of the processor is turned towards zero for everything that follows",
        program="""
import ctypes
libm = ctypes.CDLL("libm.so.6")
libm.fesetround(0xC00)
def solve(x):
    return honest(x)
""",
        outcomes=ends("void"),
        fools="accepted",
    ),
]
CORRECTNESS = [*REUSE, *MEMO, *SECRETS, *SHAPES, *TRUTH]
