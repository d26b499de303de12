"""The contract of sandboxes, as tests."""

import asyncio
import math
import os
import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from outpace.limits import Limits
from outpace.sandbox.base import Job, Level, Reply, Sandbox, Usage, Worker
from outpace.sandbox.contract.programs import ProgramsContract
from outpace.sandbox.contract.scenes import last_reply, processes, run, same, session, traces, wait_for, with_worker

ECHO = "def entry(**problem):\n    return problem\n"
VALUES: list[Any] = [
    None,
    True,
    -(2**200),
    2**63,
    -0.0,
    math.inf,
    1e-320,
    3 + 4j,
    "grün ☃",
    b"\0\xff",
    [],
    (),
    {},
    [1, [2.5, ("three", None)], {"four": {4: b"4"}}],
    list(range(-50, 50)),
    [0.5] * 100,
    ((1, 2), (3,)),
]
ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.arange(6, dtype=np.int16).reshape(2, 3).T,
    np.array(7.5),
    np.zeros((0, 3), dtype=np.uint8),
    np.array([True, False]),
    np.array([1 + 2j, 3], dtype=np.complex64),
    np.arange(4, dtype=">i4"),
    np.arange(100_000),
]


class SandboxContract(ProgramsContract):
    """The tests. Those of isolation run where the level that ``probe`` finds promises any."""

    @pytest.fixture
    def sandbox(self) -> Sandbox:
        """Return the sandbox to test."""
        raise NotImplementedError("give your subclass a fixture named 'sandbox'")

    @pytest.fixture(autouse=True)
    def no_trace(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Fail a test that leaves a process, a mount, a file descriptor or a temporary file behind."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        before = traces()
        yield
        assert wait_for(lambda: traces() == before), f"left behind: {traces() ^ before}"

    def test_probe_and_missing(self, sandbox: Sandbox) -> None:
        found = sandbox.probe()
        assert found.level in get_args(Level) and found.facts and (found.level == "A") == (not found.lacking)
        assert sandbox.missing(["numpy", "json", "no_such_package"]) == ["no_such_package"]

    def test_the_peak_of_memory_is_told_from_outside(self, sandbox: Sandbox) -> None:
        program = "def entry(mb):\n    held = bytearray(b'x') * (mb << 20)\n    return len(held)\n"

        async def scenario(worker: Worker) -> list[float | None]:
            told = []
            for mb in (1, 60, 1):
                assert (await worker.call({"mb": mb})).ok
                told.append(worker.peak_mb())
            await worker.close()
            return [*told, worker.peak_mb()]

        first, large, after, ended = run(with_worker(sandbox, program, scenario))
        assert first is not None and large is not None
        assert large - first == pytest.approx(59, abs=2) and after == large and ended is None

    def test_plain_data_goes_there_and_back(self, sandbox: Sandbox) -> None:
        replies, _ = run(session(sandbox, ECHO, [{"value": value} for value in [*VALUES, ARRAYS]]))
        answers = [reply.output["value"] for reply in replies[1:]]
        assert all(map(same, answers[:-1], VALUES)) and all(map(same, answers[-1], ARRAYS))

    def test_inputs_may_be_changed_in_place(self, sandbox: Sandbox) -> None:
        numbers = np.array([3, 1, 2])
        reply = last_reply(
            sandbox,
            "def entry(x):\n    x.sort()\n    x += 1\n    return x[:2]\n",
            problem={"x": numbers},
        )
        assert same(reply.output, np.array([2, 3])) and numbers.tolist() == [3, 1, 2]

    @pytest.mark.parametrize(
        ("expression", "said"),
        [
            ("{1, 2}", "output has type set"),
            ("[1, {'a': object()}]", "output[1]['a'] has type object"),
            ("{1.5: 0}", "keys must be str"),
            ("(n for n in ())", "generator"),
            ("type('Liar', (list,), {})()", "Liar"),
            ("[[]] * 600_000", "more than 500000 items"),
        ],
    )
    def test_an_answer_that_is_no_plain_data_is_an_error(self, sandbox: Sandbox, expression: str, said: str) -> None:
        reply = last_reply(sandbox, f"def entry():\n    return {expression}\n")
        assert reply.ended_by is None and reply.unfit and reply.error is not None and said in reply.error

    def test_an_exception_is_no_unfit_answer(self, sandbox: Sandbox) -> None:
        reply = last_reply(sandbox, "def entry():\n    raise TypeError('mine')\n")
        assert not reply.unfit and "mine" in (reply.error or "")

    def test_numpy_numbers_become_python_numbers(self, sandbox: Sandbox) -> None:
        program = "import numpy as np\ndef entry():\n    return [np.float32(0.5), np.int8(3), np.bool_(True)]\n"
        assert same(last_reply(sandbox, program).output, [0.5, 3, True])

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("return 1 / 0", "program.py, line 2, in entry: return 1 / 0\nZeroDivisionError"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt"),
            ("return entry(fail)", "RecursionError"),
            ("x = bytearray(1 << 40)", "MemoryError"),
            ("raise type('E', (Exception,), {'__str__': lambda e: 1 / 0})", "E"),
        ],
    )
    def test_exceptions_are_told_and_survived(self, sandbox: Sandbox, body: str, said: str) -> None:
        program = f"def entry(fail=True):\n  if not fail: return 'alive'\n  {body}\n".replace("line 2", "line 3")
        replies, _ = run(session(sandbox, program, [{}, {"fail": False}]))
        assert said.replace("line 2", "line 3") in (replies[1].error or "") and replies[2].output == "alive"
        assert "worker.py" not in (replies[1].error or "")

    @pytest.mark.parametrize(
        ("files", "said"),
        [
            ({"program.py": "def entry(:\n"}, "SyntaxError"),
            ({"program.py": "x = 1\n"}, "the entry 'entry' does not exist"),
            ({"program.py": "entry = 5\n"}, "the entry 'entry' is not a function"),
            ({"program.py": "import no_such_package\n"}, "No module named 'no_such_package'"),
            ({"other.py": ""}, "program.py is missing"),
            ({"program.py": ECHO, "../outside.py": ""}, "not a relative path"),
        ],
    )
    def test_a_program_that_cannot_be_loaded_says_why(self, sandbox: Sandbox, files: dict[str, str], said: str) -> None:
        async def scenario() -> Reply:
            worker = await sandbox.start(Job(files=files, entry="entry"))
            try:
                return await worker.load()
            finally:
                await worker.close()

        reply = run(scenario())
        assert reply.ended_by is None and said in (reply.error or "")

    def test_driver_and_further_files(self, sandbox: Sandbox) -> None:
        async def scenario() -> Reply:
            files = {
                "program.py": "from parts.one import two\ndef entry(x): return x + two\n",
                "parts/one.py": "two = 2\n",
            }
            driver = "def run(entry, xs):\n    return [entry(x) for x in xs]\n"
            worker = await sandbox.start(Job(files=files, entry="entry", driver=driver))
            try:
                assert (await worker.load()).ok
                return await worker.call({"xs": [1, 2]})
            finally:
                await worker.close()

        assert run(scenario()).output == [3, 4]

    def test_what_is_printed_comes_as_a_tail(self, sandbox: Sandbox) -> None:
        program = "import sys\ndef entry():\n    print('a' * 9000)\n    print('to stderr', file=sys.stderr)\n"
        replies, usage = run(session(sandbox, program, [{}]))
        assert replies[-1].ok and usage.stderr.endswith("a\nto stderr\n") and len(usage.stderr) <= 8192

    def test_both_clocks_are_read_from_outside(self, sandbox: Sandbox) -> None:
        program = (
            "import time\nreal = time.perf_counter\nfor name in dir(time):\n"
            "    if not name.startswith('_') and name != 'struct_time': setattr(time, name, lambda *a: 0)\n"
            "def entry():\n    end = real() + 0.2\n    while real() < end: pass\n"
        )
        reply = last_reply(sandbox, program)
        assert reply.ok and reply.wall_ns > 190e6 and 10e6 < reply.cpu_ns <= reply.wall_ns * 1.1

    def test_a_call_that_takes_too_long_is_killed(self, sandbox: Sandbox) -> None:
        program = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef entry():\n    while True: pass\n"
        replies, usage = run(session(sandbox, program, [{}, {}], limits=Limits(wall_s=0.3)))
        assert [reply.ended_by for reply in replies[1:]] == ["timeout", "timeout"] and usage.ended_by == "timeout"
        assert replies[1].cpu_ns > 0 and usage.cpu_s > 0

    def test_cpu_time_is_limited(self, sandbox: Sandbox) -> None:
        reply = last_reply(sandbox, "def entry():\n    while True: pass\n", limits=Limits(cpu_s=1, wall_s=60))
        assert reply.ended_by == "timeout" and "CPU" in reply.detail

    @pytest.mark.parametrize(
        ("body", "ended_by", "said"),
        [
            ("os._exit(3)", "exit", "code 3"),
            ("os.kill(os.getpid(), 11)", "signal", "SIGSEGV"),
            ("os.abort()", "signal", "SIGABRT"),
            ("os.write(200, (8).to_bytes(8, 'big') + b'garbage!')", "garbled", ""),
            ("os.write(200, (1 << 62).to_bytes(8, 'big'))", "output", "bytes"),
            ("os.close(200); time.sleep(60)", "garbled", "closed its line"),
            ("return bytes(3 << 20)", None, "bytes, the limit is"),
            ("print('x' * (3 << 20))", "output", "printed"),
            ("[print('flood' * 20, flush=True) for _ in range(10**9)]", "output", "printed"),
        ],
    )
    def test_how_a_worker_ended(self, sandbox: Sandbox, body: str, ended_by: str | None, said: str) -> None:
        program = f"import os, time\ndef entry():\n    {body}\n"
        reply = last_reply(sandbox, program, limits=Limits(output_mb=2, wall_s=20))
        assert reply.ended_by == ended_by and said in (reply.detail if ended_by else reply.error or "")

    def test_a_batch_is_answered_in_order_each_answer_as_it_was(self, sandbox: Sandbox) -> None:
        program = (
            "import numpy as np\nroom, row = np.zeros(2), [0]\n"
            "def entry(x):\n    room[:] = row[0] = x\n    return [room, row, 2**70 * x, str(x)]\n"
        )

        async def scenario(worker: Worker) -> Reply:
            return await worker.batch([{"x": x} for x in range(20)])

        answers = run(with_worker(sandbox, program, scenario)).output
        assert len(answers) == 20
        for x, (room, row, big, text) in enumerate(answers):
            assert same(room, np.array([x, x], dtype=float)) and (row, big, text) == ([x], 2**70 * x, str(x))

    def test_what_goes_wrong_in_a_batch_is_its_reply(self, sandbox: Sandbox) -> None:
        program = "import time\ndef entry(what):\n    return eval(what)\n"

        async def scenario(worker: Worker) -> list[Reply]:
            batches = [["1", "1 / 0", "3"], ["1", "{2}", "3"], [], ["'\\ud800'", "1"], ["b'x' * (17 << 20)"] * 2]
            replies = [await worker.batch([{"what": what} for what in batch]) for batch in batches]
            return [*replies, await worker.batch([{"what": "time.sleep(0.4)"}] * 5, wall_s=1)]

        crashed, unfit, empty, text, large, late = run(with_worker(sandbox, program, scenario))
        assert "ZeroDivisionError" in (crashed.error or "") and not crashed.unfit
        assert unfit.unfit and "output has type set" in (unfit.error or "")
        assert empty.ok and empty.output == []
        assert text.unfit and "not valid Unicode" in (text.error or "")
        assert large.unfit and "the limit is" in (large.error or "")
        assert late.ended_by == "timeout"

    def test_a_call_of_a_batch_sees_nothing_of_the_next(self, sandbox: Sandbox) -> None:
        program = (
            "import gc, os, select, sys\n"
            "def entry(secret):\n"
            "    frame, seen = sys._getframe(), ''\n"
            "    while frame:\n        seen, frame = seen + repr(frame.f_locals), frame.f_back\n"
            "    seen += repr([thing for thing in gc.get_objects() if type(thing) in (list, dict)])\n"
            "    lines = [fd for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}')]\n"
            "    ready = select.select([fd for fd in lines if os.fstat(fd).st_mode >> 12 == 0o14], [], [], 0)[0]\n"
            "    return [str(secret) in seen, str(secret + 1) in seen, len(ready)]\n"
        )

        async def scenario(worker: Worker) -> Reply:
            return await worker.batch([{"secret": 7_777_777_000 + i} for i in range(4)])

        reply = run(with_worker(sandbox, program, scenario))
        assert reply.output == [[True, False, 0]] * 4

    def test_an_audit_tells_what_became_of_the_inputs(self, sandbox: Sandbox) -> None:
        program = "def entry(a, b, c):\n    a[0] = 9\n    c.append(1)\n    return {'view': [b[1:]], 'copy': a.copy()}\n"
        problem = {"a": np.array([1, 2]), "b": np.array([3.0, 4.0]), "c": [0]}

        async def scenario(worker: Worker) -> Reply:
            return await worker.audit(problem)

        output = run(with_worker(sandbox, program, scenario)).output
        assert same(output["answer"]["view"][0], np.array([4.0])) and output["shared"] == ["b"]
        assert output["inputs"]["a"].tolist() == [9, 2] and output["inputs"]["c"] == [0, 1] and problem["c"] == [0]

    def test_nothing_runs_between_requests(self, sandbox: Sandbox) -> None:
        program = """import threading, time
stamps = [time.monotonic()]
def watch():
    while True:
        stamps.append(time.monotonic())
        time.sleep(0.001)
threading.Thread(target=watch, daemon=True).start()
def entry(wait_s):
    time.sleep(wait_s)
    gaps = [later - sooner for sooner, later in zip(stamps, stamps[1:])]
    del stamps[:-1]
    return max(gaps, default=0.0)
"""

        async def scenario(worker: Worker) -> tuple[list[Any], Reply]:
            gaps = []
            for _ in range(3):
                await asyncio.sleep(0.3)
                gaps.append((await worker.call({"wait_s": 0.02})).output)
            return gaps, await worker.call({"wait_s": 0.0})

        gaps, reply = run(with_worker(sandbox, program, scenario))
        assert all(gap > 0.28 for gap in gaps), "the first gap is that between load and the first call"
        assert reply.threads == 2 and reply.idle_cpu_ns == 0

    def test_a_stopped_worker_can_be_let_run(self, sandbox: Sandbox) -> None:
        busy = "import threading\ndef spin():\n    while True: pass\n"
        busy += "threading.Thread(target=spin, daemon=True).start()\ndef entry(): return 1\n"

        async def scenario(worker: Worker) -> tuple[int, Reply]:
            return await worker.idle(0.3), await worker.call({})

        used, reply = run(with_worker(sandbox, busy, scenario))
        assert used > 10e6 and reply.idle_cpu_ns < 10e6, "what idle has told already is told once"
        used, reply = run(with_worker(sandbox, "def entry(): return 1\n", scenario))
        assert used < 10e6 and reply.idle_cpu_ns < 10e6 and reply.threads == 1

    def test_a_worker_that_ends_while_idle(self, sandbox: Sandbox) -> None:
        program = "import os, threading\ndef entry(): threading.Timer(0.1, os._exit, (5,)).start()\n"

        async def scenario(worker: Worker) -> tuple[Reply, int, Reply]:
            return await worker.call({}), await worker.idle(5), await worker.call({})

        first, _, last = run(with_worker(sandbox, program, scenario))
        assert first.ok and last.ended_by == "exit" and "code 5" in last.detail

    def test_inputs_leave_no_descriptor_and_need_one(self, sandbox: Sandbox) -> None:
        program = """import os
held = []
def entry(fill, data=None):
    try:
        while fill: held.append(os.open('/dev/null', os.O_RDONLY))
    except OSError as error:
        return error.errno
    count = len(os.listdir('/proc/self/fd'))
    while held: os.close(held.pop())
    return count
"""

        async def scenario(worker: Worker) -> list[Reply]:
            problems: list[dict[str, Any]] = [
                {"fill": False},
                {"fill": False, "data": bytes(10**6)},
                {"fill": True},
                {"fill": False},
            ]
            return [await worker.call(problem) for problem in problems]

        first, second, full, refused = run(with_worker(sandbox, program, scenario))
        assert first.output == second.output and full.ok
        assert refused.ended_by is None and "too many files open" in (refused.error or "")

    def test_workers_agree_on_hashes_and_differ_in_chance(self, sandbox: Sandbox) -> None:
        program = "import random\nimport numpy as np\n"
        program += "def entry(): return [hash('outpace'), random.random(), float(np.random.random())]\n"
        first, second = (last_reply(sandbox, program).output for _ in range(2))
        assert first[0] == second[0] and first[1] != second[1] and first[2] != second[2]

    def test_a_closed_sandbox_warms_up_anew(self, sandbox: Sandbox) -> None:
        assert last_reply(sandbox, "def entry(): return 1\n").output == 1
        sandbox.close()
        sandbox.close()
        assert last_reply(sandbox, "def entry(): return 2\n").output == 2

    def test_a_memory_bomb_hits_the_limit(self, sandbox: Sandbox) -> None:
        program = "def entry():\n    hoard = []\n    while True: hoard.append(bytearray(1 << 20))\n"
        replies, _ = run(session(sandbox, program, [{}], limits=Limits(memory_mb=256)))
        assert "MemoryError" in (replies[-1].error or "") or replies[-1].ended_by == "memory"

    def test_a_reply_that_nobody_asked_for_is_not_taken_for_an_answer(self, sandbox: Sandbox) -> None:
        program = (
            "import os, sys\ncodec = sys.modules['inside.codec']\n"
            "def entry(number):\n"
            "    os.write(200, b''.join(codec.frame('forged', head=(number, 'value'), max_bytes=1000)))\n"
            "    return 'honest'\n"
        )
        replies, _ = run(session(sandbox, program, [{"number": 1}, {"number": 1}]))
        assert replies[-1].ended_by == "garbled"

    def test_no_process_outlives_its_worker(self, sandbox: Sandbox) -> None:
        marker = f"outlive-{os.getpid()}-{id(self)}"
        program = f"""import os, time
def entry():
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv('/bin/sleep', ['{marker}', '600'])
            os._exit(0)
    except OSError as error:
        return error.errno
    time.sleep(0.3)
"""
        last_reply(sandbox, program)
        assert wait_for(lambda: not processes(marker))

    def test_closing_twice_and_calling_afterwards(self, sandbox: Sandbox) -> None:
        async def scenario() -> tuple[Usage, Usage, Reply]:
            worker = await sandbox.start(Job(files={"program.py": ECHO}, entry="entry"))
            return await worker.close(), await worker.close(), await worker.call({})

        first, second, reply = run(scenario())
        assert first == second and first.ended_by is None and reply.ended_by == "exit"

    def test_a_cancelled_call_ends_the_worker_at_once(self, sandbox: Sandbox) -> None:
        async def scenario() -> Usage:
            program = "import time\ndef entry(): time.sleep(600)\n"
            worker = await sandbox.start(Job(files={"program.py": program}, entry="entry", limits=Limits(wall_s=600)))
            await worker.load()
            call = asyncio.create_task(worker.call({}))
            await asyncio.sleep(0.2)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            return await worker.close()

        assert run(scenario()).wall_s < 60

    def test_four_workers_at_a_time(self, sandbox: Sandbox) -> None:
        async def one(number: int) -> Any:
            replies, _ = await session(sandbox, "def entry(n): return n * n\n", [{"n": number}] * 3)
            return [reply.output for reply in replies[1:]]

        async def scenario() -> list[Any]:
            return await asyncio.gather(*map(one, range(4)))

        assert run(scenario()) == [[n * n] * 3 for n in range(4)]

    def test_cores(self, sandbox: Sandbox) -> None:
        core = max(os.sched_getaffinity(0))
        program = "import os\ndef entry(): return sorted(os.sched_getaffinity(0))\n"

        async def scenario() -> tuple[Any, Any]:
            job = Job(files={"program.py": program}, entry="entry", cores=(core,))
            worker = await sandbox.start(job)
            try:
                await worker.load()
                first = (await worker.call({})).output
                worker.pin(sorted(os.sched_getaffinity(0)))
                return first, (await worker.call({})).output
            finally:
                await worker.close()

        assert run(scenario()) == ([core], sorted(os.sched_getaffinity(0)))

    def test_the_environment_is_the_jobs_own(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OUTPACE_TEST_SECRET", "secret")
        program = "import os\ndef entry(): return dict(os.environ)\n"
        reply = last_reply(sandbox, program, env={"EXTRA": "1"}, limits=Limits(threads=2))
        assert "OUTPACE_TEST_SECRET" not in reply.output and reply.output["EXTRA"] == "1"
        assert reply.output["OMP_NUM_THREADS"] == "2" and reply.output["PYTHONHASHSEED"] == "0"

    def test_files_can_be_written_and_are_gone_afterwards(self, sandbox: Sandbox) -> None:
        program = "def entry():\n    open('a', 'w').write('b')\n    return open('a').read()\n"
        assert last_reply(sandbox, program).output == "b"

    def test_no_network_and_no_further_process(self, sandbox: Sandbox) -> None:
        if sandbox.probe().level == "D":
            pytest.skip(f"the sandbox '{sandbox.name}' does not isolate")
        program = (
            "import os, socket\ndef entry(what):\n    try:\n        eval(what)\n"
            "    except OSError as error: return type(error).__name__\n"
        )
        problems = [{"what": "socket.socket()"}, {"what": "os.fork()"}, {"what": "os.listdir('/home')"}]
        replies, _ = run(session(sandbox, program, problems))
        assert [reply.output for reply in replies[1:]] == ["PermissionError", "PermissionError", "FileNotFoundError"]
