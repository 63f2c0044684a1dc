/**
 * What every transport must do, through fuse-native. What it does not run, with the reason of each: `lacks` in
 * helpers/fuse-native-transport.ts (docs/transports.md has the same list for people).
 */
import { fileSystemConformance } from '../conformance/file-system.ts';
import { fuseNativeTransport } from './helpers/fuse-native-transport.ts';

fileSystemConformance(fuseNativeTransport);
