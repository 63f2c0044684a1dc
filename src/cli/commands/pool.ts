/** `dunnage pool`: thin pools. */
import { type Command, Option } from 'commander';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { PoolCheckReport } from '../../server/pool-operations.ts';
import { type CommandContext, contextOf } from '../context.ts';
import { formatPoolReport } from '../output/pool-report.ts';
import { whileWaiting } from '../output/waiting.ts';
import { deletePool } from '../pool-deletion.ts';
import { listPools, showPools } from '../pool-views.ts';
import {
  FULL_WORDS,
  intervalWord,
  POOL_DRIVERS,
  type PoolWords,
  percentWord,
  sizeWord,
  toPoolSpec,
} from '../pool-words.ts';
import { readText } from '../read-input.ts';
import { formatResult, formatWarnings } from './apply.ts';
import { FSCK_EXIT } from './fsck.ts';

const CONFIG_BYTES_MAX = 32_768;

export function addPoolCommand(program: Command): void {
  const pool = program.command('pool').description('thin pools: block devices with copy-on-write snapshots');
  addCreateCommand(pool);
  pool
    .command('delete')
    .description('take a pool out of service and delete what dunnage has made of it')
    .argument('<name>', 'the pool')
    .option('--force', 'with all its devices and what is on them; without it a pool that has devices stays')
    .addHelpText('after', DELETE_HELP)
    .action(async (name: string, { force }: { force?: boolean }, command: Command) => {
      await deletePool(contextOf(command), name, force === true);
    });
  pool
    .command('list')
    .description('list pools with what they hold and what they promise')
    .action(async (_options: unknown, command: Command) => await listPools(contextOf(command)));
  pool
    .command('status')
    .description('show one pool, or all: data and metadata in use, promised and real space, devices')
    .argument('[name]', 'the pool (default: all)')
    .addHelpText('after', '\nExamples:\n  $ dunnage pool status fast\n  $ dunnage pool status fast --json | jq .data')
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      await showPools(contextOf(command), name);
    });
  addCheckCommands(pool);
}

const CREATE_HELP = `
Say where the pool lies, one of: --directory, --device, --data-device with --metadata-device. For development --size alone
makes a file (with --driver devicemapper: two).
SIZE is written as 20GiB, 512MiB, ...; G and GB are GiB, too. "dunnage apply -f" takes manifests (kind: Pool) and can change a pool.

Examples:
  $ dunnage pool create fast --directory /mnt/xfs/pool
  $ dunnage pool create fast --device /dev/sdb1 --format --device-size 20GiB
  $ dunnage pool create thin --data-device /dev/vg/data --metadata-device /dev/vg/meta --format
  $ dunnage pool create dev --size 20GiB
  $ dunnage pool create many --directory /mnt/xfs/pool --overcommit --high-water-mark 85%`;

const DELETE_HELP = `
A directory or block device that was given stays, without the files of the pool; a file that dunnage made goes.

Examples:
  $ dunnage pool delete dev
  $ dunnage pool delete dev --force      with everything that is on its devices`;

