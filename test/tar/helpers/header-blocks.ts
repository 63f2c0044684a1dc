/** Header blocks byte by byte, also such that no writer makes. */

export interface BlockFields {
  readonly name?: string;
  readonly mode?: string;
  readonly userId?: string;
  readonly size?: string;
  readonly modifyTime?: string;
  readonly type?: string;
  readonly link?: string;
  readonly magic?: string;
  readonly prefix?: string;
  readonly mark?: string;
  /** Placed at 386: the map of an old sparse file. */
  readonly sparse?: string;
  readonly sum?: 'plain' | 'signed' | 'wrong';
}

export function headerBlock(fields: BlockFields): Buffer {
  const block = Buffer.alloc(512);
  const put = (at: number, text: string | undefined): void => void block.write(text ?? '', at, 'latin1');
  put(0, fields.name ?? 'name');
  put(100, fields.mode ?? '0000644');
  put(108, fields.userId ?? '0000000');
  put(116, '0000000');
  put(124, fields.size ?? '00000000000');
  put(136, fields.modifyTime ?? '00000000000');
  put(156, fields.type ?? '0');
  put(157, fields.link);
  put(257, fields.magic ?? 'ustar\x0000');
  put(345, fields.prefix);
  put(386, fields.sparse);
  put(508, fields.mark);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + (fields.sum === 'signed' && byte > 127 ? byte - 256 : byte), 0);
  put(148, `${(fields.sum === 'wrong' ? sum + 1 : sum).toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** Filled up to whole blocks. */
export function content(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string, 'latin1');
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

export const END: Buffer = Buffer.alloc(1024);

export function octal(value: number): string {
  return value.toString(8).padStart(11, '0');
}

/** An extended header (`x` or `g`) with these records as they are. */
export function extended(records: string, type = 'x'): Buffer {
  return Buffer.concat([headerBlock({ name: 'PaxHeaders', type, size: octal(records.length) }), content(records)]);
}
