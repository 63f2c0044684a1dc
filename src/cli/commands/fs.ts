/** `dunnage fs`: files and logs of an alloc. */
import type { Command } from 'commander';
import { formatBytes } from '../../base/units.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { AllocFilesClient } from '../../server/alloc-files-client.ts';
import type { FileInfoJson } from '../../server/stream-frame-json.ts';
import { type CommandContext, contextOf } from '../context.ts';
import { type LastLines, lastLines, type OpenFrames, type Output, write, writeFrames } from '../follow-output.ts';
import { countUpTo } from '../numbers.ts';
import { type Column, formatFields, formatTable, printable } from '../output/table.ts';

const LINES_MAX = 1_000_000_000;
const TAIL_LINES = 10;
const ALLOC_HELP = 'id of the alloc';
const PATH_HELP = 'path within the alloc, e.g. alloc/logs/web.stdout';

const FS_HELP = `
Secrets are never shown. Links are followed as long as they are relative and stay within the alloc.

Examples:
  $ dunnage fs ls 5f8c alloc/logs
  $ dunnage fs cat 5f8c web/local/config.json
  $ dunnage fs tail -f 5f8c alloc/logs/web.stdout
  $ dunnage fs logs -f --tail 20 5f8c web`;

export function addFsCommand(program: Command): void {
  const fs = program.command('fs').description('files and logs of an alloc').addHelpText('after', FS_HELP);
  fs.command('ls')
    .description('list a directory')
    .argument('<alloc>', ALLOC_HELP)
    .argument('[path]', PATH_HELP, '/')
    .action(async (alloc: string, path: string, _options: object, command: Command) => {
      const context = contextOf(command);
      const entries = await clientOf(context).list(alloc, path);
      context.print(entries, () => formatTable(COLUMNS, entries));
    });
  fs.command('stat')
    .description('tell of a file or directory')
    .argument('<alloc>', ALLOC_HELP)
    .argument('<path>', PATH_HELP)
    .action(async (alloc: string, path: string, _options: object, command: Command) => {
      const context = contextOf(command);
      const info = await clientOf(context).stat(alloc, path);
      context.print(info, () => formatInfo(info));
    });
  fs.command('cat')
    .description('print a file')
    .argument('<alloc>', ALLOC_HELP)
    .argument('<path>', PATH_HELP)
    .action(async (alloc: string, path: string, _options: object, command: Command) => {
      const context = contextOf(command);
      if (context.json) await printBase64(context, alloc, path);
      else for await (const chunk of clientOf(context).read(alloc, path)) await write(process.stdout, chunk);
    });
  addTail(fs);
  addLogs(fs);
}

const TAIL_HELP = `
With -f the file is followed until it goes or Ctrl-C; the stable name of a log (alloc/logs/TASK.stdout) is followed over rotations.
With --json each piece is a line: {"Offset", "Data" (base64), "File", "FileEvent", "Token"}.`;

interface TailOptions {
  readonly lines: number;
  readonly follow?: boolean;
}

function addTail(fs: Command): void {
  fs.command('tail')
    .description('print the end of a file, and follow it')
    .argument('<alloc>', ALLOC_HELP)
    .argument('<path>', PATH_HELP)
    .option('-n, --lines <count>', 'how many lines', countUpTo(LINES_MAX), TAIL_LINES)
    .option('-f, --follow', 'go on with what is appended')
    .addHelpText('after', TAIL_HELP)
    .action(async (alloc: string, path: string, { lines, follow = false }: TailOptions, command: Command) => {
      const context = contextOf(command);
      const client = clientOf(context);
      await printEnd(context, (request) => client.stream(alloc, path, request), { lines, follow });
    });
}

const LOGS_HELP = `
All files of the log in their order, over rotations. With -f it goes on until Ctrl-C, and then says the token to go on with.
With --json each piece is a line: {"Offset", "Data" (base64), "File", "FileEvent", "Token"}.

Examples:
  $ dunnage fs logs 5f8c web
  $ dunnage fs logs -f --tail 20 --stderr 5f8c web`;

