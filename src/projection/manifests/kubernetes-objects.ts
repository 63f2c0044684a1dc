/**
 * Kubernetes ConfigMaps and Secrets as kubectl writes and prints them: every key becomes a file of mode 0644.
 * Fields Kubernetes does not know are refused where kubectl would refuse them.
 */

import type { Payload } from '../payload.ts';
import { DEFAULT_FILE_MODE, makePayload } from '../project-keys.ts';
import type { Reaction } from '../reactions/reaction.ts';
import type { SourcedSpec } from '../sources/source-spec.ts';
import type { Field } from './fields.ts';

const KEY_LENGTH_MAX = 253;
const KEY_PATTERN = /^[-._a-zA-Z0-9]+$/;

export interface ObjectContent {
  readonly payload: Payload;
  readonly immutable: boolean;
  /** Projections only. */
  readonly onSwap?: readonly Reaction[];
  readonly sourced?: SourcedSpec;
}

export function readConfigMap(object: Field): ObjectContent {
  object.only(['apiVersion', 'kind', 'metadata', 'data', 'binaryData', 'immutable']);
  const content = new Map<string, Uint8Array>();
  for (const [key, field] of keys(object.get('data'))) content.set(key, Buffer.from(field.string()));
  for (const [key, field] of keys(object.get('binaryData'))) {
    if (content.has(key)) throw field.error('the key is in data too', 'keep it in one of data and binaryData');
    content.set(key, field.base64());
  }
  return { payload: payloadOf(object, 'ConfigMap', content), immutable: readImmutable(object) };
}

export function readSecret(object: Field): ObjectContent {
  object.only(['apiVersion', 'kind', 'metadata', 'data', 'stringData', 'type', 'immutable']);
  const content = new Map<string, Uint8Array>();
  for (const [key, field] of keys(object.get('data'))) content.set(key, field.base64());
  // Write-only convenience of Kubernetes: wins over data.
  for (const [key, field] of keys(object.get('stringData'))) content.set(key, Buffer.from(field.string()));
  checkSecretType(object, content);
  return { payload: payloadOf(object, 'Secret', content), immutable: readImmutable(object) };
}

function keys(map: Field): [string, Field][] {
  const entries = map.entries();
  for (const [key, field] of entries) {
    if (key.length > KEY_LENGTH_MAX || !KEY_PATTERN.test(key) || key === '.' || key.startsWith('..')) {
      throw field.error(
        'is not a valid key',
        `use at most ${KEY_LENGTH_MAX} letters, digits, "-", "_" and ".", not beginning with ".."`,
      );
    }
  }
  return entries;
}

function payloadOf(object: Field, kind: 'ConfigMap' | 'Secret', data: ReadonlyMap<string, Uint8Array>): Payload {
  return object.checked(() => makePayload({ kind, data, defaultMode: DEFAULT_FILE_MODE }));
}

function readImmutable(object: Field): boolean {
  const field = object.get('immutable');
  return field.isAbsent ? false : field.boolean();
}

/** What Kubernetes demands of its built-in types; others, and `Opaque`, may hold anything. */
const REQUIRED_KEYS: Readonly<Record<string, { readonly all?: readonly string[]; readonly any?: readonly string[] }>> =
  {
    'kubernetes.io/tls': { all: ['tls.crt', 'tls.key'] },
    'kubernetes.io/ssh-auth': { all: ['ssh-privatekey'] },
    'kubernetes.io/basic-auth': { any: ['username', 'password'] },
    'kubernetes.io/dockercfg': { all: ['.dockercfg'] },
    'kubernetes.io/dockerconfigjson': { all: ['.dockerconfigjson'] },
  };
const JSON_KEYS = ['.dockercfg', '.dockerconfigjson'];

/** A Secret of this type belongs to an account, which an annotation names. */
const ACCOUNT_TOKEN = 'kubernetes.io/service-account-token';
const ACCOUNT_NAME = 'kubernetes.io/service-account.name';

function checkSecretType(object: Field, content: ReadonlyMap<string, Uint8Array>): void {
  const field = object.get('type');
  if (field.isAbsent) return;
  const type = field.string();
  const account = object.get('metadata').get('annotations').get(ACCOUNT_NAME);
  if (type === ACCOUNT_TOKEN && (account.isAbsent || account.string() === '')) {
    throw account.error('a Secret of this type needs the annotation', 'give the name of the service account');
  }
  const required = Object.hasOwn(REQUIRED_KEYS, type) ? REQUIRED_KEYS[type] : undefined;
  for (const key of required?.all ?? []) {
    if (!content.has(key)) throw field.error(`a Secret of this type needs the key "${key}"`);
    if (JSON_KEYS.includes(key) && !isJsonObject(content.get(key))) {
      throw field.error(`the content of "${key}" is not a JSON object`);
    }
  }
  if (required?.any !== undefined && !required.any.some((key) => content.has(key))) {
    throw field.error(`a Secret of this type needs one of the keys "${required.any.join('", "')}"`);
  }
}

function isJsonObject(bytes: Uint8Array | undefined): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes ?? []).toString());
    return typeof value === 'object' && !Array.isArray(value);
  } catch {
    return false;
  }
}
