/** All topics of the suite. */
import type { Area } from './area.ts';
import { acls } from './areas/acls.ts';
import { allocation } from './areas/allocation.ts';
import { chmod } from './areas/chmod.ts';
import { chown } from './areas/chown.ts';
import { content } from './areas/content.ts';
import { directories } from './areas/directories.ts';
import { groups } from './areas/groups.ts';
import { link } from './areas/link.ts';
import { listings } from './areas/listings.ts';
import { locks } from './areas/locks.ts';
import { memory } from './areas/memory.ts';
import { nameless } from './areas/nameless.ts';
import { nodes } from './areas/nodes.ts';
import { open } from './areas/open.ts';
import { paths } from './areas/paths.ts';
import { rename } from './areas/rename.ts';
import { sockets } from './areas/sockets.ts';
import { statistics } from './areas/statistics.ts';
import { symlink } from './areas/symlink.ts';
import { times } from './areas/times.ts';
import { truncate } from './areas/truncate.ts';
import { unlink } from './areas/unlink.ts';
import { watches } from './areas/watches.ts';
import { xattrs } from './areas/xattrs.ts';

export const AREAS: readonly Area[] = [
  paths,
  open,
  chmod,
  chown,
  groups,
  link,
  symlink,
  unlink,
  rename,
  directories,
  nodes,
  times,
  truncate,
  content,
  allocation,
  memory,
  nameless,
  listings,
  xattrs,
  acls,
  locks,
  sockets,
  watches,
  statistics,
];
