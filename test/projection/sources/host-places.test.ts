import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type HostPlaces, hostPlaces, samePlaces } from '../../../src/projection/sources/host-places.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'dunnage-places-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Of the directories in our folder only: what is above it is the host's business. */
const inFolder = ({ names }: HostPlaces): Record<string, string[]> =>
  Object.fromEntries(
    [...names].filter(([directory]) => directory.startsWith(folder)).map(([directory, set]) => [directory, [...set]]),
  );

describe('hostPlaces', () => {
  it('lists every directory on the way, through links, and what the path leads to', async () => {
    mkdirSync(join(folder, 'releases/1/conf'), { recursive: true });
    symlinkSync('releases/1', join(folder, 'current'));
    symlinkSync(join(folder, 'current/conf'), join(folder, 'conf'));
    const places = await hostPlaces(join(folder, 'conf'));
    assert.deepEqual(inFolder(places), {
      [folder]: ['conf', 'current', 'releases'],
      [join(folder, 'releases')]: ['1'],
      [join(folder, 'releases/1')]: ['conf'],
    });
    assert.ok(places.names.get('/')?.size);
    const { dev, ino } = statSync(join(folder, 'releases/1/conf'));
    assert.deepEqual(places.target, { path: join(folder, 'releases/1/conf'), identity: `${dev}:${ino}` });
  });

  it('waits for what is missing in the last directory that is there', async () => {
    const missing = await hostPlaces(join(folder, 'a/b/c'));
    assert.deepEqual(inFolder(missing), { [folder]: ['a'] });
    assert.equal(missing.target, undefined);
    writeFileSync(join(folder, 'a'), 'a file');
    assert.deepEqual(inFolder(await hostPlaces(join(folder, 'a/b/c'))), {
      [folder]: ['a'],
      [join(folder, 'a')]: ['b'],
    });
  });

  it('gives up on links in a circle', async () => {
    symlinkSync('two', join(folder, 'one'));
    symlinkSync('one', join(folder, 'two'));
    assert.equal((await hostPlaces(join(folder, 'one'))).target, undefined);
  });

  it('tells a link that leads elsewhere and a directory that was replaced', async () => {
    mkdirSync(join(folder, 'x'));
    mkdirSync(join(folder, 'y'));
    symlinkSync('x', join(folder, 'link'));
    const first = await hostPlaces(join(folder, 'link'));
    assert.ok(samePlaces(first, await hostPlaces(join(folder, 'link'))));
    unlinkSync(join(folder, 'link'));
    symlinkSync('y', join(folder, 'link'));
    assert.ok(!samePlaces(first, await hostPlaces(join(folder, 'link'))));
  });
});
