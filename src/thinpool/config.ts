/** The TOML file of the reference: where a pool's metadata lie, which pool it is, and how large its devices are. */
import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { parse, TomlError } from 'smol-toml';
import { DunnageError, fromSystemError } from '../errors/dunnage-error.ts';
import { parsePoolSize } from './size.ts';

export const FILE_SYSTEM_TYPES = ['ext4', 'xfs', 'ext2'] as const;
export type FileSystemType = (typeof FILE_SYSTEM_TYPES)[number];

/** As it stands in the file, with the defaults filled in. */
export interface PoolConfig {
  /** Directory of the metadata. */
  readonly root_path: string;
  readonly pool_name: string;
  /** Size of every new device, as written. */
  readonly base_image_size: string;
  /** Removal only marks; a cleanup deletes. */
  readonly async_remove: boolean;
  /** Blocks of a removed device are given back to what the pool lies on. */
  readonly discard_blocks: boolean;
  readonly fs_type: FileSystemType;
  /** Further options for mkfs, as written. */
  readonly fs_options: string;
}

export interface LoadedPoolConfig extends PoolConfig {
  /** `base_image_size` in bytes. */
  readonly baseImageSizeBytes: number;
}

type RawConfig = { readonly [Key in keyof PoolConfig]?: PoolConfig[Key] extends boolean ? boolean : string };

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const isRawConfig = new Ajv({ strict: true }).compile<RawConfig>({
  type: 'object',
  // Keys of other versions are left alone, as the reference does.
  additionalProperties: true,
  properties: {
    root_path: text,
    pool_name: text,
    base_image_size: text,
    async_remove: flag,
    discard_blocks: flag,
    fs_type: text,
    fs_options: text,
  },
});

/** ext4 without these would write its tables for minutes after the first mount, into space that nobody uses yet. */
const EXT4_OPTIONS = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0';

/** Further options for mkfs, with what is the rule for the type if nothing is said. */
export function fileSystemOptions(type: string, options: string): string {
  return options === '' && type === 'ext4' ? EXT4_OPTIONS : options;
}

/** Throws NOT_FOUND (no such file) and what `parsePoolConfig` throws. */
export async function loadConfig(path: string): Promise<LoadedPoolConfig> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    throw fromSystemError(error, 'cannot read the configuration of a pool');
  }
  return parsePoolConfig(content, path);
}

/**
 * Throws INVALID_ARGUMENT that names all that is wrong at once. A file that says nothing has four errors. `fs_type` may be left out
 * if anything else is said.
 */
export function parsePoolConfig(content: string, file: string): LoadedPoolConfig {
  const raw = readToml(content, file);
  const isEmpty = Object.keys(raw).length === 0;
  const fsType = raw.fs_type ?? (isEmpty ? '' : 'ext4');
  const fsOptions = raw.fs_options ?? '';
  const sizeBytes = parsePoolSize(raw.base_image_size ?? '');
  const problems = findProblems(raw, fsType, sizeBytes);
  if (problems.length > 0) throw new DunnageError('INVALID_ARGUMENT', `${file}: ${problems.join('; ')}`);
  return {
    root_path: raw.root_path ?? '',
    pool_name: raw.pool_name ?? '',
    base_image_size: raw.base_image_size ?? '',
    async_remove: raw.async_remove ?? false,
    discard_blocks: raw.discard_blocks ?? false,
    fs_type: fsType as FileSystemType,
    fs_options: fileSystemOptions(fsType, fsOptions),
    baseImageSizeBytes: sizeBytes ?? 0,
  };
}

function readToml(content: string, file: string): RawConfig {
  let value: unknown;
  try {
    value = parse(content);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n', 1)[0]?.replace(/^Invalid TOML document: /, '') ?? '';
    throw new DunnageError('INVALID_ARGUMENT', `${file}:${error.line}: not valid TOML: ${reason}`, { cause: error });
  }
  if (isRawConfig(value)) return value;
  const [first] = isRawConfig.errors ?? [];
  throw new DunnageError('INVALID_ARGUMENT', `${file}: ${first?.instancePath.slice(1)}: ${first?.message}`);
}

function findProblems(raw: RawConfig, fsType: string, sizeBytes: number | undefined): readonly string[] {
  const problems: string[] = [];
  if (!raw.pool_name) problems.push('pool_name is required');
  if (!raw.root_path) problems.push('root_path is required');
  if (!raw.base_image_size) problems.push('base_image_size is required');
  else if (sizeBytes === undefined || sizeBytes === 0) {
    problems.push(`failed to parse base image size: '${raw.base_image_size}': invalid size: '${raw.base_image_size}'`);
  }
  if (fsType === '') problems.push('filesystem type cannot be empty');
  else if (!(FILE_SYSTEM_TYPES as readonly string[]).includes(fsType)) {
    problems.push(`unsupported Filesystem Type: ${JSON.stringify(fsType)}`);
  }
  return problems;
}