function addCreateCommand(pool: Command): void {
  pool
    .command('create')
    .description('make a thin pool, or put one that is there already into service')
    .argument('<name>', 'the pool: lower-case letters, digits and "-"')
    .addOption(
      new Option('--driver <driver>', 'reflink (default) or devicemapper (default with data devices or files)').choices(
        [...POOL_DRIVERS],
      ),
    )
    .option('--directory <dir>', 'a directory on XFS (reflink=1) or btrfs')
    .option('--device <device>', 'a block device with such a file system; with --format an empty one')
    .option(
      '--file <path>',
      'for development: a file of --size, made here (default with --size: in the state directory)',
    )
    .option('--size <size>', 'size of the file', sizeWord)
    .option('--data-device <device>', 'driver devicemapper: the block device for the data')
    .option('--metadata-device <device>', 'driver devicemapper: the block device for the metadata')
    .option('--data-file <path>', 'driver devicemapper, for development: a file of --size for the data')
    .option('--metadata-file <path>', 'driver devicemapper, for development: a file for the metadata')
    .option('--format', 'make a new pool on the devices; refused if they hold anything')
    .option('--device-size <size>', 'size of devices that are made without saying (default: 10GiB)', sizeWord)
    .option('--block-size <size>', 'driver devicemapper: what devices grow by (default: 64KiB)', sizeWord)
    .option('--low-water-mark <size>', 'driver devicemapper: it is told when less than this is left', sizeWord)
    .option('--no-discard-passdown', 'driver devicemapper: keep discards from the data device')
    .addOption(
      new Option('--when-full <what>', 'driver devicemapper: writes to a full pool wait, or fail').choices([
        ...FULL_WORDS,
      ]),
    )
    .option('--overcommit', 'promise devices more than there is')
    .option(
      '--high-water-mark <percent>',
      'with --overcommit: fill level at which writers wait (default: 90%)',
      percentWord,
    )
    .option('--trim <interval>', 'how often file systems on devices are trimmed: 24h (default), ..., off', intervalWord)
    .option('--config <file>', "the devmapper snapshotter's TOML: root_path, pool_name, base_image_size ...")
    .addHelpText('after', CREATE_HELP)
    .action(async (name: string, { config, ...words }: PoolWords, command: Command) => {
      const context = contextOf(command);
      const text = config === undefined ? {} : { config: await readText(config, CONFIG_BYTES_MAX) };
      const spec = toPoolSpec({ ...words, ...text });
      const { pools } = context.client();
      const result = await waiting(`pool/${name}: being made`, () =>
        pools.putPool(name, spec, true).catch((error: unknown) => {
          throw withoutDocument(error);
        }),
      );
      context.print(result, () => formatResult(result));
      if (!context.json) context.terminal.say(formatWarnings(result));
    });
}

/** Where it stands in a manifest says nothing to who gave options. */
function withoutDocument(error: unknown): unknown {
  if (!(error instanceof DunnageError) || error.code !== 'INVALID_MANIFEST') return error;
  const message = error.message.replace(/^document \d+ \(Pool ".*?"\), line \d+: /, '');
  const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
  return new DunnageError('INVALID_ARGUMENT', message, { ...remedy, cause: error });
}

const CHECK_HELP = `
Exit codes: 0 nothing is wrong, 11 something is, 12 (repair) all of it was mended, 13 (repair) not all of it.`;

function addCheckCommands(pool: Command): void {
  pool
    .command('check')
    .description('compare a pool with what dunnage knows of it, and look for damage; changes nothing')
    .argument('<name>', 'the pool')
    .addHelpText('after', `${CHECK_HELP}\n\nExamples:\n  $ dunnage pool check fast`)
    .action(async (name: string, _options: unknown, command: Command) => {
      const context = contextOf(command);
      const { pools } = context.client();
      printReport(context, await waiting(`pool/${name}: being checked`, () => pools.checkPool(name)));
    });
  pool
    .command('repair')
    .description('mend what a check finds: faulty devices, lost ids, damaged metadata')
    .argument('<name>', 'the pool')
    .option('--delete-unknown', 'delete devices that are in the pool and that dunnage knows nothing of')
    .addHelpText('after', `${CHECK_HELP}\n\nExamples:\n  $ dunnage pool repair fast`)
    .action(async (name: string, { deleteUnknown }: { deleteUnknown?: boolean }, command: Command) => {
      const context = contextOf(command);
      const options = deleteUnknown === true ? { deleteUnknown } : {};
      const { pools } = context.client();
      printReport(context, await waiting(`pool/${name}: being repaired`, () => pools.repairPool(name, options)));
    });
}

function printReport(context: CommandContext, report: PoolCheckReport): void {
  context.print(report, () => formatPoolReport(report, context.terminal));
  const exit = FSCK_EXIT[report.outcome];
  if (exit !== 0) process.exitCode = exit;
}

function waiting<T>(what: string, work: () => Promise<T>): Promise<T> {
  return whileWaiting(what, process.stderr, work);
}
