/** What `dunnage status` says, gathered from the parts of a running daemon. */
import type { ProjectionService } from '../projection/projection-service.ts';
import type { DaemonStatus } from '../server/operations.ts';
import type { Scrub } from '../store/check/scrub.ts';
import type { SealingKey } from '../store/sealing-key.ts';
import type { Store } from '../store/store.ts';
import { allocDirOf } from './allocs/alloc-places.ts';
import type { DaemonAllocs } from './allocs/daemon-allocs.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { DaemonOptions } from './daemon-options.ts';
import type { ConnectionStatistics } from './fuse-messages.ts';
import type { DaemonPools } from './pools/daemon-pools.ts';
import { auditLogPath } from './runtime-files.ts';
import { describeSealingKey, sealingWarnings } from './sealing.ts';
import type { ServedTree } from './served-tree.ts';
import { describeConnections } from './status.ts';
import { VERSION } from './version.ts';

export interface StatusParts {
  readonly options: DaemonOptions;
  readonly transport: DaemonStatus['transport'];
  readonly startedAtMs: number;
  readonly tree: ServedTree;
  readonly connections: () => Promise<readonly ConnectionStatistics[]>;
  readonly store: Store;
  readonly projections: ProjectionService;
  readonly sealingKey: SealingKey;
  readonly audit: AuditLog;
  readonly allocs: DaemonAllocs | undefined;
  readonly pools: DaemonPools | undefined;
  readonly scrub: () => Scrub | undefined;
}

export function daemonStatus(parts: StatusParts): () => Promise<DaemonStatus> {
  const { options, transport, tree, store, audit } = parts;
  const { mountPoint, stateDir, runtimeDir } = options;
  return async () => {
    const views = parts.projections.list();
    const sealingKey = describeSealingKey(parts.sealingKey, options);
    const awaiting = views.filter(({ awaitingSource }) => awaitingSource).length;
    const statistics = await parts.connections();
    return {
      version: VERSION,
      pid: process.pid,
      holderPid: tree.holderPid,
      startedAtMs: parts.startedAtMs,
      takenOver: tree.held !== undefined,
      transport,
      mountPoint,
      stateDir,
      runtimeDir,
      projections: views.length,
      allocs: parts.allocs?.service.list().length ?? 0,
      ...(parts.pools && { pools: parts.pools.service.list().length }),
      allocDir: parts.allocs === undefined ? undefined : allocDirOf(options),
      connections: describeConnections(
        mountPoint,
        tree.records,
        statistics,
        // libfuse keeps to itself what it agreed on with the kernel.
        transport === 'fuse-native' ? 'libfuse 2' : undefined,
      ),
      storeBytes: store.sizeBytes,
      sealingKey,
      audit: { path: auditLogPath(stateDir), ...audit.figures },
      warnings: [
        ...tree.warnings,
        ...(parts.allocs?.warnings() ?? []),
        ...((await parts.pools?.warnings()) ?? []),
        ...audit.warnings(),
        ...sealingWarnings(sealingKey, parts.sealingKey.lockErrno, awaiting),
        ...(parts.scrub()?.warnings() ?? []),
      ],
    };
  };
}
