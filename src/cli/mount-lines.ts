/**
 * The line that gives a directory of the tree to a container, for each runtime: always read-only, and always with
 * propagation from the host, so that a tree that is mounted anew appears in containers that run.
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
      return kubernetesLines(mounting);
    case 'systemd':
      return systemdLine(mounting);
  }
}

/** `--mount` is one CSV record: a field with a comma or a quote is quoted. */
function dockerLine({ source, target }: Mounting): string {
  const fields = ['type=bind', `src=${source}`, `dst=${target}`, 'readonly', 'bind-propagation=rslave'];
  return `--mount ${shellQuote(fields.map(csvField).join(','))}`;
}

function podmanLine({ source, target }: Mounting): string {
  for (const path of [source, target]) {
    if (path.includes(':')) {
      throw new DunnageError('INVALID_ARGUMENT', `podman's -v cannot take the path ${path}: it has a colon`, {
        remedy: 'mount the tree elsewhere (dunnage up --mount), or use the line of --docker with podman',
      });
    }
  }
  return `-v ${shellQuote(`${source}:${target}:ro,rslave`)}`;
}

function kubernetesLines({ source, target, label, isDirectory }: Mounting): string {
  const name = toVolumeName(label);
  return [
    'volumes:',
    `- name: ${name}`,
    '  hostPath:',
    `    path: ${JSON.stringify(source)}`,
    `    type: ${isDirectory ? 'Directory' : 'File'}`,
    'volumeMounts:',
    `- name: ${name}`,
    `  mountPath: ${JSON.stringify(target)}`,
    '  readOnly: true',
    '  mountPropagation: HostToContainer',
  ].join('\n');
}

/** A unit with bind mounts has a mount namespace that is a slave of the host's already. */
function systemdLine({ source, target }: Mounting): string {
  return `BindReadOnlyPaths=${systemdPath(source)}:${systemdPath(target)}`;
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
