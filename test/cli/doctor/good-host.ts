/** Probes of a host where everything is well: a daemon runs with its holder. Tests change one answer at a time. */
import type { Places, Probes } from '../../../src/cli/doctor/check.ts';
import type { MountRow } from '../../../src/mounts/mount-table.ts';
import { exampleStatus } from '../../server/fake-operations.ts';

export const PLACES: Places = {
  stateDir: '/var/lib/dunnage',
  runtimeDir: '/run/dunnage',
  socketPath: '/run/dunnage/dunnage.sock',
};

export function mountRow(mountPoint: string, deviceId: string, type = 'fuse.dunnage'): MountRow {
  return {
    mountId: 1,
    parentId: 0,
    deviceId,
    root: '/',
    mountPoint,
    options: [],
    sharedGroup: undefined,
    masterGroup: undefined,
    unbindable: false,
    type,
    source: 'dunnage',
    superOptions: [],
  };
}

export const FILES: Readonly<Record<string, string>> = {
  '/proc/filesystems': 'nodev\ttmpfs\n\text4\n\txfs\n',
  '/proc/1/comm': 'systemd\n',
  '/lib/modules/6.12.5/modules.dep': 'kernel/drivers/md/dm-thin-pool.ko.xz: kernel/drivers/md/dm-mod.ko.xz\n',
};

export function goodHost(): Probes {
  return {
    nodeVersion: 'v22.1.0',
    kernelRelease: '6.12.5',
    userId: 0,
    hasSysAdmin: async () => true,
    findProgram: async (name) => `/usr/bin/${name}`,
    openDevice: async () => undefined,
    readFile: async (path) => FILES[path],
    loadNative: async () => undefined,
    loadFuseNative: async () => undefined,
    writability: async (path) => ({ existing: path, writable: true }),
    isInMemory: async () => true,
    mounts: async () => [mountRow('/', '8:1', 'ext4'), mountRow('/run/dunnage/mnt/projections', '0:50')],
    daemon: async () => ({ kind: 'live', status: exampleStatus() }),
    holder: async () => 'there',
  };
}
