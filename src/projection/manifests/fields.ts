/**
 * Reading one document field by field. Every complaint names the document, the object, the line and the field, says
 * what is wanted, and never shows a value.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { decodeBase64 } from '../base64.ts';
import { MODE_MAX, shown } from '../path-rules.ts';
import type { FieldPath, YamlDocument } from './yaml-documents.ts';

/** Where a field stands: in which document, of which object, where the object begins in the document. */
export interface FieldContext {
  readonly document: YamlDocument;
  /** e.g. `Secret "db"`; empty if not known yet. */
  readonly title: string;
  readonly root: FieldPath;
}

export class Field {
  readonly context: FieldContext;
  readonly path: FieldPath;
  readonly value: unknown;

  constructor(context: FieldContext, path: FieldPath, value: unknown) {
    this.context = context;
    this.path = path;
    this.value = value;
  }

  /** Absent or null: what kubectl treats alike. */
  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  get(key: string): Field {
    const value = isRecord(this.value) && Object.hasOwn(this.value, key) ? this.value[key] : undefined;
    return new Field(this.context, [...this.path, key], value);
  }

  /** The fields of a map, or none if it is absent. */
  entries(): [string, Field][] {
    if (this.isAbsent) return [];
    if (!isRecord(this.value)) throw this.error('must be a map of keys to values');
    return Object.keys(this.value).map((key) => [key, this.get(key)]);
  }

  /** Refuses keys that are not listed. The field must be a map. */
  only(keys: readonly string[]): this {
    if (!isRecord(this.value)) throw this.error('must be a map of keys to values');
    for (const key of Object.keys(this.value)) {
      if (!keys.includes(key)) throw this.get(key).error('is not a known field', `known here: ${keys.join(', ')}`);
    }
    return this;
  }

  items(): Field[] {
    if (!Array.isArray(this.value)) throw this.error('must be a list');
    return this.value.map((item: unknown, index) => new Field(this.context, [...this.path, index], item));
  }

  string(): string {
    if (this.isAbsent) throw this.error('is missing');
    if (typeof this.value !== 'string') throw this.error('must be a string', 'put the value in quotes');
    return this.value;
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') throw this.error('must be true or false');
    return this.value;
  }

  integer(max: number): number {
    const { value } = this;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
    throw this.error(`must be an integer from 0 to ${max}`);
  }

  /** Permission bits: `0644`, `0o644`, `"0644"` (octal) or `420` (decimal). */
  mode(): number {
    const { value } = this;
    const octal = typeof value === 'string' && /^(?:0o)?[0-7]{1,4}$/.test(value);
    const mode = octal ? Number.parseInt(value.replace('0o', ''), 8) : value;
    if (typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= MODE_MAX) return mode;
    throw this.error('must be permission bits between 0 and 0777', 'write them octal with a leading zero, e.g. 0644');
  }

  /** Bytes from base64; line breaks are ignored, as Kubernetes does. */
  base64(): Buffer {
    const bytes = decodeBase64(this.string().replace(/[\r\n]/g, ''));
    if (bytes === undefined) throw this.error('is not valid base64', 'encode it with `base64 -w0`');
    return bytes;
  }

  /** Runs a check; its complaint is told as one about this field. */
  checked<T>(check: () => T): T {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof DunnageError)) throw error;
      throw this.error(error.message, error.remedy);
    }
  }

  error(reason: string, remedy?: string): DunnageError {
    const { document, title, root } = this.context;
    const line = document.lineOf([...root, ...this.path]);
    const name = fieldName(this.path);
    const where = `document ${document.index}${title === '' ? '' : ` (${title})`}, line ${line}`;
    const message = name === '' ? `${where}: ${reason}` : `${where}: ${name}: ${reason}`;
    return new DunnageError('INVALID_MANIFEST', message, remedy === undefined ? {} : { remedy });
  }
}

/** `spec.files[2].mode`, `data["tls.crt"]`. */
function fieldName(path: FieldPath): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^\w+$/.test(step)) return `["${shown(step)}"]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
