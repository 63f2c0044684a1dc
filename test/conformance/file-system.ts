/**
 * What every transport must do with a file system, tried through a real mount of the sample file system (see
 * kernel/helpers/sample-file-system.ts). A transport brings a factory and says what it does not do, with the reason.
 */
import { describe } from 'node:test';
import { cachingTests } from './file-system/caching.ts';
import { changeTests } from './file-system/changes.ts';
import { lifeTests } from './file-system/life.ts';
import { listingTests } from './file-system/listings.ts';
import { readingTests } from './file-system/reading.ts';
import type { Transport } from './file-system/transport.ts';

export function fileSystemConformance(transport: Transport): void {
  const options = transport.skip === undefined ? {} : { skip: transport.skip };
  describe(`file system over ${transport.name}`, { timeout: 120_000, ...options }, () => {
    readingTests(transport);
    listingTests(transport);
    changeTests(transport);
    cachingTests(transport);
    lifeTests(transport);
  });
}
