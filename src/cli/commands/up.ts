/** `dunnage up`: runs the daemon, in the foreground or detached. */
import { type Command, Option } from 'commander';
import { ControlClient } from '../../server/control-client.ts';
import { LOG_FORMATS, LOG_LEVELS, parseUpConfig, TRANSPORTS, type UpConfig } from '../config/up-config.ts';
import { resolveUpSettings, type UpOptions, type UpSettings } from '../config/up-settings.ts';
import { type CommandContext, contextOf, wantsDebug } from '../context.ts';
import { startDetached } from '../detach.ts';
import { outliveBrokenOutput } from '../output/broken-output.ts';
import { readText } from '../read-input.ts';
import { openReadyChannel } from '../ready-channel.ts';

const CONFIG_BYTES_MAX = 1024 * 1024;

const UP_HELP = `
Ctrl-C (SIGINT) unmounts the tree and ends. SIGTERM ends the daemon and leaves the tree mounted for the next one.

Examples:
  $ dunnage up                           run in the foreground, log to standard error
  $ dunnage up --detach                  return when the tree is live; the log is <runtime-dir>/dunnage.log
  $ dunnage up --config /etc/dunnage.toml --log-level warn`;

export function addUpCommand(program: Command): void {
  program
    .command('up')
    .description('mount the tree and serve it')
    .option(
      '--state-dir <dir>',
      'what survives a reboot (default: /var/lib/dunnage, as a user $XDG_STATE_HOME/dunnage)',
    )
    .option(
      '--runtime-dir <dir>',
      'sockets and keys, on tmpfs (default: /run/dunnage, as a user $XDG_RUNTIME_DIR/dunnage)',
    )
    .option('--mount <dir>', 'where the tree is mounted (default: <runtime-dir>/mnt)')
    .option('--alloc-dir <dir>', 'where alloc directories are kept (default: <state-dir>/allocs)')
    .option('--config <file>', 'TOML file with these options in snake_case; the command line wins over it')
    .addOption(
      new Option(
        '--transport <name>',
        'how the tree is served (default: auto: kernel, or fuse-native where the native parts are missing)',
      ).choices([...TRANSPORTS]),
    )
    .option(
      '--takeover-timeout <duration>',
      'how long the tree waits for a new daemon when this one dies, e.g. 90s, 5m (default: 5m)',
    )
    .option(
      '--key-file <file>',
      'key of Secrets, 32 random bytes: they outlive a reboot then (default: a key that does not)',
    )
    .option(
      '--scrub-rate <bytes>',
      'how fast stored content is compared with its digests, per second (default: 8MiB; 0: off)',
    )
    .option('--scrub-interval <duration>', 'how often all of it is compared (default: 7d)')
    .addOption(new Option('--log-level <level>', 'what is logged (default: info)').choices([...LOG_LEVELS]))
    .addOption(
      new Option(
        '--log-format <format>',
        'how it is logged; pretty needs the package pino-pretty (default: json)',
      ).choices([...LOG_FORMATS]),
    )
    .option('--detach', 'run in the background; return when the tree is live')
    .addHelpText('after', UP_HELP)
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals<UpOptions & { config?: string; detach?: boolean; debug?: boolean }>();
      const context = contextOf(command);
      const config = options.config === undefined ? {} : await readConfig(options.config);
      const settings = resolveUpSettings(options, config, context.surroundings);
      if (options.detach === true) await runDetached(settings, context);
      else await runHere(settings, context);
    });
}

async function readConfig(file: string): Promise<UpConfig> {
  return parseUpConfig(await readText(file, CONFIG_BYTES_MAX), file);
}

async function runDetached(settings: UpSettings, context: CommandContext): Promise<void> {
  const { pid, logFile } = await startDetached(settings, wantsDebug(process.argv, process.env));
  const { mountPoint, controlSocket } = settings;
  const { transport, warnings } = await new ControlClient(controlSocket).status();
  context.print(
    { pid, mountPoint, socket: controlSocket, logFile, transport },
    () => `dunnage is live at ${mountPoint} (pid ${pid}, log ${logFile})\n`,
  );
  // Nobody reads the log of a daemon that came up; what is missing is said where it was started.
  if (transport === 'kernel') return;
  for (const warning of warnings) context.terminal.say(`dunnage: warning: ${warning}\n`);
}

async function runHere(settings: UpSettings, context: CommandContext): Promise<void> {
  outliveBrokenOutput();
  const channel = openReadyChannel();
  const { mountPoint, controlSocket } = settings;
  const onLive = (): void => {
    if (channel !== undefined) void channel.live();
    else
      context.print(
        { pid: process.pid, mountPoint, socket: controlSocket },
        () => `dunnage is live at ${mountPoint}\n`,
      );
  };
  try {
    // Loaded only here: the other commands need neither the store nor the addon.
    const { runDaemon } = await import('../../daemon/main.ts');
    await runDaemon({ ...settings, onLive });
  } catch (error) {
    await channel?.failed(error);
    throw error;
  }
}
