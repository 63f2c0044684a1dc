/**
 * The daemon's log: pino, one JSON object per line on standard error. Rooms log ids, names, sizes and errors, never
 * content; what could carry content by mistake is cut out here as well.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { Log } from '../base/log.ts';
import { DunnageError } from '../errors/dunnage-error.ts';

const REDACTED_KEYS = [
  'data',
  'stringData',
  'binaryData',
  'content',
  'payload',
  'body',
  'files',
  'manifest',
  'authorization',
];

export async function createLog(level: string, format: 'json' | 'pretty', target?: DestinationStream): Promise<Log> {
  const stream = target ?? (format === 'pretty' ? await prettyStream() : jsonStream());
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      redact: { paths: REDACTED_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[redacted]' },
    },
    stream,
  );
  return toLog(logger);
}

/** Lines that cannot be written (a full disk) wait here for room, up to so many bytes; more are lost. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;

function jsonStream(): DestinationStream {
  const stream = destination({ dest: 2, sync: true, maxLength: UNWRITTEN_BYTES_MAX });
  // A log that cannot be written must not end the daemon: containers would lose their files.
  stream.on('error', () => undefined);
  return stream;
}

async function prettyStream(): Promise<DestinationStream> {
  try {
    const { default: pretty } = await import('pino-pretty');
    return pretty({ destination: 2, sync: true });
  } catch (cause) {
    throw new DunnageError('MISSING_DEPENDENCY', 'readable logs need the package pino-pretty', {
      remedy: 'npm install --save-dev pino-pretty, or leave out the log format',
      cause,
    });
  }
}

function toLog(logger: Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
