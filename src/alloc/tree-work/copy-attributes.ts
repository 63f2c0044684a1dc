/** Owner, mode, extended attributes and times of a node, for its copy. `status`: of the original. */
import { fchmodSync } from 'node:fs';
import { loadNative } from '../../native/load.ts';
import { NODE } from '../../native/node-status.ts';

export function field(status: Float64Array, index: number): number {
  return status[index] ?? 0;
}

/** Of open files and directories. Times are the last: everything before changes them. */
export function copyAttributes(from: number, to: number, status: Float64Array): void {
  copyOwner(to, status);
  fchmodSync(to, field(status, NODE.mode) & 0o7777);
  copyXattrs(from, to);
  setTimes(to, '', status);
}

/** Of what is open by its name only (O_PATH) and was made with its mode. Its times are set by its name. */
export function copyNameAttributes(from: number, to: number, status: Float64Array): void {
  copyOwner(to, status);
  copyXattrs(from, to);
}

export function setTimes(directory: number, name: string, status: Float64Array): void {
  loadNative().setTimes(
    directory,
    name,
    field(status, NODE.accessSeconds),
    field(status, NODE.accessNanoseconds),
    field(status, NODE.modifySeconds),
    field(status, NODE.modifyNanoseconds),
  );
}

function copyOwner(to: number, status: Float64Array): void {
  if (process.geteuid?.() !== 0) return;
  loadNative().setOwner(to, '', field(status, NODE.userId), field(status, NODE.groupId));
}

function copyXattrs(from: number, to: number): void {
  const native = loadNative();
  const wanted = new Set(native.listXattrs(from));
  for (const name of native.listXattrs(to)) {
    if (!wanted.has(name)) native.removeXattr(to, name);
  }
  for (const name of wanted) native.setXattr(to, name, native.getXattr(from, name));
}
