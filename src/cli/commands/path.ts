/** `dunnage path`: where an object is on the host, or the line that gives it to a container. */

import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { ProjectionDetail } from '../../server/operations.ts';
import { livePath, projectionPath } from '../../tree/places.ts';
import { allocMountings } from '../alloc-mountings.ts';
import { type CommandContext, contextOf } from '../context.ts';
import { parseTarget } from '../kinds.ts';
import { mountLine, mountLines, RUNTIMES, type Runtime, TARGET_PLACEHOLDER } from '../mount-lines.ts';
import { nearest } from '../nearest.ts';

interface PathOptions {
  readonly namespace: string;
  readonly file?: string;
  readonly live?: boolean;
  readonly task?: string;
  readonly target?: string;
  readonly docker?: boolean;
  readonly podman?: boolean;
  readonly k8s?: boolean;
  readonly systemd?: boolean;
}

const PATH_HELP = `
The lines are read-only, except for those of allocs, and take over later mounts from the host (rslave, HostToContainer). A
single file comes from the live view, where a bind mount of it follows changes. A task of an alloc is given its directories
at /alloc, /local and /secrets, or with --target its whole directory. Secrets and projections are mounts beneath it, which
runtimes take along; by hand: mount --rbind, then mount --make-rslave.

Examples:
  $ cat "$(dunnage path secret/db --file password)"
  $ docker run $(dunnage path secret/db --docker --target /etc/db) nginx
  $ docker run $(dunnage path configmap/web --file nginx.conf --docker --target /etc/nginx/nginx.conf) nginx
  $ dunnage path configmap/web -n prod --k8s
  $ docker run $(dunnage path alloc/5f8c --task web --docker) nginx`;

export function addPathCommand(program: Command): void {
  const others = (own: Runtime): Runtime[] => RUNTIMES.filter((runtime) => runtime !== own);
  const runtimeOption = (runtime: Runtime, what: string): Option =>
    new Option(`--${runtime}`, what).conflicts(others(runtime));
  program
    .command('path')
    .description('print where an object is on the host, or the line that gives it to a container')
    .argument('<kind/name>', 'e.g. secret/db')
    .argument('[name]', 'the name, if the first word is only the kind')
    .option('-n, --namespace <name>', 'namespace of the object', 'default')
    .option('--file <key>', 'one file of the object')
    .option('--task <name>', 'one task of an alloc')
    .option('--live', 'its place in the live view: plain files, of which each can be mounted and watched by itself')
    .addOption(runtimeOption('docker', 'print the option for docker run'))
    .addOption(runtimeOption('podman', 'print the option for podman run'))
    .addOption(runtimeOption('k8s', 'print the volume and volumeMount of a pod'))
    .addOption(runtimeOption('systemd', 'print the setting of a systemd unit'))
    .option('--target <path>', `path in the container (default: ${TARGET_PLACEHOLDER})`)
    .addHelpText('after', PATH_HELP)
    .action(async (first: string, second: string | undefined, options: PathOptions, command: Command) => {
      const context = contextOf(command);
      const { kind, name } = parseTarget(first, second);
      const runtime = RUNTIMES.find((candidate) => options[candidate] === true);
      checkTarget(options.target, runtime);
      if (kind === 'Alloc') {
        await printAlloc(context, name, options, runtime);
        return;
      }
      if (kind === 'Pool') throw noPathOfPool(name);
      if (options.task !== undefined) throw new DunnageError('INVALID_ARGUMENT', '--task is for allocs');
      const client = context.client();
      const detail = await client.getProjection(kind, options.namespace, name);
      if (options.file !== undefined) requireFile(detail, options.file);
      const status = await client.status();
      const hasLiveView = status.connections.some(({ name }) => name === 'root');
      if (options.live === true && !hasLiveView) throw noLiveView();
      // What is below the object stays at one generation in projections/ when it is bind-mounted.
      const isLive = options.live === true || (runtime !== undefined && options.file !== undefined && hasLiveView);
      const root = (isLive ? livePath : projectionPath)(status.mountPoint, detail.directory);
      const path = join(root, options.file ?? '');
      if (runtime === undefined) {
        context.print({ path }, () => `${path}\n`);
        return;
      }
      const isDirectory = !detail.paths.some((file) => file.path === options.file);
      const target = options.target ?? TARGET_PLACEHOLDER;
      const line = mountLine(runtime, { source: path, target, label: detail.directory, isDirectory });
      if (options.file !== undefined && !isLive) {
        context.terminal.say(
          'note: a bind mount below the object keeps the content it had when the container started; mount the whole object\n',
        );
      }
      context.print({ path, runtime, line }, () => `${line}\n`);
    });
}

async function printAlloc(
  context: CommandContext,
  id: string,
  options: PathOptions,
  runtime: Runtime | undefined,
): Promise<void> {
  if (options.file !== undefined || options.live === true) {
    throw new DunnageError('INVALID_ARGUMENT', '--file and --live are for projections', {
      remedy: 'files of an alloc: dunnage fs ls',
    });
  }
  const mountings = allocMountings(await context.client().getAlloc(id), options.task, options.target);
  const { path } = mountings;
  if (runtime === undefined) {
    context.print({ path }, () => `${path}\n`);
    return;
  }
  const line = mountLines(runtime, mountings.directories);
  context.print({ path, runtime, line }, () => `${line}\n`);
}

function noPathOfPool(name: string): DunnageError {
  return new DunnageError('INVALID_ARGUMENT', 'a pool is nothing that a container is given', {
    remedy: `its devices and their paths: dunnage pool status ${name}`,
  });
}

function noLiveView(): DunnageError {
  return new DunnageError('NOT_SUPPORTED', 'there is no live view: the tree was mounted without privileges', {
    remedy: 'start the daemon as root, or leave out --live and mount the whole object',
  });
}

function checkTarget(target: string | undefined, runtime: Runtime | undefined): void {
  if (target === undefined) return;
  if (runtime === undefined) {
    throw new DunnageError('INVALID_ARGUMENT', '--target is a path in a container, and no runtime is named', {
      remedy: `add one of ${RUNTIMES.map((name) => `--${name}`).join(', ')}`,
    });
  }
  if (!target.startsWith('/'))
    throw new DunnageError('INVALID_ARGUMENT', `--target ${JSON.stringify(target)} is not an absolute path`);
}

/** A file of the object, or a directory that holds some of them. */
function requireFile(detail: ProjectionDetail, key: string): void {
  const paths = detail.paths.map(({ path }) => path);
  if (paths.some((path) => path === key || path.startsWith(`${key}/`))) return;
  const near = nearest(key, paths);
  throw new DunnageError('NOT_FOUND', `${detail.directory} has no file ${JSON.stringify(key)}`, {
    remedy:
      near === undefined
        ? `see its files with: dunnage get ${detail.kind.toLowerCase()} ${detail.name}`
        : `did you mean ${near}?`,
  });
}
