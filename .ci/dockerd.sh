#!/usr/bin/env bash
# Starts a Docker engine of its own on a private socket, for tests, and takes it away again without a trace.
#
#   .ci/dockerd.sh start FOLDER   prints the engine's address (for DOCKER_HOST) on standard output, the rest on standard error
#   .ci/dockerd.sh stop FOLDER    stops the engine and its containers, and removes what FOLDER holds of it
#
# Needs Linux and root. Where dockerd is missing, Debian's package docker.io is installed by apt-get; no systemd, no
# network rules and no registry are used. Exit code 3: it cannot be done here; the last line on standard error says why.
# OUTPACE_DOCKER_STORAGE=vfs chooses a slow storage driver, for hosts where overlay2 does not work.
set -u

cannot() {
  printf 'No Docker engine: %s\n' "$1" >&2
  exit 3
}

answers() { # answers SOCKET: whether an engine answers there
  python3 - "$1" <<'PROBE' 2>/dev/null
import socket, sys
line = socket.socket(socket.AF_UNIX)
line.settimeout(5)
line.connect(sys.argv[1])
line.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
sys.exit(b" 200 " not in line.recv(64))
PROBE
}

install_engine() {
  command -v apt-get >/dev/null || cannot 'dockerd is not installed, and there is no apt-get to install docker.io with'
  printf 'dockerd is missing: installing docker.io\n' >&2
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install -y --no-install-recommends docker.io; } >"$1/apt.log" 2>&1 </dev/null && return
  tail -n 5 "$1/apt.log" >&2
  cannot 'apt-get could not install docker.io'
}

start() {
  local folder="$1" storage="${OUTPACE_DOCKER_STORAGE:-overlay2}" pid
  [ "$(uname -s)" = Linux ] || cannot "dockerd needs Linux; this is $(uname -s)"
  [ "$(id -u)" -eq 0 ] || cannot 'starting dockerd needs root'
  [ "${#folder}" -le 60 ] || cannot "the path $folder is too long for the sockets in it; 60 characters are the limit"
  mkdir -p "$folder" || cannot "$folder cannot be made"
  command -v dockerd >/dev/null || install_engine "$folder"
  [ "$storage" = overlay2 ] || printf 'Storage driver %s, as OUTPACE_DOCKER_STORAGE asks.\n' "$storage" >&2
  # A mount namespace of its own: whatever the engine mounts goes with it, while new mounts of the host still arrive.
  unshare --mount --propagation slave dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" \
    --exec-root "$folder/exec" --pidfile "$folder/dockerd.pid" --cgroup-parent "/outpace-ci-$$" \
    --bridge=none --iptables=false --ip6tables=false --ip-masq=false --storage-driver "$storage" \
    >"$folder/dockerd.log" 2>&1 </dev/null &
  pid=$!
  printf '%s\n' "$pid" "/outpace-ci-$$" >"$folder/pid" # of the engine, and the control group of its containers
  for _ in $(seq 300); do
    if answers "$folder/docker.sock"; then
      printf 'unix://%s/docker.sock\n' "$folder"
      return
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
  done
  grep -E 'level=(error|fatal)|failed' "$folder/dockerd.log" | tail -n 3 >&2
  stop "$folder"
  cannot "dockerd did not come up with the storage driver $storage (OUTPACE_DOCKER_STORAGE=vfs chooses another)"
}

stop() {
  local folder="$1" pid='' group=''
  { read -r pid && read -r group; } 2>/dev/null <"$folder/pid"
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null # it ends its containers first
    for _ in $(seq 150); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    if kill -9 "$pid" 2>/dev/null; then # it hung: whoever holds a container for it goes too
      cat "$folder"/exec/containerd/daemon/*/*/*/shim.pid 2>/dev/null | xargs -r -n 1 kill -9 2>/dev/null
    fi
  fi
  for _ in $(seq 25); do # the kernel lets go of a group a little after its last process
    [ -n "$group" ] && [ -n "$(find /sys/fs/cgroup -depth -type d -path "*$group*" 2>/dev/null)" ] || break
    find /sys/fs/cgroup -depth -type d -path "*$group*" -exec rmdir {} + 2>/dev/null || sleep 0.2
  done
  rm -rf "$folder"/{data,exec,docker.sock,dockerd.pid,dockerd.log,apt.log,pid}
  rmdir "$folder" 2>/dev/null
  return 0
}

case "${1:-} ${2:+folder}" in
  'start folder') start "$2" ;;
  'stop folder') stop "$2" ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
