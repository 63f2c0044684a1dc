/** The POSIX suite on ext4 itself: what the suite expects is what ext4 does, and not what we do. */
import { posixConformance } from '../conformance/posix.ts';
import { diskPlace } from './helpers/disk-place.ts';
import { kernelLacks } from './helpers/posix-abilities.ts';
import { mountTestsSkip } from './helpers/run.ts';

const skip = mountTestsSkip();

posixConformance({
  name: 'ext4',
  ...(skip === undefined ? {} : { skip }),
  lacks: kernelLacks(),
  start: diskPlace,
});
