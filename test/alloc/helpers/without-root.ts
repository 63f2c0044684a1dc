/** Runs test/alloc/programs/without-root.ts as nobody, or as who we are if that is not root. */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('../programs/without-root.js', import.meta.url));
const NOBODY = 65_534;
const TIMEOUT_MS = 60_000;

export interface WithoutRoot {
  readonly refused: { readonly code: string; readonly message: string; readonly remedy: string };
  readonly madeByRefused: boolean;
  readonly chroot: { readonly code: string };
  readonly read: { readonly message: string };
  readonly modes: readonly string[];
  readonly hasSharedAlloc: boolean;
  readonly secret: string;
  readonly unveiled: readonly string[];
  readonly unveiledIsLink: boolean;
  readonly local: string;
  readonly isGone: boolean;
}

export async function withoutRoot(): Promise<WithoutRoot> {
  // Not in the test's own temporary directory, which others may not enter.
  const folder = mkdtempSync(join('/var/tmp', 'dunnage-without-root-'));
  try {
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) chownSync(folder, NOBODY, NOBODY);
    chmodSync(folder, 0o755);
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, folder], {
      cwd: '/',
      timeout: TIMEOUT_MS,
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    });
    return JSON.parse(stdout) as WithoutRoot;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
