import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { close, open, ReadBudget, Unsettled } from '../../../src/projection/sources/host-file.ts';
import { type HostTree, OPEN_ROOT, readHostTree, type TreeOptions } from '../../../src/projection/sources/host-tree.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dunnage-host-tree-'));
  root = join(folder, 'root');
  mkdirSync(root);
});
afterEach(() => rmSync(folder, { recursive: true }));

async function read(more: Partial<TreeOptions> = {}): Promise<HostTree> {
  const descriptor = await open(root, OPEN_ROOT);
  const options = { budget: new ReadBudget(), ignoreWriters: false, ownDevices: new Set<bigint>(), ...more };
  try {
    return await readHostTree(descriptor, options);
  } finally {
    await close(descriptor);
  }
}

const texts = ({ files }: HostTree): Record<string, string> =>
  Object.fromEntries([...files].map(([path, { data }]) => [path, String(Buffer.from(data))]));
const write = (path: string, text: string): void => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};

describe('readHostTree', () => {
  it('reads everything below, with modes, and links that stay inside', async () => {
    write('a', '1');
    write('sub/deep/b', '2');
    write('.hidden', '3');
    chmodSync(join(root, 'a'), 0o4750);
    symlinkSync('../a', join(root, 'sub/up'));
    symlinkSync('sub/deep', join(root, 'linked'));
    const tree = await read();
    assert.deepEqual(texts(tree), {
      '.hidden': '3',
      a: '1',
      'linked/b': '2',
      'sub/deep/b': '2',
      'sub/up': '1',
    });
    assert.equal(tree.files.get('a')?.mode, 0o750);
    assert.deepEqual(tree.warnings, []);
  });

  for (const [what, target] of [
    ['a relative link', '../outside'],
    ['an absolute link', '/etc/hostname'],
    ['an absolute link that would stay inside', 'root'],
  ] as const) {
    it(`refuses ${what} out of the directory`, async () => {
      writeFileSync(join(folder, 'outside'), 'secret');
      symlinkSync(target === 'root' ? join(root, 'a') : target, join(root, 'sneaky'));
      write('a', '1');
      await assert.rejects(read(), {
        code: 'PERMISSION_DENIED',
        message: /the link sneaky leads out of the directory/,
      });
    });
  }

  it('leaves out what is no regular file, and links that lead nowhere or round in a circle, and says so', async () => {
    write('a', '1');
    write('d/b', '2');
    execFileSync('mkfifo', [join(root, 'fifo')]);
    symlinkSync('missing', join(root, 'dangling'));
    symlinkSync('loop', join(root, 'loop'));
    symlinkSync('..', join(root, 'd/back'));
    writeFileSync(join(root, '..reserved'), 'x');
    const server = createServer().listen(join(root, 'socket'));
    try {
      const { files, warnings } = await read();
      assert.deepEqual([...files.keys()], ['a', 'd/b']);
      assert.deepEqual(warnings, [
        '..reserved is left out: names that begin with ".." belong to atomic writers',
        'd/back is left out: the link leads back up',
        'dangling is left out: the link leads nowhere',
        'fifo is left out: it is no regular file',
        'loop is left out: its links lead in a circle',
        'socket is left out: it is no regular file',
      ]);
    } finally {
      server.close();
    }
  });

  it('reads of an atomic writer only what ..data names, at the top and below', async () => {
    for (const at of ['', 'nested/']) {
      write(`${at}..old/a`, 'old');
      write(`${at}..new/a`, 'new');
      write(`${at}..new/d/b`, 'b');
      symlinkSync('..new', join(root, `${at}..data`));
      symlinkSync('..data/a', join(root, `${at}a`));
    }
    assert.deepEqual(texts(await read()), { a: 'new', 'd/b': 'b' });
    root = join(root, 'nested');
    assert.deepEqual(texts(await read()), { a: 'new', 'd/b': 'b' });
    root = join(root, '../plain');
    mkdirSync(root);
    renameSync(join(root, '../nested'), join(root, 'inner'));
    assert.deepEqual(texts(await read()), { 'inner/a': 'new', 'inner/d/b': 'b' });
  });

  it('does not take a generation that was replaced while it was read', async () => {
    write('..one/a', '1');
    write('..two/a', '2');
    symlinkSync('..one', join(root, '..data'));
    const budget = new ReadBudget();
    const take = budget.take.bind(budget);
    budget.take = (path, sizeBytes) => {
      take(path, sizeBytes);
      symlinkSync('..two', join(root, '..data_tmp'));
      renameSync(join(root, '..data_tmp'), join(root, '..data'));
    };
    await assert.rejects(read({ budget }), Unsettled);
    assert.deepEqual(texts(await read()), { a: '2' });
  });

  it('does not take a directory in which names changed while it was read', async () => {
    write('sub/a', '1');
    write('z', '1');
    const budget = new ReadBudget();
    const take = budget.take.bind(budget);
    budget.take = (path, sizeBytes) => {
      take(path, sizeBytes);
      if (path === 'z') write('sub/late', '2');
    };
    // The clock of the file system is coarse: a change in the same tick as the one before shows no difference.
    const { mtimeNs: before } = statSync(join(root, 'sub'), { bigint: true });
    const probe = join(folder, 'probe');
    do writeFileSync(probe, '');
    while (statSync(probe, { bigint: true }).mtimeNs === before);
    await assert.rejects(read({ budget }), Unsettled);
  });

  it('never reads our own file systems', async () => {
    write('a', '1');
    const ownDevices = new Set([statSync(root, { bigint: true }).dev]);
    await assert.rejects(read({ ownDevices }), { code: 'INVALID_ARGUMENT', message: /tree of dunnage itself/ });
  });
});
