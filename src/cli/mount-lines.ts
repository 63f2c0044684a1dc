/**
 * The lines that give directories of the tree to a container, for each runtime: read-only except for alloc directories, and
 * always with propagation from the host, so that what is mounted later appears in containers that run.
 */
import { DunnageError } from '../errors/dunnage-error.ts';

export const RUNTIMES = ['docker', 'podman', 'k8s', 'systemd'] as const;
export type Runtime = (typeof RUNTIMES)[number];

export interface Mounting {
  /** Path on the host. */
  readonly source: string;
  /** Path in the container. */
  readonly target: string;
  /** Name for what has to have one; any text. */
  readonly label: string;
  readonly isDirectory: boolean;
  /** The container may write there. */
  readonly isWritable?: boolean;
}

/** Shown where the user has to put the path in the container. */
export const TARGET_PLACEHOLDER = '/CHANGE/ME';

/** @throws INVALID_ARGUMENT if a path cannot be written in the runtime's syntax. */
export function mountLine(runtime: Runtime, mounting: Mounting): string {
  switch (runtime) {
    case 'docker':
      return dockerLine(mounting);
    case 'podman':
      return podmanLine(mounting);
    case 'k8s':
      return kubernetesLines([mounting]);
    case 'systemd':
      return systemdLine(mounting);
  }
}

/** Several directories for one container. */
export function mountLines(runtime: Runtime, mountings: readonly Mounting[]): string {
  if (runtime === 'k8s') return kubernetesLines(mountings);
  return mountings.map((mounting) => mountLine(runtime, mounting)).join('\n');
}

/** `--mount` is one CSV record: a field with a comma or a quote is quoted. */
function dockerLine({ source, target, isWritable }: Mounting): string {
  const access = isWritable === true ? [] : ['readonly'];
  const fields = ['type=bind', `src=${source}`, `dst=${target}`, ...access, 'bind-propagation=rslave'];
  return `--mount ${shellQuote(fields.map(csvField).join(','))}`;
}

function podmanLine({ source, target, isWritable }: Mounting): string {
  for (const path of [source, target]) {
    if (path.includes(':')) {
      throw new DunnageError('INVALID_ARGUMENT', `podman's -v cannot take the path ${path}: it has a colon`, {
        remedy: 'mount the tree elsewhere (dunnage up --mount), or use the line of --docker with podman',
      });
    }
  }
  return `-v ${shellQuote(`${source}:${target}:${isWritable === true ? 'rw' : 'ro'},rslave`)}`;
}

function kubernetesLines(mountings: readonly Mounting[]): string {
  const volumes = mountings.flatMap(({ source, label, isDirectory }) => [
    `- name: ${toVolumeName(label)}`,
    '  hostPath:',
    `    path: ${JSON.stringify(source)}`,
    `    type: ${isDirectory ? 'Directory' : 'File'}`,
  ]);
  const mounts = mountings.flatMap(({ target, label, isWritable }) => [
    `- name: ${toVolumeName(label)}`,
    `  mountPath: ${JSON.stringify(target)}`,
    ...(isWritable === true ? [] : ['  readOnly: true']),
    '  mountPropagation: HostToContainer',
  ]);
  return ['volumes:', ...volumes, 'volumeMounts:', ...mounts].join('\n');
}

/** A unit with bind mounts has a mount namespace that is a slave of the host's already. */
function systemdLine({ source, target, isWritable }: Mounting): string {
  return `${isWritable === true ? 'BindPaths' : 'BindReadOnlyPaths'}=${systemdPath(source)}:${systemdPath(target)}`;
}

/** A DNS label of at most 63 characters. */
function toVolumeName(label: string): string {
  const name = label
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63);
  return name.replace(/^-+|-+$/g, '') || 'dunnage';
}

function csvField(field: string): string {
  return /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** systemd.exec(5): `%` is doubled, a colon escaped, and a word with blanks quoted. */
function systemdPath(path: string): string {
  const escaped = path.replaceAll('\\', '\\\\').replaceAll('%', '%%').replaceAll(':', '\\:');
  return /[\s"']/.test(escaped) ? `"${escaped.replaceAll('"', '\\"')}"` : escaped;
}
