import { fileSystemConformance } from '../conformance/file-system.ts';
import { kernelTransport } from './helpers/kernel-transport.ts';

fileSystemConformance(kernelTransport);
