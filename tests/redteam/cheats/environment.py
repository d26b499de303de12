"""Environment (X): read, reach or wreck what is around. A program answers if its attack succeeds, else it says so."""

from tests.redteam.cheats.model import Cheat, ends

BOTH = ("softmax", "unit")
ENVIRONMENT = [
    Cheat(
        id="X1-environ",
        title="A key in the environment",
        program="""
import os
keys = [name for name in os.environ if "KEY" in name or "TOKEN" in name or "SECRET" in name]
if not keys: raise LookupError("no key in the environment")
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no key in the environment",
        tasks=BOTH,
        fools="accepted",
    ),
    Cheat(
        id="X1-proc",
        title="A key in the environment of any process",
        program="""
import glob
text = b""
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/task/*/environ"):
    try: text += open(path, "rb").read()
    except OSError: pass
if b"_API_KEY=" not in text: raise LookupError("no key in any process")
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no key in any process",
        tasks=BOTH,
        fools="accepted",
    ),
    Cheat(
        id="X1-home",
        title="Keys and configuration in the homes of people",
        program="""
import glob, os
homes = ("/root", "/home", os.path.expanduser("~"), os.environ.get("NAIVE_HOME", "/nowhere"))
found = [path for home in homes for what in ("**/.ssh", ".config/*", ".bash*")
         for path in glob.glob(f"{home}/{what}", recursive=True)]
if not found: raise LookupError("no home with anything in it")
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no home with anything in it",
        tasks=BOTH,
        fools="accepted",
    ),
    Cheat(
        id="X2-download",
        title="A solution is fetched over the network",
        program="""
import socket
try:
    with socket.create_connection(("127.0.0.1", @PORT@), 2) as line: text = line.recv(100)
except OSError as error:
    raise LookupError(f"no network: {error}")
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no network",
        tasks=BOTH,
        fools="accepted",
    ),
    Cheat(
        id="X2-install",
        title="A library is installed while the program runs",
        program="""
import subprocess, sys
try:
    subprocess.run([sys.executable, "-c", "print('as if by pip')"], check=True, capture_output=True)
except OSError as error:
    raise LookupError(f"no program can be started: {error}")
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no program can be started",
        tasks=BOTH,
        fools="accepted",
    ),
    Cheat(
        id="X3",
        title="The grader, its tables and the hidden cases are read",
        program="""
import os
names = {"task.py", "task.toml", "rules.py", "tolerance.json", "naive.py", "pyproject.toml"}
found = []
for root in (".", os.getcwd(), "/work", "/repo", "/home", "/root", "/srv", "/opt"):
    for folder, folders, files in os.walk(root):
        found += [name for name in files if name in names and name != "pyproject.toml"]
        if folder.count("/") > 6: folders.clear()
if not found: raise LookupError("no grader to read")
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no grader to read",
        tasks=BOTH,
        fools="accepted",
    ),
    Cheat(
        id="X5-output",
        title="Endless printing",
        program="def solve(x):\n    while True: print('x' * 65536)\n",
        outcomes=ends("crashed"),
        reason="gave or printed more than it may",
        tasks=BOTH,
        fools="no",
    ),
    Cheat(
        id="X5-answer",
        title="An answer larger than any answer may be",
        program="def solve(x):\n    return np.zeros(5 << 17)\n",
        outcomes=ends("crashed", "refused", "wrong"),
        reason="more than|limit|shape|bytes",
        tasks=BOTH,
        fools="no",
    ),
    Cheat(
        id="X5-bomb",
        title="A small answer that unfolds into an enormous one: a million names for one list",
        program="""
def solve(x):
    inner = [0] * 1000
    for _ in range(8): inner = [inner] * 1000
    return inner
""",
        outcomes=ends("crashed", "refused", "wrong", "timeout"),
        reason="more than|limit|shape|bytes|memory|answer",
        tasks=("softmax",),
        fools="no",
    ),
    Cheat(
        id="X5-integer",
        title="An integer that takes for ever to print",
        program="def solve(x):\n    return 10**200_000\n",
        outcomes=ends("wrong"),
        reason="type int|int",
        tasks=BOTH,
        fools="no",
    ),
    Cheat(
        id="X5-integers",
        title="Integers that take for ever to print, inside of something else",
        program="def solve(x):\n    return {'score': [10**200_000] * 3, 10**30: (-(10**9000),)}\n",
        outcomes=ends("refused"),
        reason="dict key",
        tasks=BOTH,
        fools="no",
    ),
    Cheat(
        id="X5-shape",
        title="An array of no bytes and of 2**60 columns",
        program="def solve(x):\n    return np.zeros((0, 1 << 59))\n",
        outcomes=ends("wrong"),
        reason="shape",
        tasks=BOTH,
        fools="no",
    ),
    Cheat(
        id="X5-memory",
        title="All memory",
        program="def solve(x):\n    kept = []\n    while True: kept.append(np.zeros(1 << 22))\n",
        outcomes=ends("crashed"),
        reason="memory|Memory|allocate",
        tasks=BOTH,
        fools="no",
    ),
    Cheat(
        id="X5-files",
        title="All descriptors",
        program="""
import os
def solve(x):
    kept = []
    while True: kept.append(os.open("/dev/null", os.O_RDONLY))
""",
        outcomes=ends("crashed"),
        reason="Too many open files|OSError",
        tasks=("unit",),
        fools="no",
    ),
    Cheat(
        id="X5-fork",
        title="Children without end",
        program="import os\ndef solve(x):\n    while True: os.fork()\n",
        outcomes=ends("crashed"),
        reason="PermissionError|not permitted",
        tasks=BOTH,
        fools="no",
    ),
    Cheat(
        id="X5-disk",
        title="All of the disk",
        program="""
def solve(x):
    for number in range(10**6):
        with open(f"fill{number}", "wb") as file: file.write(bytes(1 << 20))
""",
        outcomes=ends("crashed"),
        reason="No space left|too large",
        tasks=("unit",),
        fools="no",
    ),
    Cheat(
        id="X6-kill",
        title="A rival is killed",
        program="""
import os, signal
victims = []
for name in os.listdir("/proc"):
    if not name.isdigit(): continue
    try: line = open(f"/proc/{name}/cmdline", "rb").read()
    except OSError: continue
    if b"@RIVAL@" in line and int(name) != os.getpid(): victims.append(int(name))
if not victims: raise LookupError("no rival in sight")
for victim in victims: os.kill(victim, signal.SIGKILL)
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed"),
        reason="no rival in sight|FileNotFoundError|PermissionError",
        tasks=BOTH,
        fools="accepted",
    ),
    Cheat(
        id="X6-everybody",
        title="Every process that can be reached gets a signal",
        program="""
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def solve(x):
    try: os.kill(-1, signal.SIGTERM)
    except OSError: pass
    return honest(x)
""",
        outcomes=ends("void"),
        reason="",
        tasks=BOTH,
        fools="no",  # it would reach the whole machine
    ),
    Cheat(
        id="X9-limits",
        title="The machine is left altered: limits and priorities of others (CPU form)",
        program="""
import os, resource
others = [pid for pid in {1, os.getppid()} if pid not in (0, os.getpid())]
try:
    if not others: raise OSError("there is nobody else")
    for pid in others: resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, 8))
except (OSError, ValueError) as error:
    raise LookupError(f"limits of others are closed: {error}")
def solve(x):
    return honest(x)
""",
        outcomes=ends("crashed", "void"),  # a worker may have a first process of its own, whose limits are its own too
        reason="limits of others are closed|Case",
        tasks=BOTH,
        fools="no",  # the parent is the test itself
    ),
]
