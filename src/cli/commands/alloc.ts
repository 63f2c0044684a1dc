/** `dunnage alloc`: alloc and task directories. */
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { ISOLATIONS } from '../../alloc/service/alloc-spec.ts';
import { formatBytes } from '../../base/units.ts';
import { DunnageError, fromSystemError } from '../../errors/dunnage-error.ts';
import { deleteAlloc } from '../alloc-deletion.ts';
import { type AllocWords, toAllocManifest } from '../alloc-words.ts';
import { contextOf } from '../context.ts';
import { withProgress } from '../output/progress.ts';
import { formatResult, formatWarnings } from './apply.ts';
import { listAllocs } from './get.ts';

export function addAllocCommand(program: Command): void {
  const alloc = program.command('alloc').description('alloc and task directories: what containers write to');
  addCreateCommand(alloc);
  alloc
    .command('list')
    .description('list allocs with their states')
    .action(async (_options: unknown, command: Command) => await listAllocs(contextOf(command)));
  alloc
    .command('delete')
    .description('delete an alloc; what still uses it is waited for')
    .argument('<id>', 'the alloc')
    .option('--wait', 'return when it is gone')
    .action(async (id: string, { wait }: { wait?: boolean }, command: Command) => {
      await deleteAlloc(contextOf(command), id, wait === true);
    });
  alloc
    .command('move')
    .description('give data and local directories of one alloc to another, whose own are empty')
    .argument('<from>', 'the alloc that loses them')
    .argument('<to>', 'the alloc that gets them')
    .action(async (from: string, to: string, _options: unknown, command: Command) => {
      const context = contextOf(command);
      const moved = await context.client().moveAlloc(from, to);
      const what = ['alloc/data', ...moved.tasks.map((task) => `${task}/local`)].join(', ');
      context.print(moved, () => `moved from alloc/${from} to alloc/${to}: ${what}\n`);
    });
  addSnapshotCommand(alloc);
  addRestoreCommand(alloc);
}

const CREATE_HELP = `
What is said of tasks holds for all of them; "dunnage apply -f" takes manifests that say more (kind: Alloc).

Examples:
  $ dunnage alloc create 5f8c --task web --task log-shipper
  $ dunnage alloc create 5f8c --task web --user 1000:1000 --isolation none --secrets-size 4MiB`;

function addCreateCommand(alloc: Command): void {
  const collect = (name: string, before: readonly string[] | undefined): string[] => [...(before ?? []), name];
  alloc
    .command('create')
    .description('create an alloc with its task directories')
    .argument('<id>', 'the alloc id: the name of its directory')
    .requiredOption('--task <name>', 'a task; may be repeated', collect)
    .option('--user <user>', 'owner of the task directories: uid, uid:gid or a name (default: nobody)')
    .addOption(new Option('--isolation <kind>', 'how tasks are isolated (default: none)').choices([...ISOLATIONS]))
    .option('--secrets-size <bytes>', 'size of secrets/ in memory (default: 1MiB)')
    .option('--secrets-on-disk', 'allow secrets/ on disk where memory cannot be had')
    .addHelpText('after', CREATE_HELP)
    .action(async (id: string, options: AllocWords, command: Command) => {
      const context = contextOf(command);
      const [result] = await context.client().apply(toAllocManifest(id, options), true);
      if (result === undefined) throw new DunnageError('INTERNAL', 'the daemon has applied nothing');
      context.print(result, () => formatResult(result));
      if (!context.json) context.terminal.say(formatWarnings(result));
    });
}

function addSnapshotCommand(alloc: Command): void {
  alloc
    .command('snapshot')
    .description('write alloc/data and the local directories of an alloc as a tar')
    .argument('<id>', 'the alloc')
    .option('-o, --output <file>', 'where to (default: standard output, which must not be a terminal)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ dunnage alloc snapshot 5f8c -o 5f8c.tar\n  $ dunnage alloc snapshot 5f8c | zstd > 5f8c.tar.zst',
    )
    .action(async (id: string, { output }: { output?: string }, command: Command) => {
      const context = contextOf(command);
      if (output === undefined && context.terminal.isTerminal) {
        throw new DunnageError('INVALID_ARGUMENT', 'a tar is nothing for a terminal', {
          remedy: 'name a file with --output, or write to a pipe',
        });
      }
      const tar = await context.client().snapshotAlloc(id);
      const counted = withProgress(tar, `alloc/${id}: written`, process.stderr);
      if (output === undefined) {
        await pipeline(counted.chunks, process.stdout);
        return;
      }
      await writeWhole(output, counted.chunks);
      const sizeBytes = counted.sizeBytes();
      context.print({ id, output, sizeBytes }, () => `${output}: ${formatBytes(sizeBytes)}\n`);
    });
}

/** The file appears when it is whole. */
async function writeWhole(file: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const partial = `${file}.partial`;
  try {
    await pipeline(chunks, createWriteStream(partial, { mode: 0o600, flush: true }));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw fromSystemError(error, `cannot write ${file}`);
  }
}

function addRestoreCommand(alloc: Command): void {
  alloc
    .command('restore')
    .description(
      'replace alloc/data and the local directories of an alloc by those of a snapshot: all of it, or nothing',
    )
    .argument('<id>', 'the alloc')
    .option('-i, --input <file>', 'the tar (default: standard input)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ dunnage alloc restore 5f8c -i 5f8c.tar\n  $ zstd -dc 5f8c.tar.zst | dunnage alloc restore 5f8c',
    )
    .action(async (id: string, { input }: { input?: string }, command: Command) => {
      const context = contextOf(command);
      const tar = withProgress(openInput(input), `alloc/${id}: read`, process.stderr);
      const restored = await context.client().restoreAlloc(id, tar.chunks);
      const { entries, sizeBytes, replaced } = restored;
      context.print(
        restored,
        () => `alloc/${id} restored: ${entries} entries, ${formatBytes(sizeBytes)} in ${replaced.join(', ')}\n`,
      );
    });
}

async function* openInput(file: string | undefined): AsyncGenerator<Uint8Array> {
  if (file === undefined && process.stdin.isTTY === true) {
    throw new DunnageError('INVALID_ARGUMENT', 'no tar: standard input is a terminal', {
      remedy: 'name a file with --input, or pipe one in',
    });
  }
  const source = file === undefined || file === '-' ? process.stdin : createReadStream(file);
  try {
    for await (const chunk of source) yield chunk as Uint8Array;
  } catch (error) {
    throw fromSystemError(error, `cannot read ${file ?? 'standard input'}`);
  }
}
