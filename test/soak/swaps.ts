/**
 * `node dist/test/soak/swaps.js [MINUTES] [SWAPS PER MINUTE]`: swaps one projection for ten minutes, a thousand times a minute,
 * while a watcher counts and a reader reads, and prints once a minute what must not grow. Exit status 1 if something does:
 * the last minutes are compared with the third.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DaemonProcess } from '../tools/daemon-process.ts';
import { type Footprint, SwapLoad } from '../tools/swap-load.ts';

const MEBIBYTE = 1024 * 1024;
const GROWTH_BYTES_MAX = 8 * MEBIBYTE;
/** From then on caches are full and the collector has seen everything. */
const WARM_MINUTES = 3;
const KEPT = 10;

const minutes = Number(process.argv[2] ?? 10);
const perMinute = Number(process.argv[3] ?? 1000);

const folder = mkdtempSync(join(process.env['DUNNAGE_BENCH_DIR'] ?? tmpdir(), 'soak-'));
const daemon = await DaemonProcess.start(folder);
const footprints: Footprint[] = [];
try {
  const load = new SwapLoad(daemon, 'soak');
  for (let minute = 0; minute < minutes; minute += 1) {
    const start = performance.now();
    for (let swap = 0; swap < perMinute; swap += 1) {
      const dueMs = start + (swap * 60_000) / perMinute;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await load.swap();
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const footprint = await load.footprint(KEPT);
    footprints.push(footprint);
    console.log(`minute ${minute + 1}: ${perMinute} swaps in ${seconds} s, ${JSON.stringify(footprint)}`);
  }
} finally {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}
const [warm, last] = [footprints[WARM_MINUTES - 1], footprints.at(-1)];
if (warm !== undefined && last !== undefined) {
  const grown = Object.entries(last).filter(([name, value]) => {
    const growthMax = name.endsWith('Bytes') ? GROWTH_BYTES_MAX : 0;
    return value - warm[name as keyof Footprint] > growthMax;
  });
  console.log(grown.length === 0 ? 'flat' : `grown: ${JSON.stringify(grown)}`);
  if (grown.length > 0) process.exitCode = 1;
}
