#!/bin/sh
# nginx reloads whenever its projected configuration is swapped. Needs nginx and curl, and a daemon of dunnage:
#
#   # dunnage up --detach
#   # sh run.sh
#   projection/nginx created
#   nginx answers: ahoy
#   projection/nginx configured
#   nginx answers: land in sight
#   ON SWAP                OUTCOME   DETAIL
#   exec /usr/sbin/nginx   done      exit code 0, 0 bytes of output
#
# DUNNAGE names another command than `dunnage`, DUNNAGE_SOCKET another daemon. Everything is taken away at the end.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dunnage=${DUNNAGE:-dunnage}
mount=$($dunnage status --json | sed -n 's/^  "mountPoint": "\(.*\)",$/\1/p')
folder=$(mktemp -d)
chmod 755 "$folder"

fill() { sed "s|@FOLDER@|$folder|g; s|@MOUNT@|$mount|g; s|@ANSWER@|$2|g" "$here/$1"; }
nginx() { /usr/sbin/nginx -p "$folder" -c "$folder/nginx.conf" "$@"; }

clean_up() {
  if [ -s "$folder/nginx.pid" ]; then
    nginx -s stop
    while [ -e "$folder/nginx.pid" ]; do sleep 0.05; done
  fi
  $dunnage delete projection nginx >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# A reload takes nginx a moment: old workers answer until the new ones do.
expect() {
  tries=0
  until [ "$(curl --silent --unix-socket "$folder/nginx.sock" http://localhost/)" = "$1" ]; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || { echo "nginx does not answer '$1'" >&2; $dunnage get projection nginx >&2; exit 1; }
    sleep 0.05
  done
  echo "nginx answers: $1"
}

fill nginx.conf '' >"$folder/nginx.conf"
nginx
for answer in 'ahoy' 'land in sight'; do
  fill site.yaml "$answer" | $dunnage apply -f -
  expect "$answer"
done
$dunnage get projection nginx | grep -A1 '^ON SWAP'
