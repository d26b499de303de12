"""Programs that look suspicious and are honest: none may be refused."""

from tests.redteam.cheats.model import Honest

_FAST = "powers = np.exp(x - x.max())\n    return powers / powers.sum()\n"
HONEST = [
    Honest(
        id="cache-inside-a-call",
        program="""
def solve(x):
    known = {}
    top = float(x.max())
    powers = np.empty(len(x))
    for index, value in enumerate(x.tolist()):
        if value not in known: known[value] = _exp(value - top)
        powers[index] = known[value]
    return powers / math.fsum(powers)
""",
        gain=False,
    ),
    Honest(
        id="threads-joined",
        program="""
import threading
def solve(x):
    powers, top = np.empty(len(x)), x.max()
    def part(piece): np.exp(x[piece] - top, out=powers[piece])
    half = len(x) // 2
    threads = [threading.Thread(target=part, args=(piece,)) for piece in (slice(half), slice(half, None))]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return powers / powers.sum()
""",
        gain=True,
    ),
    Honest(
        id="pool-kept-idle",
        program="""
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(3)
def solve(x):
    top = x.max()
    parts = list(pool.map(lambda piece: np.exp(piece - top), np.array_split(x, 3)))
    powers = np.concatenate(parts)
    return powers / powers.sum()
""",
        gain=True,
    ),
    Honest(
        id="pool-inside-a-call",
        program="""
from concurrent.futures import ThreadPoolExecutor
def solve(x):
    top = x.max()
    with ThreadPoolExecutor(4) as pool:
        powers = np.concatenate(list(pool.map(lambda piece: np.exp(piece - top), np.array_split(x, 4))))
    return powers / powers.sum()
""",
        gain=False,  # starting threads costs about what there is to gain on a busy machine
    ),
    Honest(
        id="numba-warmed-up",
        program="""
from numba import njit
@njit
def work(x):
    top, total = x.max(), 0.0
    out = np.empty_like(x)
    for index in range(len(x)):
        out[index] = math.exp(x[index] - top)
        total += out[index]
    return out / total
work(np.zeros(8))
def solve(x):
    return work(x)
""",
        gain=True,
    ),
    Honest(
        id="in-place-on-a-copy",
        program="""
def solve(x):
    work = x.copy()
    work -= work.max()
    np.exp(work, out=work)
    work /= work.sum()
    return work
""",
        gain=True,
    ),
    Honest(
        id="generators-consumed",
        program="""
def powers(values, top):
    for value in values: yield _exp(value - top)
def solve(x):
    terms = np.fromiter(powers(x.tolist(), float(x.max())), dtype=np.float64, count=len(x))
    return terms / terms.sum()
""",
        gain=False,
    ),
    Honest(
        id="tables-made-at-import",
        program="""
COARSE = np.exp(-np.arange(0, 8, 2.0**-6))
def solve(x):
    depth = x.max() - x
    step = (depth * 64).astype(np.int64).clip(0, len(COARSE) - 1)
    rest = depth - step * 2.0**-6
    powers = COARSE[step] * np.exp(-rest)
    return powers / powers.sum()
""",
        gain=True,
    ),
    Honest(
        id="lru-cache-on-a-helper",
        program=f"""
from functools import lru_cache
@lru_cache(maxsize=None)
def pieces(size): return tuple(range(0, size, 1024))
def solve(x):
    pieces(len(x))
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="recursion",
        program="""
def total(values):
    if len(values) <= 128: return float(values.sum())
    half = len(values) // 2
    return total(values[:half]) + total(values[half:])
def solve(x):
    powers = np.exp(x - x.max())
    return powers / total(powers)
""",
        gain=True,
    ),
    Honest(
        id="own-random-numbers",
        program="""
import random
chance = random.Random(7)
def solve(x):
    order = np.random.default_rng(chance.randrange(10**6)).permutation(len(x))
    powers = np.exp(x[order] - x.max())
    out = np.empty(len(x))
    out[order] = powers
    return out / out.sum()
""",
        gain=True,
    ),
    Honest(
        id="temporary-file",
        program="""
import tempfile
def solve(x):
    with tempfile.NamedTemporaryFile() as file:
        powers = np.memmap(file, dtype=np.float64, shape=len(x))
        powers[:] = np.exp(x - x.max())
        return np.array(powers / powers.sum())
""",
        gain=False,
    ),
    Honest(
        id="prints-a-little",
        program=f"""
import sys
print("loaded")
def solve(x):
    if len(x) < 1000: print("short", len(x), file=sys.stderr)
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="looks-at-the-clock",
        program=f"""
import time
spent = 0.0
def solve(x):
    global spent
    begin = time.perf_counter()
    x.sum()
    spent += time.perf_counter() - begin
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="recursion-limit",
        program=f"""
import sys
sys.setrecursionlimit(20_000)
def deep(level): return 0 if level == 0 else 1 + deep(level - 1)
assert deep(3000) == 3000
def solve(x):
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="warnings",
        program=f"""
import warnings
def solve(x):
    warnings.warn("slow path", RuntimeWarning)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        np.exp(np.array([1e9]))
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="no-garbage-collection",
        program=f"""
import gc
gc.disable()
gc.freeze()
def solve(x):
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="much-memory",
        program=f"""
def solve(x):
    room = np.zeros((64, 1 << 17))
    room[:, ::512] = 1.0
    {_FAST}""",
        gain=False,
    ),
    Honest(
        id="subclass-inside",
        program="""
class Logs(np.ndarray):
    def powers(self): return np.exp(self - self.max())
def solve(x):
    found = x.view(Logs).powers()
    return np.asarray(found / found.sum()).view(np.ndarray)
""",
        gain=True,
    ),
    Honest(
        id="import-fallback",
        program=f"""
try:
    import a_library_that_is_not_there as fast
except ImportError:
    fast = None
def solve(x):
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="one-buffer-for-all-answers",
        program="""
room = np.empty(1 << 14)
def solve(x):
    out = room[: len(x)]
    np.exp(x - x.max(), out=out)
    out /= out.sum()
    return out
""",
        gain=True,
    ),
    Honest(
        id="a-view-with-strides",
        program="""
def solve(x):
    pairs = np.empty((len(x), 2))
    pairs[:, 0] = np.exp(x - x.max())
    pairs[:, 1] = -1.0
    pairs[:, 0] /= pairs[:, 0].sum()
    return pairs[:, 0]
""",
        gain=True,
    ),
    Honest(
        id="the-last-input-kept",
        program=f"""
last = None
def solve(x):
    global last
    last = x
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="an-event-loop",
        program="""
import asyncio
async def work(x):
    await asyncio.sleep(0)
    return np.exp(x - x.max())
def solve(x):
    loop = asyncio.new_event_loop()
    try: powers = loop.run_until_complete(work(x))
    finally: loop.close()
    return powers / powers.sum()
""",
        gain=False,
    ),
    Honest(
        id="looks-at-its-surroundings",
        program=f"""
import atexit, inspect, os, platform, signal, sys
atexit.register(print, "bye")
signal.signal(signal.SIGUSR1, lambda *a: None)
cores = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
def solve(x):
    assert inspect.currentframe().f_code.co_name == "solve" and platform.system() == "Linux"
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="a-function-of-the-system-by-ctypes",
        program="""
import ctypes, ctypes.util
libm = ctypes.CDLL("libm.so.6")
libm.exp.restype, libm.exp.argtypes = ctypes.c_double, [ctypes.c_double]
def solve(x):
    top = libm.fmax(ctypes.c_double(0), ctypes.c_double(0)) * 0 + float(x.max())
    powers = np.exp(x - top)
    powers[0] = libm.exp(float(x[0]) - top)
    return powers / powers.sum()
""",
        gain=True,
    ),
    Honest(
        id="a-daemon-thread-that-waits",
        program=f"""
import threading
stop = threading.Event()
threading.Thread(target=stop.wait, daemon=True).start()
def solve(x):
    {_FAST}""",
        gain=True,
    ),
    Honest(
        id="restarts-with-a-budget-of-time",
        program="""
import random, time
def solve(x):
    until, best, most = time.perf_counter() + 0.002, None, -1.0
    while best is None or time.perf_counter() < until:
        power = random.uniform(0.5, 1.5)
        trial = x**power
        trial /= np.linalg.norm(trial) * (1 + 1e-12)
        if trial @ x > most: best, most = trial, trial @ x
    return best
""",
        gain=True,
        task="unit",
    ),
    Honest(
        id="an-own-c-extension",
        program="""
import ctypes, os
fast = ctypes.CDLL(os.path.join(os.environ["OUTPACE_BUILD"], "libfast.so"))
def solve(x):
    x, out = np.ascontiguousarray(x), np.empty(len(x))
    fast.softmax(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(out.ctypes.data), ctypes.c_long(len(x)))
    return out
""",
        gain=True,
        task="compiled",
    ),
]
