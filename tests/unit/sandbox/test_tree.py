"""Stopping a process for sure, from outside, whatever it does; and the sealed memory that its inputs lie in."""

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from outpace.sandbox.channel import Channel, Ended, sealed
from outpace.sandbox.tree import Tree, parent_of

SPIN = """
import sys, threading
def spin():
    while True: pass
for _ in range(int(sys.argv[1]) - 1): threading.Thread(target=spin, daemon=True).start()
print("up", flush=True)
spin()
"""


@pytest.fixture
def spinning(request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[bytes]"]:
    """Return a process with some threads, all of them busy."""
    command = [sys.executable, "-c", SPIN, str(request.param)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"up\n"
    yield process
    process.kill()
    process.stdout.close()
    process.wait()


@pytest.mark.parametrize("spinning", [1, 5], indirect=True)
def test_a_stopped_process_uses_no_time_until_it_is_resumed(spinning: "subprocess.Popen[bytes]") -> None:
    tree = Tree(spinning.pid, [os.pidfd_open(spinning.pid)])
    for _ in range(20):
        assert tree.stop()
        before = tree.read_cpu_ns()
        time.sleep(0.01)
        assert tree.read_cpu_ns() == before
        tree.resume()
    time.sleep(0.1)
    assert tree.stop() and tree.read_cpu_ns() > before
    tree.kill()
    assert spinning.wait(10) == -9
    tree.close()


@pytest.mark.parametrize("spinning", [2], indirect=True)
def test_a_jolt_leaves_every_thread_on_its_cores(spinning: "subprocess.Popen[bytes]") -> None:
    tree = Tree(spinning.pid, [os.pidfd_open(spinning.pid)])
    core = min(os.sched_getaffinity(0))
    tree.pin([core])
    assert tree.ready()
    tree.jolt()
    threads = [int(path.name) for path in Path(f"/proc/{spinning.pid}/task").iterdir()]
    assert [os.sched_getaffinity(thread) for thread in threads] == [{core}] * 2
    assert tree.stop() and not tree.ready()
    tree.close()


@pytest.mark.parametrize("spinning", [3], indirect=True)
def test_the_threads_are_counted(spinning: "subprocess.Popen[bytes]") -> None:
    tree = Tree(spinning.pid, [os.pidfd_open(spinning.pid)])
    assert tree.stop() and tree.threads == 3
    tree.close()


@pytest.mark.parametrize("spinning", [1], indirect=True)
def test_a_process_that_is_gone_stands_still(spinning: "subprocess.Popen[bytes]") -> None:
    tree = Tree(spinning.pid, [os.pidfd_open(spinning.pid)])
    used = tree.read_cpu_ns()
    spinning.kill()
    assert tree.stop()
    spinning.wait()
    assert tree.stop() and tree.read_cpu_ns() >= used
    tree.resume()
    tree.pin([0])
    tree.kill()
    tree.close()
    tree.kill()


def test_the_parent_of_a_process_with_an_odd_name(tmp_path: "os.PathLike[str]") -> None:
    program = os.path.join(tmp_path, ") S 1 (")  # noqa: PTH118
    os.symlink("/bin/sleep", program)  # noqa: PTH211
    process = subprocess.Popen([program, "60"])
    try:
        assert parent_of(process.pid) == os.getpid()
    finally:
        process.kill()
        process.wait()


def test_sealed_memory_cannot_be_changed_by_anybody() -> None:
    fd = sealed([b"ab", memoryview(b"cd")])
    try:
        assert os.pread(fd, 10, 0) == b"abcd"
        for change in (
            lambda: os.pwrite(fd, b"x", 0),
            lambda: os.pwrite(fd, b"x", 4),
            lambda: os.truncate(fd, 0),
            lambda: os.truncate(fd, 100),
            lambda: mmap.mmap(fd, 4, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
        ):
            with pytest.raises(PermissionError):
                change()
    finally:
        os.close(fd)


def test_a_descriptor_that_a_worker_sends_is_not_received() -> None:
    channel = Channel(max_bytes=1 << 20)
    theirs = channel.their_socket.dup()
    channel.close_theirs()
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    import socket

    with theirs:
        socket.send_fds(theirs, [(3).to_bytes(8, "big") + b"abc"], [0])
        assert channel.receive(time.perf_counter_ns() + 10**10) == b"abc"
        assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
        theirs.send(b"more")
        with pytest.raises(Ended, match="nobody had asked for") as caught:
            channel.listen(time.perf_counter_ns() + 10**10)
    assert caught.value.by == "garbled"
    channel.close()


def test_the_other_end_may_be_closed_at_any_moment() -> None:
    channel = Channel(max_bytes=1 << 20)
    channel.close_theirs()
    deadline = time.perf_counter_ns() + 10**10
    for attempt in (
        lambda: channel.send_with(b"go", 0),
        lambda: channel.send([b"go"], deadline),
        lambda: channel.receive(deadline),
        lambda: channel.listen(deadline),
        lambda: channel.sender(deadline),
    ):
        with pytest.raises(Ended) as caught:
            attempt()
        assert caught.value.by == "exit"
    channel.close()
