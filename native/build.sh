#!/bin/sh
# Builds build/Release/{dunnage.node,dunnage-agent,dunnage-freezer,dunnage-holder}; does nothing when they are newer than what they are
# made of. DUNNAGE_BUILD_FORCE=1 builds all anew.
set -eu
cd "$(dirname "$0")/.."

missing=''
"${CXX:-g++}" --version >/dev/null 2>&1 || missing="$missing g++"
make --version >/dev/null 2>&1 || missing="$missing make"
"${PYTHON:-python3}" -V >/dev/null 2>&1 || missing="$missing python3"
if [ -n "$missing" ]; then
  echo "dunnage: the native parts cannot be built because$missing cannot be run; install them with: apt-get install g++ make python3" >&2
  exit 1
fi
if [ ! -e node_modules/.bin/node-gyp ] || [ ! -e node_modules/node-addon-api/napi.h ]; then
  echo 'dunnage: the native parts cannot be built because node_modules is incomplete; install it with: npm ci' >&2
  exit 1
fi

# Two builds at once would write the same files.
mkdir -p build
if command -v flock >/dev/null 2>&1; then
  exec 9>build/.lock
  flock 9
fi

release=build/Release
stamp=$release/dunnage.stamp
wanted=$({
  node -p 'process.version + process.arch'
  "${CXX:-g++}" -dumpfullversion
  find binding.gyp native/src node_modules/node-addon-api/package.json -type f | LC_ALL=C sort | xargs cksum
} | cksum)
if [ "${DUNNAGE_BUILD_FORCE:-}" != 1 ] && [ -e $release/dunnage.node ] && [ -x $release/dunnage-agent ] &&
  [ -x $release/dunnage-freezer ] && [ -x $release/dunnage-holder ] && [ "$(cat $stamp 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

# A fresh machine may have no network for node-gyp's download of the headers, which Node's own package has anyway.
if [ -z "${npm_config_nodedir:-}" ]; then
  prefix=$(node -p 'path.resolve(fs.realpathSync(process.execPath), "../..")')
  if [ -e "$prefix/include/node/node_api.h" ]; then
    export npm_config_nodedir="$prefix"
  fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
action='build'
[ "${DUNNAGE_BUILD_FORCE:-}" = 1 ] && action='rebuild'
[ -e build/Makefile ] && [ build/Makefile -nt binding.gyp ] || action="configure $action"
[ "$action" = 'configure rebuild' ] && action='rebuild'
if ! node_modules/.bin/node-gyp $action --jobs=max >"$log" 2>&1; then
  cat "$log" >&2
  echo 'dunnage: the native parts could not be built; the compiler says why above' >&2
  exit 1
fi
printf '%s\n' "$wanted" >$stamp
