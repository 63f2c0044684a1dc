/**
 * Names of objects and of their directories under `projections/`.
 *
 *   Projection NAME -> NAME        ConfigMap NAME -> configmap.NAME    Secret NAME -> secret.NAME
 *   outside the namespace "default": NAMESPACE.configmap.NAME, NAMESPACE.secret.NAME
 *
 * Every directory name means exactly one object: a Projection may not look like one of the reserved forms, and the
 * namespaces "configmap" and "secret" are refused (`secret.configmap.x` would be two things). Namespaces have no dots.
 */

import { limits } from '../../base/limits.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { shown } from '../path-rules.ts';
import type { ProjectionKind } from '../records.ts';

export const DEFAULT_NAMESPACE = 'default';

export interface ObjectName {
  readonly kind: ProjectionKind;
  readonly namespace: string;
  readonly name: string;
}

const SUBDOMAIN_LENGTH_MAX = 253;
const LABEL_LENGTH_MAX = 63;
const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const PREFIX_OF_KIND = { ConfigMap: 'configmap', Secret: 'secret' } as const;
const RESERVED_FORM = /^(?:([^.]+)\.)?(configmap|secret)\.(.+)$/;

/** @throws DunnageError INVALID_ARGUMENT if it is no DNS subdomain (RFC 1123), as Kubernetes wants of names. */
export function validateObjectName(name: string): void {
  if (name.length <= SUBDOMAIN_LENGTH_MAX && name.split('.').every((label) => LABEL.test(label))) return;
  throw new DunnageError('INVALID_ARGUMENT', `the name "${shown(name)}" is not a DNS subdomain`, {
    remedy: `use at most ${SUBDOMAIN_LENGTH_MAX} lower-case letters, digits, "-" and ".", each part beginning and ending with a letter or digit`,
  });
}

/** @throws DunnageError INVALID_ARGUMENT if it is no DNS label, or cannot be told apart from a kind in a directory name. */
export function validateNamespace(namespace: string): void {
  if (namespace.length > LABEL_LENGTH_MAX || !LABEL.test(namespace)) {
    throw new DunnageError('INVALID_ARGUMENT', `the namespace "${shown(namespace)}" is not a DNS label`, {
      remedy: `use at most ${LABEL_LENGTH_MAX} lower-case letters, digits and "-", beginning and ending with a letter or digit`,
    });
  }
  if (namespace === PREFIX_OF_KIND.ConfigMap || namespace === PREFIX_OF_KIND.Secret) {
    throw new DunnageError(
      'INVALID_ARGUMENT',
      `the namespace "${namespace}" cannot be used: its directories could not be told from those of the kind`,
      { remedy: 'use another namespace' },
    );
  }
}

/**
 * The directory of an object under `projections/`.
 * @throws DunnageError INVALID_ARGUMENT (name, namespace, or a Projection in a reserved form), NAME_TOO_LONG.
 */
export function projectionDirectory(kind: ProjectionKind, namespace: string, name: string): string {
  validateObjectName(name);
  validateNamespace(namespace);
  if (kind === 'Projection') {
    refuseNamespaceOfProjection(namespace);
    refuseReservedForm(name);
    return name;
  }
  const inDefault = `${PREFIX_OF_KIND[kind]}.${name}`;
  const directory = namespace === DEFAULT_NAMESPACE ? inDefault : `${namespace}.${inDefault}`;
  if (directory.length > limits.nameBytesMax) {
    throw new DunnageError(
      'NAME_TOO_LONG',
      `the directory of ${kind} "${shown(name)}" would have ${directory.length} characters, ${limits.nameBytesMax} are possible`,
      { remedy: 'shorten the name or the namespace' },
    );
  }
  return directory;
}

/** The object a directory under `projections/` belongs to; undefined if no object has such a directory. */
export function parseProjectionDirectory(directory: string): ObjectName | undefined {
  const [, namespace = DEFAULT_NAMESPACE, prefix, rest = ''] = RESERVED_FORM.exec(directory) ?? [];
  const object: ObjectName =
    prefix === undefined
      ? { kind: 'Projection', namespace: DEFAULT_NAMESPACE, name: directory }
      : reservedObject(directory, namespace, prefix, rest);
  try {
    return projectionDirectory(object.kind, object.namespace, object.name) === directory ? object : undefined;
  } catch (error) {
    if (error instanceof DunnageError) return undefined;
    throw error;
  }
}

/** A directory that begins with the kind is in the default namespace, whatever the rest looks like. */
function reservedObject(directory: string, namespace: string, prefix: string, rest: string): ObjectName {
  const first = directory.slice(0, directory.indexOf('.'));
  const isDefault = first === PREFIX_OF_KIND.ConfigMap || first === PREFIX_OF_KIND.Secret;
  const kindName = isDefault ? first : prefix;
  const kind = kindName === PREFIX_OF_KIND.Secret ? 'Secret' : 'ConfigMap';
  if (!isDefault) return { kind, namespace, name: rest };
  return { kind, namespace: DEFAULT_NAMESPACE, name: directory.slice(first.length + 1) };
}

function refuseNamespaceOfProjection(namespace: string): void {
  if (namespace === DEFAULT_NAMESPACE) return;
  throw new DunnageError('INVALID_ARGUMENT', 'a Projection has no namespace', {
    remedy: 'remove metadata.namespace; put what it shall tell apart into the name',
  });
}

function refuseReservedForm(name: string): void {
  const form = RESERVED_FORM.exec(name);
  if (form === null) return;
  const kind = form[2] === PREFIX_OF_KIND.Secret ? 'Secret' : 'ConfigMap';
  throw new DunnageError(
    'INVALID_ARGUMENT',
    `the Projection name "${shown(name)}" is reserved: directories of that form belong to ${kind}s`,
    { remedy: 'use a name without the part "configmap." or "secret." in its first two places' },
  );
}
