/** What a follower tells: bytes of a file, or what has become of it; and from where to go on after it. */
import { DunnageError } from '../../errors/dunnage-error.ts';
import type { TailReader } from './tail-reader.ts';

export type FileEvent = 'file deleted' | 'file truncated';

/** The first event comes as soon as everything is open, and has neither bytes nor word of the file: only where it begins. */
export interface FollowEvent {
  /** Path within the alloc. */
  readonly file: string;
  /** Position in the file after the bytes. */
  readonly offset: number;
  readonly data?: Buffer;
  readonly fileEvent?: FileEvent;
  /** `resume` of another follower with this goes on after the event. */
  readonly token: string;
}

export interface FollowOptions {
  /** Bytes from the origin. Default 0. */
  readonly offset?: number;
  /** `end`: the offset is counted backwards from the end; before the beginning is the beginning. Default `start`. */
  readonly origin?: 'start' | 'end';
  /** Go on when the end is reached. */
  readonly follow: boolean;
  /** Token of an event; takes the place of offset and origin. */
  readonly resume?: string;
  /** Ends the events. */
  readonly signal: AbortSignal;
}

/** What a token holds: which file (also under another name), how far, and what stood before. */
export interface ResumePoint {
  readonly file: string;
  readonly inode: string;
  readonly bornNs: string;
  readonly offset: number;
  readonly digest: string;
}

export function resumePoint(file: string, reader: TailReader): ResumePoint {
  const { ino, birthtimeNs } = reader.stats();
  return { file, inode: String(ino), bornNs: String(birthtimeNs), offset: reader.offset, digest: reader.digest };
}

export function isSameFile(point: ResumePoint, { ino, birthtimeNs }: { ino: bigint; birthtimeNs: bigint }): boolean {
  return point.inode === String(ino) && point.bornNs === String(birthtimeNs);
}

export function formatToken({ file, inode, bornNs, offset, digest }: ResumePoint): string {
  return Buffer.from(JSON.stringify([1, file, inode, bornNs, offset, digest])).toString('base64url');
}

/** @throws DunnageError INVALID_ARGUMENT */
export function parseToken(token: string): ResumePoint {
  const [version, file, inode, bornNs, offset, digest] = fieldsOf(token);
  const isPoint =
    version === 1 &&
    [file, inode, bornNs, digest].every((field) => typeof field === 'string') &&
    Number.isSafeInteger(offset) &&
    Number(offset) >= 0;
  if (!isPoint) {
    throw new DunnageError('INVALID_ARGUMENT', 'the resume token cannot be read', {
      remedy: 'give the token of an earlier answer as it was, or start without one',
    });
  }
  return { file, inode, bornNs, offset, digest } as ResumePoint;
}

function fieldsOf(token: string): readonly unknown[] {
  try {
    const fields: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    return Array.isArray(fields) ? fields : [];
  } catch {
    return [];
  }
}
