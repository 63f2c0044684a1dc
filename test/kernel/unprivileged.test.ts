/**
 * A daemon of an ordinary user, who mounts through fusermount3. It runs in a mount namespace of its own where everybody may
 * open /dev/fuse, as on most hosts; on test machines only root may.
 */
import assert from 'node:assert/strict';
import { accessSync, chownSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TEST_PARENT } from './helpers/projected.ts';
import { run } from './helpers/run.ts';

/** `nobody`: fusermount3 wants a user that has a name. */
const USER_ID = 65534;
const MAIN = join(import.meta.dirname, '../../src/cli/main.js');

/** Runs as the user; prints what each command printed. The first failing command ends it. */
const SESSION = `
set -e
mknod -m 666 "$FOLDER/fuse" c 10 229
mount --bind "$FOLDER/fuse" /dev/fuse
as_user() { setpriv --reuid=${USER_ID} --regid=${USER_ID} --clear-groups env HOME="$FOLDER" XDG_RUNTIME_DIR="$FOLDER/run" "$@"; }
dunnage() { as_user "$NODE" "$MAIN" "$@"; }
trap 'dunnage down >/dev/null 2>&1 || true' EXIT
dunnage up --detach >/dev/null
dunnage projection write web --payload "$FOLDER/payload.json"
as_user cat "$FOLDER/run/dunnage/mnt/projections/web/key"; echo
as_user sh -c 'touch "$0" 2>&1 || true' "$FOLDER/run/dunnage/mnt/projections/web/new"
kill -9 "$(tr -d ' ' <"$FOLDER/run/dunnage/lock")"
dunnage up --detach >/dev/null
dunnage status --json | grep -o '"takenOver": *true'
as_user cat "$FOLDER/run/dunnage/mnt/projections/web/key"; echo
dunnage down >/dev/null
grep -c "$FOLDER/run" /proc/mounts || true
`;

function missing(): string | false {
  if (process.getuid?.() !== 0) return 'acting as another user needs root';
  try {
    accessSync('/usr/bin/fusermount3', constants.X_OK);
    return false;
  } catch {
    return 'fusermount3 is not installed (package fuse3)';
  }
}

describe('a daemon without privileges', { skip: missing() }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(TEST_PARENT, 'user-'));
    mkdirSync(join(folder, 'run'));
    const key = { data: Buffer.from('content').toString('base64'), mode: 0o600 };
    writeFileSync(join(folder, 'payload.json'), JSON.stringify({ files: { key } }));
    for (const path of [folder, join(folder, 'run'), join(folder, 'payload.json')]) chownSync(path, USER_ID, USER_ID);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('mounts, writes, refuses outsiders, is taken over and leaves nothing', async () => {
    const environment = [`FOLDER=${folder}`, `MAIN=${MAIN}`, `NODE=${process.execPath}`];
    const session = ['--mount', '--propagation', 'private', 'env', ...environment, 'bash', '-c', SESSION];
    const lines = (await run('unshare', session)).trim().split('\n');
    assert.deepEqual(
      lines.map((line) => line.replace(/^touch: .*: /, 'touch: ')),
      ['projection/web created', 'content', 'touch: Read-only file system', '"takenOver": true', 'content', '0'],
    );
  });
});
