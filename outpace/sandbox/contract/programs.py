"""The contract where programs are started: compile stages, what they leave for the run, and drivers that start some."""

import os
import sys

from outpace.limits import Limits
from outpace.sandbox.base import Job, Reply, Sandbox
from outpace.sandbox.contract.scenes import last_reply, processes, run, wait_for


class ProgramsContract:
    """The tests of workers that start programs, or that find what a compile stage has made."""

    def test_artefacts_lie_ready_and_are_read_only(self, sandbox: Sandbox) -> None:
        program = """import made, os
def entry():
    place = os.environ['OUTPACE_BUILD']
    try:
        open(place + '/made.py', 'a').close()
        changed = True
    except OSError:
        changed = False
    return [made.x, open(place + '/lib/data.bin', 'rb').read(), changed]
"""
        artefacts = {"made.py": b"x = 5\n", "lib/data.bin": b"\0\xff"}
        found = last_reply(sandbox, program, artefacts=artefacts)
        assert found.ok, found
        assert found.output[:2] == [5, b"\0\xff"] and (not found.output[2] or sandbox.probe().level == "D")

    def test_a_build_returns_what_its_command_made(self, sandbox: Sandbox) -> None:
        marker = f"compile-{os.getpid()}-{id(self)}"
        command = (
            f"cp source.txt made.txt; mkdir lib; printf x > lib/a.so; setsid sh -c '{marker}=1; sleep 60' & exit $1"
        )

        async def scenario(code: str) -> Reply:
            files = {"program.py": "raise SystemExit\n", "source.txt": "text"}
            worker = await sandbox.start(Job(files=files, entry="entry", build=("sh", "-c", command, "sh", code)))
            try:
                return await worker.build()
            finally:
                await worker.close()

        assert run(scenario("0")).output == {"made.txt": b"text", "lib/a.so": b"x"}
        assert "exit code 3" in (run(scenario("3")).error or "")
        assert wait_for(lambda: not processes(marker))

    def test_a_build_that_takes_too_long_is_killed_with_all_that_it_started(self, sandbox: Sandbox) -> None:
        marker = f"endless-{os.getpid()}-{id(self)}"

        async def scenario() -> Reply:
            command = f"(setsid sh -c ': {marker}; while :; do sleep 0.01; done' &); sleep 60"
            job = Job(files={}, entry="entry", build=("sh", "-c", command), limits=Limits(wall_s=1))
            worker = await sandbox.start(job)
            try:
                return await worker.build()
            finally:
                await worker.close()

        assert run(scenario()).ended_by == "timeout"
        assert wait_for(lambda: not processes(marker))

    def test_a_driver_may_have_the_path_of_the_program_and_start_it(self, sandbox: Sandbox) -> None:
        driver = """import os, subprocess, sys, tempfile
def run(path, word):
    found = subprocess.run([sys.executable, path, word], capture_output=True, text=True)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(word)
    return ["program" in sys.modules, found.returncode, found.stdout, found.stderr]
"""
        program = "import sys\nimport numpy\nprint(sys.argv[1], numpy.arange(3).sum())\n"
        packages = os.pathsep.join(path for path in sys.path if path.endswith("-packages"))

        async def scenario(*, programs: bool) -> Reply:
            job = Job(
                files={"program.py": program},
                entry="",
                driver=driver,
                programs=programs,
                env={"PYTHONPATH": packages},
            )
            worker = await sandbox.start(job)
            try:
                loaded = await worker.load()
                assert loaded.ok, loaded
                return await worker.call({"word": "hello"})
            finally:
                await worker.close()

        assert run(scenario(programs=True)).output == [False, 0, "hello 3\n", ""]
        refused = run(scenario(programs=False))
        assert "PermissionError" in (refused.error or "")

    def test_what_a_driver_has_started_ends_with_the_worker(self, sandbox: Sandbox) -> None:
        marker = f"started-{os.getpid()}-{id(self)}"
        driver = "import subprocess\ndef run(path, command):\n    subprocess.Popen(['sh', '-c', command])\n"

        async def scenario() -> Reply:
            job = Job(files={"program.py": ""}, entry="", driver=driver, programs=True)
            worker = await sandbox.start(job)
            try:
                assert (await worker.load()).ok
                return await worker.call({"command": f"setsid sh -c ': {marker}; sleep 60; true'"})
            finally:
                await worker.close()

        assert run(scenario()).ok
        assert wait_for(lambda: not processes(marker))

    def test_a_job_without_entry_needs_a_driver(self, sandbox: Sandbox) -> None:
        async def scenario() -> Reply:
            worker = await sandbox.start(Job(files={"program.py": ""}, entry=""))
            try:
                return await worker.load()
            finally:
                await worker.close()

        assert "no driver" in (run(scenario()).error or "")
