/** Frames and files on the wire: the reference's names of fields, its order, and what is empty left out. */
import { type FileInfo, timeText } from '../alloc/files/file-info.ts';
import type { StreamFrame } from '../alloc/files/stream-frames.ts';
import { DunnageError } from '../errors/dunnage-error.ts';

export interface FileInfoJson {
  readonly Name: string;
  readonly IsDir: boolean;
  readonly Size: number;
  readonly FileMode: string;
  readonly ModTime: string;
  readonly ContentType?: string;
}

export function fileInfoJson(info: FileInfo): FileInfoJson {
  return {
    Name: info.name,
    IsDir: info.isDir,
    Size: info.sizeBytes,
    FileMode: info.fileMode,
    ModTime: timeText(info.modTimeNs),
    ...(info.contentType === undefined ? {} : { ContentType: info.contentType }),
  };
}

/** `hasTokens`: with a `Token` to go on after the frame, which the reference does not have. */
export function encodeFrame({ offset, data, file, fileEvent, token }: StreamFrame, hasTokens: boolean): string {
  return JSON.stringify({
    ...(offset === undefined || offset === 0 ? {} : { Offset: offset }),
    ...(data === undefined ? {} : { Data: data.toString('base64') }),
    ...(file === undefined ? {} : { File: file }),
    ...(fileEvent === undefined ? {} : { FileEvent: fileEvent }),
    ...(hasTokens && token !== undefined ? { Token: token } : {}),
  });
}

/** Frames stand one after another with nothing between them. */
export async function* decodeFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamFrame> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    for (let end = objectEnd(rest); end > 0; end = objectEnd(rest)) {
      yield frameOf(rest.slice(0, end));
      rest = rest.slice(end);
    }
  }
  if (rest.trim() !== '') throw new DunnageError('UNREACHABLE', 'the stream ended within a frame');
}

/** Position after the first whole object, which holds no other; 0 if there is none yet. */
function objectEnd(text: string): number {
  let isText = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (isText && character === '\\') at += 1;
    else if (character === '"') isText = !isText;
    else if (!isText && character === '}') return at + 1;
  }
  return 0;
}

function frameOf(text: string): StreamFrame {
  const { Offset, Data, File, FileEvent, Token } = JSON.parse(text) as Record<string, string | number | undefined>;
  return {
    ...(File === undefined ? {} : { file: String(File), offset: Number(Offset ?? 0) }),
    ...(Data === undefined ? {} : { data: Buffer.from(String(Data), 'base64') }),
    ...(FileEvent === undefined ? {} : { fileEvent: FileEvent as NonNullable<StreamFrame['fileEvent']> }),
    ...(Token === undefined ? {} : { token: String(Token) }),
  };
}
