/**
 * Writes the new payload to a directory and dies by SIGKILL at one step of it.
 * Arguments: directory, number of the step (from 1; 0: live on and print the steps, one a line).
 */
import { AtomicWriter } from '../../../src/projection/atomic-writer.ts';
import { CRASH_NEW } from './crash-payloads.ts';

const [directory = '', fatalStep = '0'] = process.argv.slice(2);
let count = 0;
await new AtomicWriter(directory, {
  onStep: (step) => {
    count += 1;
    if (fatalStep === '0') process.stdout.write(`${step}\n`);
    if (count === Number(fatalStep)) {
      process.kill(process.pid, 'SIGKILL');
      // The signal is on its way: nothing more may happen.
      return new Promise(() => undefined);
    }
    return undefined;
  },
}).write(CRASH_NEW);
