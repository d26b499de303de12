"""Does a slow model keep the evaluator waiting? Candidates per second with many answers in flight.

    python benchmarks/latency.py [--latency 2] [--in-flight 16] [--candidates 240] [--json PATH]

A server in a process of its own answers every chat completion after so many seconds, each time with another program for
a task that costs nothing itself. The run waits for ``--in-flight`` answers at a time beyond the one evaluation, so the
ideal is in-flight / latency candidates per second: 8 by default. Printed are the rate from the first candidate to the
last, its part of the ideal, how busy the evaluation slot was, and the CPU that our process used for each candidate.
``--json PATH`` writes the raw figures.
"""

import argparse
import asyncio
import datetime
import json
import multiprocessing
import os
import tempfile
import time
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import outpace
from outpace.agent.search import Progress
from outpace.evaluators.machine import machine
from outpace.plugins import DEFAULT_SANDBOX

TASK = Path(__file__).parent / "trivial"
ANSWER = "Another.\n\n```python\n# EVOLVE-BLOCK-START\ndef solve(x):\n    return {} * x\n# EVOLVE-BLOCK-END\n```\n"


def serve(latency_s: float, told: Connection) -> None:
    """Answer chat completions until the process is ended; ``told`` gets the port."""
    asyncio.run(_serve(latency_s, told))


async def _serve(latency_s: float, told: Connection) -> None:
    numbers = count(1)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            await asyncio.sleep(latency_s)
            message = {"role": "assistant", "content": ANSWER.format(next(numbers) / 1000)}
            body = {"id": "a", "object": "chat.completion", "created": 1, "model": "slow"} | {
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 500, "completion_tokens": 40, "total_tokens": 540},
            }
            data = json.dumps(body).encode()
            kind = b"Content-Type: application/json"
            writer.write(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (kind, len(data), data))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    told.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def measured(options: argparse.Namespace, url: str) -> dict[str, Any]:
    """Run, and return the raw figures."""
    landed: list[tuple[float, float, float]] = []  # when, CPU of our process, wall time of the evaluation

    def watch(progress: Progress) -> None:
        if progress.last and progress.last.evaluation and not progress.last.seen_before:
            landed.append((time.monotonic(), time.process_time(), progress.last.evaluation.wall_s))

    with tempfile.TemporaryDirectory() as home:
        outpace.evolve(
            str(TASK),
            model="openai:slow",
            base_url=url,
            in_flight=options.in_flight,
            repair=False,
            budget=outpace.Budget(evaluations=options.candidates + 1),
            sandbox=options.sandbox,
            workers=1,
            seed=1,
            home=Path(home),
            watch=watch,
        )
    (first, cpu, _), (last, cpu_end, _) = landed[0], landed[-1]
    candidates = len(landed) - 1
    return {
        "candidates": candidates,
        "wall_s": last - first,
        "per_s": candidates / (last - first),
        "ideal_per_s": options.in_flight / options.latency,
        "busy": sum(wall_s for _, _, wall_s in landed[1:]) / (last - first),
        "cpu_ms": (cpu_end - cpu) / candidates * 1e3,
        "landed_s": [round(at - first, 4) for at, _, _ in landed],
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--latency", type=float, default=2.0, help="seconds until the server answers")
    parser.add_argument("--in-flight", type=int, default=16, help="answers to wait for at a time")
    parser.add_argument("--candidates", type=int, default=240)
    parser.add_argument("--sandbox", default=DEFAULT_SANDBOX)
    parser.add_argument("--json", type=Path, help="where to write the raw figures")
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    spawning = multiprocessing.get_context("spawn")
    server = spawning.Process(target=serve, args=(options.latency, there), daemon=True)
    server.start()
    try:
        found = measured(options, f"http://127.0.0.1:{here.recv()}/v1")
    finally:
        server.terminate()
        server.join()
    share = found["per_s"] / found["ideal_per_s"]
    print(
        f"{options.in_flight} answers in flight, {options.latency:g} s each, {options.sandbox} sandbox, one evaluation"
    )
    print(f"candidates per second {found['per_s']:.2f}, {share:.0%} of the ideal {found['ideal_per_s']:.2f}")
    print(f"evaluation slot busy  {found['busy']:.0%} of {found['wall_s']:.0f} s")
    print(f"CPU of our process    {found['cpu_ms']:.1f} ms per candidate")
    if options.json:
        raw = {
            "command": "latency",
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": {**machine(), "sandbox": options.sandbox, "load_1min": round(os.getloadavg()[0], 2)},
            "in_flight": options.in_flight,
            "latency_s": options.latency,
            **found,
        }
        options.json.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
