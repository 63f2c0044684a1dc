/**
 * A daemon's place in the tests of the holder: mounts, answers INIT and the root's attributes, attaches, hands the
 * device over and leaves every other request open. Arguments: mount point, socket. Prints `ready`, then waits to be
 * killed.
 */
import { mountFuse } from '../../../src/mounts/fuse-mount.ts';
import { loadNative } from '../../../src/native/load.ts';
import { MinimalServer } from './minimal-server.ts';

const [, , target = '', socketPath = ''] = process.argv;
const native = loadNative();
const { device } = await mountFuse({
  target,
  source: 'dunnage',
  subtype: 'dunnage',
  rootMode: 0o755,
  allowOther: true,
});
const server = new MinimalServer({
  device,
  answer: () => undefined,
  onInit: () => {
    const holder = native.connectSeqpacket(socketPath);
    const exchange = (data: Uint8Array, descriptors: readonly number[]): string => {
      native.sendMessage(holder, data, descriptors);
      return native.receiveMessage(holder, 8192, 5000).data.toString();
    };
    if (!exchange(Buffer.from('A'), []).startsWith('a')) throw new Error('not attached');
    if (exchange(Buffer.from('Proot\0recorded'), [device]) !== 'p') throw new Error('not put');
    console.log('ready');
  },
});
server.channel.start();
