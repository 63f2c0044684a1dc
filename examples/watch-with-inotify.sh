#!/bin/sh
# Prints a line whenever a projected directory has new content: the right way to wait for a rotation.
#
#   $ sh examples/watch-with-inotify.sh /run/dunnage/mnt/projections/secret.db
#   watching /run/dunnage/mnt/projections/secret.db
#   ..2026_11_21_09_14_03.4817205
#
# The watch is on the directory, not on a file: a watch on password follows its links to one generation, and that one
# never changes. The event that counts is MOVED_TO of ..data; when it comes the new content is complete. Give the
# script a number as second argument to stop after that many swaps.
set -eu

directory=${1:?usage: watch-with-inotify.sh DIRECTORY [SWAPS]}
left=${2:-0}

command -v inotifywait >/dev/null || {
  echo 'watch-with-inotify.sh: inotifywait is missing: apt-get install inotify-tools' >&2
  exit 1
}

events=$(mktemp -u)
mkfifo "$events"
inotifywait --monitor --event moved_to --format '%f' "$directory" >"$events" 2>&1 &
watcher=$!
trap 'kill "$watcher" 2>/dev/null; rm -f "$events"' EXIT INT TERM

while read -r line; do
  case $line in
  'Watches established.') echo "watching $directory" ;;
  ..data)
    readlink "$directory/..data"
    left=$((left - 1))
    [ "$left" -ne 0 ] || exit 0
    ;;
  esac
done <"$events"
