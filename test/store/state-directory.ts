/** A state directory for one test, removed when the test ends, however it ends. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { Store, type StoreOptions } from '../../src/store/store.ts';

export function makeStateDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'dunnage-store-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Opens a store that is closed before its directory is removed. */
export function openStore(t: TestContext, stateDir: string, options: Partial<StoreOptions> = {}): Store {
  const store = Store.open({ stateDir, log: silentLog, ...options });
  t.after(() => store.close());
  return store;
}

/** All regular files below a directory. */
export function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}

/** Files below a directory whose bytes contain the text. */
export function filesWith(directory: string, needle: Uint8Array): readonly string[] {
  return filesBelow(directory).filter((path) => readFileSync(path).includes(Buffer.from(needle)));
}

/** A copy beside it, as it is now: what the death of the process leaves. */
export function copyState(stateDir: string): string {
  const copy = mkdtempSync(`${stateDir}-copy-`);
  cpSync(stateDir, copy, { recursive: true });
  return copy;
}

/**
 * What a power failure leaves that takes every page which was not flushed since the copy `flushed`, if there was no flush since; otherwise one that takes
 * nothing.
 */
export function copyAfterPowerFailure(stateDir: string, flushed: string): string {
  const copy = copyState(stateDir);
  const of = (directory: string, name: string): string => join(directory, 'metadata', name);
  const isSameRoot = readFileSync(of(copy, 'durable-root')).equals(readFileSync(of(flushed, 'durable-root')));
  if (isSameRoot) cpSync(of(flushed, 'data.mdb'), of(copy, 'data.mdb'));
  return copy;
}
