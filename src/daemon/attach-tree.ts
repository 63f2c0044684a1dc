/** The tree of the chosen transport, ready to be served. */
import type { Log } from '../base/log.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { FuseNativeTree } from './fuse-native-tree.ts';
import type { ServedTree } from './served-tree.ts';
import type { TransportChoice } from './transport.ts';
import { TreeMount } from './tree-mount.ts';

/** Clears away what a dead daemon left. @throws DunnageError ALREADY_RUNNING if another daemon serves this tree. */
export function attachTree(choice: TransportChoice, options: DaemonOptions, log: Log): Promise<ServedTree> {
  if (choice.transport === 'kernel') return TreeMount.attach(options, log);
  return FuseNativeTree.attach(options, log, choice.warnings);
}
