/** A control group (v2) of a test's own. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where control groups can be made; undefined if nowhere: no cgroup v2, or no permission. */
export function controlGroupRoot(): string | undefined {
  const root = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((path) =>
    existsSync(join(path, 'cgroup.controllers')),
  );
  if (root === undefined) return undefined;
  const probe = join(root, `dunnage-probe-${process.pid}`);
  try {
    mkdirSync(probe);
    rmdirSync(probe);
    return root;
  } catch {
    return undefined;
  }
}

export class ControlGroup {
  readonly path: string;

  constructor(parent: string, name: string) {
    this.path = join(parent, name);
    mkdirSync(this.path);
  }

  add(processId: number): void {
    writeFileSync(join(this.path, 'cgroup.procs'), String(processId));
  }

  /** Preconditions: no process is in it. */
  remove(): void {
    rmdirSync(this.path);
  }
}