interface LogsOptions {
  readonly stderr?: boolean;
  readonly follow?: boolean;
  readonly tail?: number;
  readonly resume?: string;
}

function addLogs(fs: Command): void {
  fs.command('logs')
    .description('print the logs of a task, and follow them')
    .argument('<alloc>', ALLOC_HELP)
    .argument('<task>', 'name of the task')
    .option('--stderr', 'standard error instead of standard output')
    .option('-f, --follow', 'go on with what is appended')
    .option('-n, --tail <count>', 'only the last lines', countUpTo(LINES_MAX))
    .option('--resume <token>', 'go on after the piece that had this token')
    .addHelpText('after', LOGS_HELP)
    .action(async (alloc: string, task: string, options: LogsOptions, command: Command) => {
      const context = contextOf(command);
      const client = clientOf(context);
      const { follow = false, tail, resume } = options;
      if (tail !== undefined && resume !== undefined) {
        throw new DunnageError('INVALID_ARGUMENT', '--tail and --resume both say where to begin', {
          remedy: 'leave one of them out',
        });
      }
      const open: OpenFrames = (request) =>
        client.logs(alloc, task, options.stderr === true ? 'stderr' : 'stdout', request);
      const token = await printEnd(context, open, { lines: tail, follow, resume });
      if (follow && !context.json && token !== undefined) context.terminal.say(`\nto go on: --resume ${token}\n`);
    });
}

interface EndOptions {
  /** Undefined: everything, or what follows `resume`. */
  readonly lines: number | undefined;
  readonly follow: boolean;
  readonly resume?: string | undefined;
}

/** Prints what is asked for until it ends or Ctrl-C; resolves to the token of the last piece. */
async function printEnd(context: CommandContext, open: OpenFrames, options: EndOptions): Promise<string | undefined> {
  const { lines, follow, resume } = options;
  const controller = new AbortController();
  const { signal } = controller;
  const stop = (): void => controller.abort();
  if (follow) process.once('SIGINT', stop);
  const output: Output = { json: context.json, stream: process.stdout, say: (text) => context.terminal.say(text) };
  try {
    const last = lines === undefined ? undefined : await lastLines(open, lines, signal);
    if (last !== undefined) await writeLast(last, output);
    const token = last?.token ?? resume;
    if (last !== undefined && !follow) return token;
    return await writeFrames(open, { follow, resume: token, signal }, output);
  } finally {
    process.removeListener('SIGINT', stop);
  }
}

async function writeLast({ data, token }: LastLines, { json, stream }: Output): Promise<void> {
  if (data.length === 0) return;
  await write(stream, json ? `${JSON.stringify({ Data: data.toString('base64'), Token: token })}\n` : data);
}

async function printBase64(context: CommandContext, alloc: string, path: string): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of clientOf(context).read(alloc, path)) chunks.push(chunk);
  context.print({ Data: Buffer.concat(chunks).toString('base64') }, () => '');
}

function clientOf(context: CommandContext): AllocFilesClient {
  return new AllocFilesClient(context.socketPath());
}

const COLUMNS: readonly Column<FileInfoJson>[] = [
  { title: 'MODE', cell: ({ FileMode }) => FileMode },
  { title: 'SIZE', cell: ({ Size, IsDir }) => (IsDir ? '-' : formatBytes(Size)), align: 'right' },
  { title: 'MODIFIED', cell: ({ ModTime }) => timeToSeconds(ModTime) },
  { title: 'NAME', cell: ({ Name, IsDir }) => `${Name}${IsDir ? '/' : ''}` },
];

function formatInfo({ Name, FileMode, Size, ModTime, ContentType }: FileInfoJson): string {
  return formatFields([
    ['Name', printable(Name)],
    ['Mode', FileMode],
    ['Size', `${Size} (${formatBytes(Size)})`],
    ['Modified', ModTime],
    ['Content', ContentType ?? '-'],
  ]);
}

function timeToSeconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}
