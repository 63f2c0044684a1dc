/**
 * The specs of projections with sources, kept so that they are followed again after a restart. Literal content is kept
 * apart from the rest, and sealed if the projection is protected as a Secret is: then it is gone after a reboot, and the
 * manifest has to be applied again, while a spec without literal content is followed as before.
 */
import { DunnageError } from '../../errors/dunnage-error.ts';
import { bytesValue, jsonValue, stringKey } from '../../store/codecs.ts';
import { toDigest } from '../../store/digest.ts';
import { seal, unseal } from '../../store/sealed-content.ts';
import type { SealingKey } from '../../store/sealing-key.ts';
import type { Store, Table } from '../../store/store.ts';
import type { ObjectMetadata } from './metadata-source.ts';
import type { InlineFile, LiteralSource, SourcedSpec, SourceSpec } from './source-spec.ts';

/** A spec and whose it is. */
export interface KeptSpec {
  readonly metadata: ObjectMetadata;
  readonly spec: SourcedSpec;
}

type StoredSource = Exclude<SourceSpec, LiteralSource> | (Omit<LiteralSource, 'content'> & { keys: string[] });

interface SpecRow {
  readonly metadata: ObjectMetadata;
  readonly spec: Omit<SourcedSpec, 'sources' | 'files'>;
  readonly sources: readonly StoredSource[];
  readonly files: readonly Omit<InlineFile, 'data'>[];
  readonly literals: { readonly digest: string; readonly sizeBytes: number; readonly keyId: string };
}

export class SpecTable {
  readonly #store: Store;
  readonly #key: SealingKey;
  readonly #rows: Table<string, SpecRow>;
  readonly #literals: Table<string, Uint8Array>;

  constructor(store: Store, key: SealingKey) {
    this.#store = store;
    this.#key = key;
    this.#rows = store.table('projection-specs', stringKey, jsonValue<SpecRow>());
    this.#literals = store.table('projection-spec-literals', stringKey, bytesValue);
  }

  directories(): string[] {
    this.#store.refresh();
    return [...this.#rows.range({})].map(({ key }) => key);
  }

  /** One buffered commit; the swap that follows makes it durable. The result takes it back. */
  put(directory: string, { metadata, spec }: KeptSpec, secret: boolean): () => void {
    const { sources, files, ...rest } = spec;
    const literals = Buffer.from(
      JSON.stringify(contentsOf(spec).map((bytes) => Buffer.from(bytes).toString('base64'))),
    );
    const digest = this.#key.digestOf(literals);
    const stored = secret ? seal(this.#key.encryptionKey, digest, literals) : literals;
    const row: SpecRow = {
      metadata,
      spec: rest,
      sources: sources.map(withoutContent),
      files: files.map(({ data: _, ...file }) => file),
      literals: { digest: digest.toString('hex'), sizeBytes: literals.length, keyId: secret ? this.#key.id : '' },
    };
    this.#store.refresh();
    const before = this.#rows.get(directory);
    const literalsBefore = this.#literals.get(directory);
    // What the store gives may be its own memory, good until the next change.
    const copy = literalsBefore && Uint8Array.from(literalsBefore);
    this.#write(directory, row, stored);
    return () => this.#write(directory, before, copy);
  }

  #write(directory: string, row: SpecRow | undefined, stored: Uint8Array | undefined): void {
    this.#store.transactBuffered(() => {
      if (row === undefined) this.#rows.remove(directory);
      else this.#rows.put(directory, row);
      if (stored === undefined) this.#literals.remove(directory);
      else this.#literals.put(directory, stored);
    });
  }

  remove(directory: string): void {
    this.#write(directory, undefined, undefined);
  }

  /** @throws DunnageError AWAITING_SOURCE (literal content is sealed with a key that is gone), CORRUPT. */
  get(directory: string): KeptSpec | undefined {
    this.#store.refresh();
    const row = this.#rows.get(directory);
    if (row === undefined) return undefined;
    const contents = hasLiterals(row) ? this.#contents(directory, row) : [];
    let next = 0;
    const take = (): Uint8Array => contents[next++] ?? new Uint8Array();
    const sources = row.sources.map((source): SourceSpec => {
      if (source.kind !== 'literal') return source;
      const { keys, ...rest } = source;
      return { ...rest, content: new Map(keys.map((key) => [key, take()])) };
    });
    const files = row.files.map((file): InlineFile => ({ ...file, data: take() }));
    return { metadata: row.metadata, spec: { ...row.spec, sources, files } };
  }

  #contents(directory: string, { literals }: SpecRow): Uint8Array[] {
    const { keyId, sizeBytes } = literals;
    const stored = this.#literals.get(directory);
    if (stored === undefined) throw new DunnageError('CORRUPT', `the spec of ${directory} has lost its content`);
    if (keyId !== '' && keyId !== this.#key.id) {
      throw new DunnageError('AWAITING_SOURCE', `the spec of ${directory} is sealed with a key that is gone`, {
        remedy: 'apply its manifest again',
      });
    }
    const digest = toDigest(Buffer.from(literals.digest, 'hex'));
    const plain = keyId === '' ? stored : unseal(this.#key.encryptionKey, digest, sizeBytes, 0, stored);
    const texts = JSON.parse(Buffer.from(plain).toString()) as readonly string[];
    return texts.map((text) => Buffer.from(text, 'base64'));
  }
}

function hasLiterals({ sources, files }: SpecRow): boolean {
  return files.length > 0 || sources.some((source) => source.kind === 'literal' && source.keys.length > 0);
}

function contentsOf({ sources, files }: SourcedSpec): Uint8Array[] {
  const literals = sources.flatMap((source) => (source.kind === 'literal' ? [...source.content.values()] : []));
  return [...literals, ...files.map(({ data }) => data)];
}

function withoutContent(source: SourceSpec): StoredSource {
  if (source.kind !== 'literal') return source;
  const { content, ...rest } = source;
  return { ...rest, keys: [...content.keys()] };
}
