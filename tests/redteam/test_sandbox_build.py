"""Compile stages may start programs; what they start is confined all the same, and ends with them."""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

LOOK = """
import glob, json, os, socket, subprocess, sys
def attempt(action):
    try: return f"allowed: {action()}"
    except BaseException as error: return type(error).__name__
found = {}
"""
TELL = '\nwith open("found", "w") as file: json.dump(found, file)\n'


def told(seen: Any) -> dict[str, str]:
    """Return what a program of these tests wrote down."""
    length, text = seen.output["found"]
    assert length == len(text)
    found: dict[str, str] = json.loads(text)
    return found


def test_a_build_may_start_programs_and_what_it_makes_comes_back(judge: Any) -> None:
    seen = judge.build("import subprocess\nsubprocess.run(['sh', '-c', 'echo made > artefact'], check=True)\n")
    assert seen.output == {"artefact": [5, "made\n"]}


def test_a_build_reaches_no_network_and_no_secret(judge: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        came: list[str] = []

        def serve() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return
                came.append("somebody")

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        program = f"""{LOOK}
found["network"] = attempt(lambda: socket.create_connection(("127.0.0.1", {port}), 1))
found["unix"] = attempt(lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock"))
texts = [str(os.environ)]
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
    try: texts.append(open(path, errors="replace").read())
    except OSError: pass
found["secret"] = str(any("secret-" + "4711" in text for text in texts))
found["judge"] = attempt(lambda: os.kill({judge.pid}, 0))
found["shadow"] = attempt(lambda: open("/etc/shadow").read(9))
found["root"], found["home"] = attempt(lambda: os.listdir("/root")), attempt(lambda: os.listdir("/home"))
found["compiler"] = "1"
if os.path.exists("/usr/bin/cc"):
    include = subprocess.run(["cc", "-E", "-x", "c", "-"], input=b'#include "/etc/shadow"', capture_output=True)
    found["compiler"] = str(include.returncode)
found["written"] = attempt(lambda: open("/usr/lib/redteam", "w"))
found["mount"] = str(subprocess.run(["unshare", "--user", "--mount", "true"], capture_output=True).returncode)
{TELL}"""
        found = told(judge.build(program))
        listener.shutdown(socket.SHUT_RDWR)
    assert not came
    assert found.pop("secret") == "False"
    assert found.pop("compiler") != "0" and found.pop("mount") != "0"
    assert not [name for name, answer in found.items() if answer.startswith("allowed")], found


def test_survivors_of_a_build_do_not_survive(judge: Any) -> None:
    program = """
import os, signal, subprocess, time
subprocess.Popen(["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1; done"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        while True: time.sleep(0.1)
    os._exit(0)
open("artefact", "w").write("done")
"""
    assert "artefact" in judge.build(program).output


def test_a_build_that_never_ends_is_ended(judge: Any) -> None:
    for program in ("while True: pass\n", "import os\nwhile os.fork() >= 0: pass\n", "import time\ntime.sleep(600)\n"):
        last = judge.build(program, limits={"wall_s": 1.0, "cpu_s": 2.0, "processes": 16}).last
        assert last["output"] is None, program


def test_a_fork_bomb_in_a_build_is_limited(judge: Any) -> None:
    program = f"""{LOOK}
born = 0
try:
    for _ in range(300):
        if os.fork() == 0:
            import time
            time.sleep(20)
            os._exit(0)
        born += 1
except OSError: pass
found["born"] = str(born)
{TELL}"""
    most = 32 + (8 if judge.sandbox == "docker" else 0)
    assert int(told(judge.build(program, limits={"processes": 32}))["born"]) <= most


def test_links_and_devices_are_no_artefacts(judge: Any, tmp_path: Path) -> None:
    program = """
import os, socket
os.symlink("/etc/shadow", "shadow")
os.symlink("/proc/1/environ", "environ")
os.symlink("/", "root")
os.symlink("..", "up")
os.mkfifo("pipe")
os.mkdir("folder")
os.symlink("/usr", "folder/usr")
with open("plain", "w") as file: file.write("plain")
"""
    assert judge.build(program).output == {"plain": [5, "plain"]}


def test_artefacts_are_limited_in_number_and_size(judge: Any) -> None:
    programs = [
        "open('large', 'wb').write(bytes(3 << 20))\n",
        "for number in range(5000): open(f'n{number}', 'w').close()\n",
        "import os\nos.truncate(open('sparse', 'wb').fileno(), 1 << 24)\n",
        "import os\nfor _ in range(400):\n    os.mkdir('d')\n    os.chdir('d')\n",
        "while True: print('x' * 65536)\n",
    ]
    for program in programs:
        last = judge.build(program, limits={"output_mb": 1, "wall_s": 10.0, "disk_mb": 32}).last
        assert not last["output"], (program, last["output"])
        assert len(last["error"] or "") < 8000


def test_names_of_artefacts_lead_nowhere(judge: Any) -> None:
    program = """
import os
for name in ("..hidden", "a\\\\b", " ", "-rf", "caf\\u00e9", "new\\nline"):
    with open(name, "w") as file: file.write("x")
with open(b"\\xff\\xfe", "w") as file: file.write("x")
"""
    last = judge.build(program).last
    names = set(last["output"] or ())
    assert not any(name.startswith("/") or ".." in name.split("/") for name in names)
    assert not any(os.path.lexists(Path("/tmp", name)) for name in names - {" "})
