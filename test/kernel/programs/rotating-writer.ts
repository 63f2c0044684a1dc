/**
 * `rotating-writer.js LOGS TASK LINES PER_FILE KEPT`: writes numbered lines to LOGS/TASK.stdout.N as fast as it can, begins a new file after so
 * many of them, and removes the oldest while more than KEPT are there (0: never).
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const [logs = '', task = '', ...numbers] = process.argv.slice(2);
const [lines = 0, perFile = 1, kept = 0] = numbers.map(Number);
let index = 0;
let file = openSync(join(logs, `${task}.stdout.0`), 'a');
for (let line = 0; line < lines; line += 1) {
  if (line > 0 && line % perFile === 0) {
    closeSync(file);
    index += 1;
    file = openSync(join(logs, `${task}.stdout.${index}`), 'a');
    if (kept > 0 && index >= kept) rmSync(join(logs, `${task}.stdout.${index - kept}`));
  }
  writeSync(file, `line ${line}\n`);
}
writeSync(file, 'end\n');
closeSync(file);
