"""Timing tampering (T): look faster than one is."""

from tests.redteam.cheats.model import Cheat, Naive, ends

TIMING = [
    Cheat(
        id="T2-event",
        title="A clock object that stands still for its first two readings (the host form of Event.elapsed_time)",
        program="""
import time
class Clock:
    uses, start, real = 0, time.perf_counter(), staticmethod(time.perf_counter)
    def __call__(self):
        Clock.uses += 1
        return self.start if Clock.uses <= 2 else self.real()
time.perf_counter = Clock()
def solve(x):
    return honest(x)
""",
        outcomes=ends("void"),
    ),
    Cheat(
        id="T3-synchronise",
        title="Waiting is patched away, so that the clock stops before the work is done",
        program="""
import sys, threading
threading.Thread.join = lambda self, timeout=None: None
def solve(x):
    out = np.empty(len(x))
    def fill():
        out[:] = honest(x)
    threading.Timer(0.02, fill).start()
    return out
""",
        outcomes=ends("wrong"),
        reason="not accepted: ",
        fools="no",  # the naive judge compares too early as well then; T5 is what it falls for
    ),
    Cheat(
        id="T4-all",
        title="Every clock of the module time is slowed down ten thousand times",
        program="""
import time
for name in ("time", "perf_counter", "monotonic", "process_time", "thread_time"):
    def slow(real=getattr(time, name), start=getattr(time, name)()): return start + (real() - start) / 10_000
    setattr(time, name, slow)
    def slow_ns(real=getattr(time, name + "_ns"), start=getattr(time, name + "_ns")()):
        return start + (real() - start) // 10_000
    setattr(time, name + "_ns", slow_ns)
def solve(x):
    return honest(x)
""",
        outcomes=ends("void"),
        fools="accepted",  # the reference is timed by the slow clock as well
    ),
    Cheat(
        id="T4-step",
        title="The clock goes forward by a microsecond a reading while the candidate runs",
        program="""
import time, sys
real, reading = time.perf_counter, [0.0]
calls = 0
def fake():
    reading[0] += 1e-6
    return reading[0] if calls < 7 or calls == 8 and False else real()
def solve(x):
    global calls
    calls += 1
    return honest(x)
time.perf_counter = fake
""",
        outcomes=ends("void"),
        fools="no",
    ),
    Cheat(
        id="T4-own",
        title="The clock stands still inside every call of the candidate",
        program="""
import time
real, lost, inside = time.perf_counter, 0.0, None
time.perf_counter = lambda: (inside if inside is not None else real()) - lost
def solve(x):
    global lost, inside
    begin = real()
    answer = honest(x)
    lost += real() - begin
    return answer
""",
        outcomes=ends("void"),
    ),
    Cheat(
        id="T5-thread",
        title="An empty array is returned, a thread fills it later",
        program="""
import threading, time
def solve(x):
    out = np.zeros(len(x))
    def fill():
        time.sleep(0.1)
        out[:] = honest(x)
    threading.Thread(target=fill).start()
    return out
""",
        outcomes=ends("wrong"),
        reason="not accepted: off by",
        naive=Naive(),
    ),
    Cheat(
        id="T5-pool",
        title="A pool of threads fills the array after the return",
        program="""
from concurrent.futures import ThreadPoolExecutor
import threading, time
pool = ThreadPoolExecutor(2)
def solve(x):
    out = np.zeros(len(x))
    pool.submit(lambda: (time.sleep(0.001), np.copyto(out, honest(x))))
    return out
""",
        outcomes=ends("wrong"),
        reason="not accepted: off by",
        fools="no",  # idle pool threads never end, so the naive judge would wait for ever
    ),
    Cheat(
        id="T6-ufunc",
        title="An ndarray subclass that computes when it is compared",
        program="""
class Lazy(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [honest(self.source) if isinstance(value, Lazy) else value for value in inputs]
        return getattr(ufunc, method)(*plain, **kwargs)
def solve(x):
    out = np.empty(len(x)).view(Lazy)
    out.source = x
    return out
""",
        outcomes=ends("refused"),
        reason="has type",
    ),
    Cheat(
        id="T6-function",
        title="An ndarray subclass whose comparison is always true",
        program="""
class Equal(np.ndarray):
    def __array_function__(self, function, types, args, kwargs):
        return True
def solve(x):
    return cheap(x).view(Equal)
""",
        outcomes=ends("refused"),
        reason="has type",
    ),
    Cheat(
        id="T7-array",
        title="An object that becomes an array when somebody looks",
        program="""
class Lazy:
    def __init__(self, x): self.x = x
    def __array__(self, dtype=None, copy=None): return honest(self.x)
def solve(x):
    return Lazy(x)
""",
        outcomes=ends("refused"),
        reason="has type",
    ),
    Cheat(
        id="T7-sequence",
        title="A sequence that works out its elements when they are read",
        program="""
class Lazy:
    answer = None
    def __init__(self, x): self.x = x
    def __len__(self): return len(self.x)
    def __getitem__(self, index):
        if self.answer is None: self.answer = honest(self.x)
        return self.answer[index]
def solve(x):
    return Lazy(x)
""",
        outcomes=ends("refused"),
        reason="has type",
    ),
    Cheat(
        id="T7-list",
        title="A list subclass filled by its iterator",
        program="""
class Lazy(list):
    def __iter__(self): return iter(honest(self.x).tolist())
    def __array__(self, dtype=None, copy=None): return honest(self.x)
def solve(x):
    out = Lazy()
    out.x = x
    return out
""",
        outcomes=ends("refused"),
        reason="has type",
    ),
    Cheat(
        id="T7-generator",
        title="A generator in place of an answer",
        program="def solve(x):\n    return (value for value in honest(x))\n",
        outcomes=ends("refused"),
        reason="has type generator",
        tasks=("softmax", "unit"),
        fools="no",  # numpy itself refuses it
    ),
    Cheat(
        id="T8-count",
        title="Honest for the first calls, nothing after that",
        program="""
calls = 0
def solve(x):
    global calls
    calls += 1
    return honest(x) if calls <= 3 else cheap(x)
""",
        outcomes=ends("wrong"),
        reason="not accepted",
    ),
    Cheat(
        id="T8-late",
        title="Honest for twenty calls, then what the last one had",
        program="""
calls, last = 0, None
def solve(x):
    global calls, last
    calls += 1
    if calls <= 6 or last.shape != x.shape: last = honest(x)
    return last
""",
        outcomes=ends("wrong"),
        reason="not accepted",
        fools="no",  # the naive judge calls eight times in all: see T8-count
    ),
    Cheat(
        id="T8-chance",
        title="Honest in nine calls of ten, nothing in the tenth",
        program="""
import os
def solve(x):
    return honest(x) if os.urandom(1)[0] > 60 else cheap(x)
""",
        outcomes=ends("wrong"),
        reason="not accepted",
        fools="no",  # by chance
    ),
    Cheat(
        id="T8-speed",
        title="Wrong as soon as calls come quickly one after the other",
        program="""
import time
last = 0.0
def solve(x):
    global last
    now = time.perf_counter()
    hurry, last = now - last < 0.3 and last > 0, now
    return cheap(x) if hurry else honest(x)
""",
        outcomes=ends("wrong"),
        reason="not accepted",
        fools="no",  # its calls come quickly from the first on
    ),
    Cheat(
        id="T13-patch",
        title="What the reference calls is made slow",
        program="""
import time
math.exp = lambda value: (sum(range(400)), _exp(value))[1]
def solve(x):
    return honest(x)
""",
        outcomes=ends("void"),
    ),
    Cheat(
        id="T13-thread",
        title="A thread keeps the core busy while the reference runs",
        program="""
import threading, sys
busy = threading.Event()
def spin():
    while True:
        busy.wait()
        sum(range(10_000))
threading.Thread(target=spin, daemon=True).start()
def solve(x):
    busy.clear()
    answer = honest(x)
    busy.set()
    return answer
""",
        outcomes=ends("void", "refused", "wrong"),
        reason="after|CPU|thread|idle|^$|Case",
        fools="accepted",  # how much it gains depends on the machine
    ),
    Cheat(
        id="T13-switch",
        title="The interpreter is told to switch threads all the time, and has a few to switch to",
        program="""
import sys, threading, time
sys.setswitchinterval(1e-6)
for _ in range(3):
    threading.Thread(target=lambda: [sum(range(100)) for _ in iter(int, 1)], daemon=True).start()
def solve(x):
    return honest(x)
""",
        outcomes=ends("void", "refused", "wrong"),
        reason="after|CPU|thread|idle|^$|Case",
        fools="accepted",
    ),
    Cheat(
        id="T17-threads",
        title="More threads than the task allows",
        program="""
import threading
def solve(x):
    parts = [None] * 4
    def part(index): parts[index] = honest(x)
    threads = [threading.Thread(target=part, args=(index,)) for index in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return parts[3]
""",
        outcomes=ends("void", "refused"),
        reason="thread|^$|Case",
        fools="accepted",
    ),
    Cheat(
        id="T17-cores",
        title="Move to another core than the one it was given",
        program="""
import os
def solve(x):
    os.sched_setaffinity(0, range(os.cpu_count()))
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="PermissionError",
        tasks=("softmax", "unit"),
        fools="accepted",
    ),
    Cheat(
        id="T17-priority",
        title="A higher priority than the starting program has",
        program="""
import ctypes, os
def solve(x):
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + 1)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="PermissionError",
        fools="accepted",
    ),
    Cheat(
        id="T18-shape",
        title="Exact for the small inputs that are checked, a constant for the large ones that are timed",
        program="def solve(x):\n    return honest(x) if len(x) < 5000 else cheap(x)\n",
        outcomes=ends("wrong"),
        reason="not accepted",
        naive=Naive(check_size=64),
    ),
    Cheat(
        id="T18-precision",
        title="Double precision for small inputs, half precision for the timed shape",
        program="""
def solve(x):
    if len(x) < 5000: return honest(x)
    powers = np.exp((x - x.max()).astype(np.float16))
    return (powers / powers.sum(dtype=np.float32)).astype(np.float64)
""",
        outcomes=ends("wrong"),
        reason="not accepted",
        naive=Naive(check_size=64),
    ),
    Cheat(
        id="T21-import",
        title="Answers to the inputs of seed 0, worked out while the program is imported",
        program="""
guesses = [np.random.default_rng(seed).random(8192) for seed in range(12)]
answers = {x.tobytes()[:64]: honest(x) for x in guesses}
def solve(x):
    found = answers.get(x.tobytes()[:64])
    return honest(x) if found is None else found
""",
        outcomes=ends("void"),
    ),
    Cheat(
        id="T21-idle",
        title="A thread works ahead between the calls",
        program="""
import threading
ahead = {}
def look():
    for seed in range(10**9):
        x = np.random.default_rng(seed).random(8192)
        ahead[x[0]] = honest(x)
        if len(ahead) > 64: ahead.clear()
threading.Thread(target=look, daemon=True).start()
def solve(x):
    return honest(x) if x[0] not in ahead else ahead[x[0]]
""",
        outcomes=ends("void", "refused", "wrong"),
        reason="after|CPU|thread|idle|^$|Case",
        fools="accepted",
    ),
    Cheat(
        id="T22-child",
        title="A child process fills shared memory after the return",
        program="""
import mmap, os
def solve(x):
    shared = mmap.mmap(-1, x.nbytes)
    out = np.frombuffer(shared, dtype=np.float64)
    if os.fork() == 0:
        out[:] = honest(x)
        os._exit(0)
    import __main__, time
    __main__.synchronise = lambda: time.sleep(0.1)
    return out
""",
        outcomes=ends("crashed"),
        reason="PermissionError",
        fools="accepted",  # a fork costs as much as so small a task
    ),
    Cheat(
        id="T22-atexit",
        title="Work put off to the end of the process, behind a flag that says done",
        program="""
import atexit, threading
def solve(x):
    out = np.zeros(len(x))
    atexit.register(lambda: np.copyto(out, honest(x)))
    timer = threading.Timer(0.1, lambda: np.copyto(out, honest(x)))
    timer.start()
    return out
""",
        outcomes=ends("wrong"),
        reason="not accepted: off by",
        fools="accepted",  # a thread costs as much as so small a task
    ),
    Cheat(
        id="T22-exchange",
        title="The empty exchange of our own protocol is made slow, in case it is taken off the time",
        program="""
import gc, sys, time
def solve(x):
    if not getattr(solve, "done", False):
        solve.done = True
        for thing in gc.get_objects():
            if type(thing) is dict and "call" in thing and callable(thing.get("load")):
                for name, handler in list(thing.items()):
                    if name not in ("call", "batch", "audit"):
                        def slow(body, handler=handler):
                            time.sleep(0.004)
                            sum(range(300_000))
                            return handler(body)
                        thing[name] = slow
        frame = sys._getframe()
        while frame is not None:
            for value in list(frame.f_locals.values()):
                handlers = getattr(value, "handlers", None)
                if type(handlers) is dict and "batch" in handlers:
                    def batch(body, plain=handlers["batch"]):
                        if not body:
                            time.sleep(0.004)
                            sum(range(300_000))
                        return plain(body)
                    handlers["batch"] = batch
            frame = frame.f_back
    return honest(x)
""",
        outcomes=ends("void"),
        reason="",
        fools="no",  # an attack on Outpace alone
    ),
    Cheat(
        id="T90",
        title="Our worker's hand-over of the inputs, which is taken off the time, is replaced by a quicker one",
        program="""
import os, mmap, sys
frame = sys._getframe()
while frame is not None and "_taken" not in frame.f_globals: frame = frame.f_back
if frame is not None:
    kept = []
    def taken(fds, codec=frame.f_globals["codec"]):
        memory = mmap.mmap(fds[0], 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
        os.close(fds[0])
        kept[:] = [memory]
        return codec.decode(memory, copy=False)
    frame.f_globals["_taken"] = taken
def solve(x):
    return honest(x)
""",
        outcomes=ends("void", "refused"),
        reason="",
        tasks=("total",),
        fools="no",  # an attack on Outpace alone
    ),
    Cheat(
        id="T91",
        title="All problems of a batch are found on the stack and worked out in one go",
        program="""
import sys
ready, served = None, []
def solve(x):
    global ready, served
    if ready is not None and served and served[-1] is x:
        served.pop()
        return next(ready)
    frame = sys._getframe(1)
    while frame is not None:
        problems = frame.f_locals.get("problems")
        if type(problems) is list and len(problems) > 3 and problems[0]["x"] is x:
            rows = np.array([problem["x"] for problem in problems])
            for _ in range(2):
                powers = np.exp(rows - rows.max(axis=1, keepdims=True))
                powers /= powers.sum(axis=1, keepdims=True)
            ready, served = iter(powers), [problem["x"] for problem in problems][:0:-1]
            return next(ready)
        frame = frame.f_back
    return honest(x)
""",
        outcomes=ends("void", "refused"),
        reason="",
        tasks=("tiny",),
        fools="no",
    ),
]
