/** How long a daemon takes from the start of its process until it says that the tree is live. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { READY_CHANNEL_ENVIRONMENT } from '../../src/cli/ready-channel.ts';
import { compiledRoot } from '../tools/repository.ts';

/** A program of Node's that tells at once that it runs. */
const BOOT_ONLY = ['--eval', 'process.send("live"); process.disconnect()'];

/** Runs Node until its first message, then until its end; `onMessage` may see to that. Resolves to milliseconds until the message. */
async function timeMessage(args: readonly string[], onMessage: (child: ChildProcess) => void): Promise<number> {
  const start = process.hrtime.bigint();
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...READY_CHANNEL_ENVIRONMENT },
  });
  const exit = once(child, 'exit');
  const [message] = await Promise.race([
    once(child, 'message'),
    exit.then(([code, signal]) => {
      throw new Error(`${args.join(' ')} ended (${code ?? signal}) without a word`);
    }),
  ]);
  const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
  onMessage(child);
  await exit;
  if (typeof message === 'object' && message.kind !== 'live') throw new Error(`the start failed: ${message.message}`);
  return milliseconds;
}

/** Milliseconds until a process of Node's runs its first line. */
async function timeBoot(): Promise<number> {
  return await timeMessage(BOOT_ONLY, () => undefined);
}

/** Milliseconds that `dunnage up` takes to bring a state directory up, less the boot of Node; then it is ended and unmounted. */
export async function timeStart(stateDir: string, runtimeDir: string): Promise<number> {
  const boot = await timeBoot();
  const main = join(compiledRoot(), 'src/cli/main.js');
  const args = [main, 'up', '--state-dir', stateDir, '--runtime-dir', runtimeDir, '--log-level', 'error'];
  return (await timeMessage(args, (child) => child.kill('SIGINT'))) - boot;
}
