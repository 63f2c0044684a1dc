/** Archives of GNU tar and ours, each unpacked by the other, and compared to the last attribute. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { archiveTree, isRoot, unpackTree } from '../tar/helpers/archives.ts';
import { describeTree, treeDifferences } from '../tar/helpers/describe-tree.ts';
import { makeRichTree } from '../tar/helpers/rich-tree.ts';

// On the disk: tmpfs has no attributes of users before Linux 6.6.
const folder = mkdtempSync('/var/tmp/dunnage-gnu-tar-');
const PAX = ['--format=pax', '--xattrs', '--xattrs-include=*', '--acls'];

function gnuTar(...parameters: string[]): string {
  return execFileSync('tar', parameters, {
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString();
}

before(() => {
  makeRichTree(join(folder, 'rich'), { beyondHeaders: true, sparse: true });
  makeRichTree(join(folder, 'plain'), { beyondHeaders: false, sparse: true });
  makeRichTree(join(folder, 'simple'), { beyondHeaders: false, sparse: false });
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('GNU tar and ours', { skip: isRoot ? false : 'needs root: owners, devices, trusted attributes' }, () => {
  it('[S191] what we archive, GNU tar unpacks without a loss', async () => {
    const file = join(folder, 'ours.tar');
    await archiveTree(join(folder, 'rich'), file);
    mkdirSync(join(folder, 'by-gnu'));
    gnuTar('-x', ...PAX.slice(1), '-p', '--same-owner', '--numeric-owner', '-f', file, '-C', join(folder, 'by-gnu'));
    const options = { holes: true };
    assert.deepEqual(
      treeDifferences(describeTree(join(folder, 'by-gnu'), options), describeTree(join(folder, 'rich'), options)),
      [],
    );
  });

  const kinds = [
    ['pax', [...PAX], 'rich', true],
    ['pax, numeric owners', [...PAX, '--numeric-owner'], 'rich', true],
    ['pax, sparse 1.0', [...PAX, '--sparse', '--sparse-version=1.0'], 'rich', true],
    ['pax, sparse 0.1', [...PAX, '--sparse', '--sparse-version=0.1'], 'rich', true],
    ['pax, sparse 0.0', [...PAX, '--sparse', '--sparse-version=0.0'], 'rich', true],
    ['gnu', ['--format=gnu'], 'plain', false],
    ['gnu, sparse', ['--format=gnu', '--sparse'], 'plain', false],
    ['oldgnu, sparse', ['--format=oldgnu', '--sparse'], 'plain', false],
    ['ustar', ['--format=ustar'], 'simple', false],
    ['v7', ['--format=v7'], 'simple', false],
  ] as const;
  for (const [title, parameters, tree, isExact] of kinds) {
    const isSparse = parameters.some((parameter) => parameter.startsWith('--sparse'));
    it(`what GNU tar archives as ${title}, we unpack without a loss`, async () => {
      const file = join(folder, `${title.replaceAll(/\W+/g, '-')}.tar`);
      const source = join(folder, tree);
      // Without --sparse the nine gigabytes of nothing would be written out; v7 knows neither devices nor fifos.
      const left = [
        ...(isSparse ? [] : ['--exclude=./hole']),
        ...(title === 'v7' ? ['fifo', 'character', 'block'].map((name) => `--exclude=./${name}`) : []),
      ];
      gnuTar('-c', ...parameters, ...left, '-f', file, '-C', source, '.');
      const target = join(folder, `from-${title.replaceAll(/\W+/g, '-')}`);
      await unpackTree(file, target);
      const options = { holes: isSparse, wholeSeconds: !isExact };
      const isLeft = (line: string): boolean =>
        !left.some((name) => line.startsWith(`${name.slice('--exclude='.length)} `));
      const expected = describeTree(source, options).filter(isLeft);
      assert.deepEqual(treeDifferences(describeTree(target, options), expected), []);
      rmSync(target, { recursive: true });
      rmSync(file);
    });
  }
});
