/** The history part of the control API's port, answered from the generations that projections keep. */
import type { ProjectionHistory } from '../projection/history/projection-history.ts';
import { projectionDirectory } from '../projection/manifests/names.ts';
import type { HistoryOperations, ObjectIdentity } from '../server/history-operations.ts';
import type { ProjectionKind } from '../server/operations.ts';

const SOURCES_WARNING = 'the content comes from sources: this holds until one of them changes';

/** `hasSources` tells whether the content of the projection with that directory comes from sources that are followed. */
export function createHistoryOperations(
  history: ProjectionHistory,
  hasSources: (directory: string) => boolean,
): HistoryOperations {
  const identify = (kind: ProjectionKind, namespace: string, name: string): ObjectIdentity => ({
    ...{ kind, namespace, name },
    directory: projectionDirectory(kind, namespace, name),
  });

  return {
    async projectionHistory(kind, namespace, name) {
      const object = identify(kind, namespace, name);
      return { ...object, ...(await history.list(object.directory)) };
    },

    async diffProjection(kind, namespace, name, { from, to }) {
      const object = identify(kind, namespace, name);
      return { ...object, ...(await history.diff(object.directory, from, to)) };
    },

    async rollbackProjection(kind, namespace, name, to) {
      const object = identify(kind, namespace, name);
      const { changed, ...result } = await history.rollback(object.directory, to);
      const warnings = hasSources(object.directory) ? [SOURCES_WARNING] : [];
      const action = changed ? 'rolled-back' : 'unchanged';
      return { ...object, ...result, action, warnings };
    },

    async purgeHistory(kind, namespace, name, keep) {
      const object = identify(kind, namespace, name);
      return { ...object, ...(await history.purge(object.directory, keep)) };
    },
  };
}
