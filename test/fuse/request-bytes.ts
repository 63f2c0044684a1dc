/** Builds requests as the kernel would. Numbers are written little-endian: the tests run on such hosts only. */

export type Field =
  | { readonly u32: number }
  | { readonly u64: number | bigint }
  | { readonly text: string }
  | { readonly bytes: Uint8Array };

export interface RequestFields {
  readonly opcode: number;
  readonly unique?: bigint;
  readonly nodeId?: number | bigint;
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
  readonly body?: readonly Field[];
}

export const u32 = (value: number): Field => ({ u32: value });
export const u64 = (value: number | bigint): Field => ({ u64: value });
/** A name with its NUL. */
export const text = (value: string): Field => ({ text: value });
export const bytes = (value: Uint8Array): Field => ({ bytes: value });

export function encodeFields(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      if ('text' in field) return Buffer.from(`${field.text}\0`);
      if ('bytes' in field) return Buffer.from(field.bytes);
      const buffer = Buffer.alloc('u32' in field ? 4 : 8);
      if ('u32' in field) buffer.writeUInt32LE(field.u32);
      else buffer.writeBigUInt64LE(BigInt(field.u64));
      return buffer;
    }),
  );
}

export function requestBytes(fields: RequestFields): Buffer {
  const body = encodeFields(fields.body ?? []);
  const header = encodeFields([
    u32(40 + body.length),
    u32(fields.opcode),
    u64(fields.unique ?? 2n),
    u64(fields.nodeId ?? 1),
    u32(fields.uid ?? 0),
    u32(fields.gid ?? 0),
    u32(fields.pid ?? 1),
    u32(0),
  ]);
  return Buffer.concat([header, body]);
}
