#!/bin/sh
# A single file of a projection, bind-mounted into another mount namespace: it follows the rotations, and a watch on the
# file itself sees them. With `projections/` that is impossible (Kubernetes' subPath mounts never update); `live/` is for it.
#
#   # sh examples/single-file-mount.sh
#   in the container: password is winter-tide-41
#   in the container: MODIFY
#   in the container: CLOSE_WRITE
#   in the container: password is spring-tide-42
#
# DUNNAGE_SOCKET names a running daemon; without it one is started in a temporary folder and ended afterwards.
# Needs root, inotifywait (apt-get install inotify-tools) and unshare, which plays the container.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
program=$(command -v dunnage || true)
dunnage() {
  if [ -n "$program" ]; then "$program" "$@"; else node "$here/../dist/src/cli/main.js" "$@"; fi
}

folder=$(mktemp -d "${TMPDIR:-/var/tmp}/single-file.XXXXXX")
cleanup() {
  if [ -n "${own:-}" ]; then dunnage down --runtime-dir "$folder/run" >/dev/null; fi
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

if [ -z "${DUNNAGE_SOCKET:-}" ]; then
  own=1
  dunnage up --detach --state-dir "$folder/state" --runtime-dir "$folder/run" >/dev/null
  DUNNAGE_SOCKET=$folder/run/dunnage.sock
  export DUNNAGE_SOCKET
fi

dunnage apply -f "$here/secret.yaml" >/dev/null
file=$(dunnage path secret/db --live --file password)

# The container: its own mount namespace, with the one file at a path of its own, read-only.
: > "$folder/password"
timeout 60 unshare --mount --propagation slave sh -eu -c '
  mount --bind "$1" "$2/password"
  mount -o remount,bind,ro "$2/password"
  echo "in the container: password is $(cat "$2/password")"
  inotifywait -m -e modify -e close_write --format "in the container: %e" "$2/password" > "$2/events" 2> "$2/watch" &
  watch=$!
  until grep -q established "$2/watch"; do sleep 0.05; done
  : > "$2/ready"
  until grep -q CLOSE_WRITE "$2/events"; do sleep 0.05; done
  kill "$watch"
  # inotifywait writes CLOSE_WRITE,CLOSE.
  sed "s/,CLOSE$//" "$2/events"
  echo "in the container: password is $(cat "$2/password")"
' container "$file" "$folder" &
container=$!

until [ -e "$folder/ready" ]; do
  kill -0 "$container"
  sleep 0.05
done
dunnage apply -f "$here/secret-rotated.yaml" >/dev/null
wait "$container"
