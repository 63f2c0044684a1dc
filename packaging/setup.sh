#!/bin/sh
# Finds the programs that building, the demo, the tests or the benchmarks need, says what is missing and why, and
# installs the Debian packages that have them. The product itself never installs anything; this is for the repository.
#
#   sh packaging/setup.sh build|demo|test|bench
#
# DUNNAGE_NO_INSTALL=1   install nothing: say which parts are skipped then
# Exit status: 0 go on (what is optional may be missing), 1 something that cannot be done without is missing.
set -eu

purpose=${1:-test}
case $purpose in
build | demo | test | bench) ;;
*)
  echo "setup: unknown purpose '$purpose' (build, demo, test or bench)" >&2
  exit 2
  ;;
esac

wanted='' required_packages='' optional_packages='' explanations=''

# is_there NAME: a program of that name, or a shared library if it is named like one.
is_there() {
  case $1 in
  lib*.so*) ldconfig -p 2>/dev/null | grep -q "^[[:space:]]*$1 " ;;
  *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

# need PURPOSES REQUIRED|OPTIONAL COMMAND PACKAGE REASON: remembers the package if COMMAND (or the shared library lib*.so*) cannot be found.
need() {
  case ",$1," in *",$purpose,"*) ;; *) return 0 ;; esac
  wanted="$wanted $3"
  is_there "$3" && return 0
  explanations="$explanations
  $3 (package $4): $5"
  if [ "$2" = required ]; then required_packages="$required_packages $4"; else optional_packages="$optional_packages $4"; fi
}

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
need build,demo,test,bench required g++ g++ 'compiles the native parts'
need build,demo,test,bench required make make 'builds the native parts'
need build,demo,test,bench required python3 python3 'node-gyp is steered by it'
need demo,test required unshare util-linux "gives the demo's reader a mount namespace of its own"
need demo,test required findmnt util-linux 'shows the mounts of the tree'
need demo,test,bench optional inotifywait inotify-tools 'shows the events that a watcher sees'
need test optional fusermount3 fuse3 'mounts without root: tests of the unprivileged way'
need test optional libfuse.so.2 libfuse2 'serves without the native parts: tests of the transport fuse-native'
need test optional strace strace 'counts system calls: tests of what an operation costs'
need test optional getfattr attr 'reads extended attributes through the mount'
need test optional setfacl acl 'sets access control lists through the mount'
need test optional fio fio 'checks what it wrote, in many ways of reading and writing at once'
need test optional tar tar 'writes and reads the archives that ours are compared with'
need test,bench optional mkfs.xfs xfsprogs 'makes the file system of pools: tests and figures of thin pools'
need test optional mkfs.btrfs btrfs-progs 'makes the other file system of pools: tests of thin pools on btrfs'
need test,bench optional mkfs.ext4 e2fsprogs 'makes file systems on thin devices: tests of snapshots and of full pools'
need test optional linux.uml user-mode-linux 'boots a second kernel (6.1): tests on an older FUSE'
need test optional nginx nginx-light 'reloads on a swap: the example nginx-reload'
need test optional curl curl 'asks that nginx for a page'
need test optional busybox busybox-static 'loads the modules of that second kernel'
need test optional thin_check thin-provisioning-tools 'checks and mends thin pools of the device-mapper'

packages=$(printf '%s\n' $required_packages $optional_packages | sort -u | tr '\n' ' ' | sed 's/ $//')
[ -n "$packages" ] || exit 0

echo "setup: missing for 'npm run $purpose':$explanations" >&2
mend="apt-get update && apt-get install -y --no-install-recommends $packages"

give_up() {
  if [ -n "$required_packages" ]; then
    echo "setup: $1; as root, run: $mend" >&2
    exit 1
  fi
  echo "setup: $1; the parts named above are skipped. To have them, run as root: $mend" >&2
  exit 0
}

[ "${DUNNAGE_NO_INSTALL:-}" != 1 ] || give_up 'nothing is installed because DUNNAGE_NO_INSTALL=1'
command -v apt-get >/dev/null 2>&1 || give_up 'this is not Debian (no apt-get): install these programs by your own package manager'
[ "$(id -u)" = 0 ] || give_up 'only root can install packages'

echo "setup: $mend" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of package names
if ! { apt-get update && apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  give_up 'apt-get failed (its last lines are above)'
fi
for command in $wanted; do
  is_there "$command" || echo "setup: $command is still missing after the installation" >&2
done
