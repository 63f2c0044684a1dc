/**
 * Writes a device from its beginning to its end, block by block, each flushed before it is acknowledged by a line on stdout. A block's
 * content follows from seed and number (`blockOf`), so that the one who read the lines can compare every byte.
 *
 * argv: path, seed, block count
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { BLOCK_BYTES, blockOf } from '../helpers/numbered-blocks.ts';

const [path = '', seed = '', count = ''] = process.argv.slice(2);
const device = openSync(path, constants.O_WRONLY | constants.O_DSYNC);
for (let block = 0; block < Number(count); block += 1) {
  writeSync(device, blockOf(Number(seed), block), 0, BLOCK_BYTES, block * BLOCK_BYTES);
  process.stdout.write(`${block}\n`);
}
closeSync(device);
