/**
 * Removes from dist/ what was compiled from sources that are gone: tsc never deletes, and a test that was removed must
 * not go on passing. Deleting all of dist/ instead would cost every incremental build.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const COMPILED = /\.(?:js|js\.map|d\.ts)$/;

for (const room of ['src', 'test', 'examples']) {
  const folder = join('dist', room);
  if (!existsSync(folder)) continue;
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (COMPILED.test(entry) && !existsSync(join(room, entry.replace(COMPILED, '.ts')))) rmSync(join(folder, entry));
  }
}
