/** Mounting as somebody who may not: in a child process with another user id, through the real fusermount3. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mountWithHelper } from '../../src/mounts/fusermount.ts';
import { loadNative } from '../../src/native/load.ts';
import { skipUnlessFuse } from '../native/helpers/fuse-available.ts';

const NOBODY = 65534;
const folder = mkdtempSync(join(tmpdir(), 'dunnage-fusermount-'));
after(() => rmSync(folder, { recursive: true, force: true }));
chmodSync(folder, 0o755);

function skipUnlessHelper(): string | false {
  if (!['/usr/bin/fusermount3', '/bin/fusermount3'].some((path) => existsSync(path))) return 'needs fusermount3';
  return skipUnlessFuse();
}

/**
 * In a mount namespace of its own /dev/fuse is open to everybody, as udev makes it on most hosts, and nothing that
 * goes wrong leaves a mount behind. `$0` is a directory for the device, the rest the command.
 */
const OPEN_DEVICE = `
  mount -t tmpfs none "$0" && mknod -m 666 "$0/fuse" c 10 229 && mount --bind "$0/fuse" /dev/fuse && exec "$@"
`;

/** Runs JavaScript as nobody; the addon is loaded before, because a checkout may be closed to others. */
function asNobody(program: string): string {
  const modules = ['mounts/fuse-mount', 'mounts/mount-table', 'native/load'].map(
    (name) => new URL(`../../src/${name}.js`, import.meta.url).href,
  );
  const script = `
    const [{ mountFuse, unmount }, { findMount }, { loadNative }] =
      await Promise.all(${JSON.stringify(modules)}.map((name) => import(name)));
    loadNative();
    process.setgroups([]);
    process.setgid(${NOBODY});
    process.setuid(${NOBODY});
    ${program}
  `;
  const devices = join(folder, 'devices');
  mkdirSync(devices, { recursive: true });
  const command = [process.execPath, '--input-type=module', '-e', script];
  const result = spawnSync('unshare', ['--mount', 'sh', '-c', OPEN_DEVICE, devices, ...command], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim();
}

test('a user mounts and unmounts with fusermount3', { skip: skipUnlessHelper() }, () => {
  const target = join(folder, 'mine');
  mkdirSync(target);
  chownSync(target, NOBODY, NOBODY);
  const program = `
    const target = ${JSON.stringify(target)};
    const { device, privileged } = await mountFuse({ target, source: 'dunnage', subtype: 'dunnage', rootMode: 0o755, allowOther: true });
    const { type, source, superOptions } = await findMount(target);
    const { readSync } = await import('node:fs');
    const length = readSync(device, Buffer.alloc(65536));
    let next;
    try { readSync(device, Buffer.alloc(65536)); } catch ({ code }) { next = code; }
    loadNative().closeDescriptor(device);
    await unmount(target, { detach: false });
    const gone = await findMount(target) === undefined;
    const own = superOptions.includes('user_id=${NOBODY}') && superOptions.includes('default_permissions');
    console.log(JSON.stringify({ privileged, type, source, own, init: length > 40, next, gone }));
  `;
  assert.deepEqual(JSON.parse(asNobody(program)), {
    privileged: false,
    type: 'fuse.dunnage',
    source: 'dunnage',
    own: true,
    init: true,
    next: 'EAGAIN',
    gone: true,
  });
});

test('what fusermount3 refuses is told in its own words', { skip: skipUnlessHelper() }, () => {
  const target = join(folder, 'not-mine');
  mkdirSync(target);
  const program = `
    const target = ${JSON.stringify(target)};
    const error = await mountFuse({ target, source: 'dunnage', subtype: 'dunnage', rootMode: 0o755, allowOther: false })
      .catch((error) => error);
    console.log(JSON.stringify({ code: error.code, own: /fusermount3: user has no write access/.test(error.message) }));
  `;
  assert.deepEqual(JSON.parse(asNobody(program)), { code: 'PERMISSION_DENIED', own: true });
});

test('a missing fusermount3 is a missing dependency with the package that has it', {
  skip: skipUnlessFuse(),
}, async () => {
  const before = process.env['PATH'];
  process.env['PATH'] = folder;
  try {
    const wanted = { target: folder, source: 'x', subtype: 'dunnage', rootMode: 0o755, allowOther: false };
    await assert.rejects(mountWithHelper(wanted), {
      code: 'MISSING_DEPENDENCY',
      remedy: 'install it: apt-get install fuse3',
    });
  } finally {
    process.env['PATH'] = before;
  }
});

test('a helper that sends no device is not taken for a mount', { skip: skipUnlessFuse() }, async () => {
  const before = process.env['PATH'];
  writeFileSync(join(folder, 'fusermount3'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  const probe = loadNative().openFuseDevice();
  loadNative().closeDescriptor(probe);
  process.env['PATH'] = folder;
  try {
    const wanted = { target: folder, source: 'x', subtype: 'dunnage', rootMode: 0o755, allowOther: false };
    await assert.rejects(mountWithHelper(wanted), { code: 'IO', message: /sent no device/ });
  } finally {
    process.env['PATH'] = before;
  }
});
