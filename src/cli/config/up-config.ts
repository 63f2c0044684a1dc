/** The TOML file of `up --config`: the long options in snake_case, nothing else. */
import { Ajv, type ErrorObject } from 'ajv';
import { parse, TomlError } from 'smol-toml';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { nearest } from '../nearest.ts';

export const TRANSPORTS = ['auto', 'kernel', 'fuse-native'] as const;
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export const LOG_FORMATS = ['json', 'pretty'] as const;

/** What a config file may say. Paths are as written; durations are text. */
export interface UpConfig {
  readonly state_dir?: string;
  readonly runtime_dir?: string;
  readonly mount?: string;
  readonly alloc_dir?: string;
  readonly socket?: string;
  readonly transport?: (typeof TRANSPORTS)[number];
  readonly takeover_timeout?: string;
  readonly key_file?: string;
  readonly scrub_rate?: string;
  readonly scrub_interval?: string;
  readonly log_level?: (typeof LOG_LEVELS)[number];
  readonly log_format?: (typeof LOG_FORMATS)[number];
}

const path = { type: 'string', minLength: 1 } as const;
const PROPERTIES = {
  state_dir: path,
  runtime_dir: path,
  mount: path,
  alloc_dir: path,
  socket: path,
  transport: { type: 'string', enum: TRANSPORTS },
  takeover_timeout: { type: 'string' },
  key_file: path,
  scrub_rate: { type: 'string' },
  scrub_interval: { type: 'string' },
  log_level: { type: 'string', enum: LOG_LEVELS },
  log_format: { type: 'string', enum: LOG_FORMATS },
} as const;

export const UP_CONFIG_KEYS: readonly string[] = Object.keys(PROPERTIES);

const isUpConfig = new Ajv({ strict: true }).compile<UpConfig>({
  type: 'object',
  additionalProperties: false,
  properties: PROPERTIES,
});

/** @throws INVALID_ARGUMENT naming the file and the key (with the nearest valid one) or the line. */
export function parseUpConfig(text: string, file: string): UpConfig {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n', 1)[0]?.replace(/^Invalid TOML document: /, '') ?? '';
    throw new DunnageError('INVALID_ARGUMENT', `${file}:${error.line}: not valid TOML: ${reason}`, { cause: error });
  }
  if (isUpConfig(value)) return value;
  throw explain(isUpConfig.errors?.[0], file);
}

function explain(error: ErrorObject | undefined, file: string): DunnageError {
  if (error?.keyword === 'additionalProperties') {
    const key = String(error.params['additionalProperty']);
    const near = nearest(key.replaceAll('-', '_'), UP_CONFIG_KEYS);
    const remedy = near === undefined ? `valid keys: ${UP_CONFIG_KEYS.join(', ')}` : `did you mean ${near}?`;
    return new DunnageError('INVALID_ARGUMENT', `${file}: unknown key ${JSON.stringify(key)}`, { remedy });
  }
  const key = error?.instancePath.slice(1) ?? '';
  const allowed =
    error?.keyword === 'enum' ? `must be one of ${(error.params['allowedValues'] as string[]).join(', ')}` : undefined;
  return new DunnageError('INVALID_ARGUMENT', `${file}: ${key}: ${allowed ?? error?.message ?? 'not valid'}`);
}
