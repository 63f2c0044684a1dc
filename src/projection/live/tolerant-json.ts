/**
 * JSON values of tables that hold nothing a user wrote: what cannot be read counts as absent and is made anew, where an
 * error would keep the daemon from starting.
 */
import { type Codec, jsonValue } from '../../store/codecs.ts';

export function tolerantJson<T>(accept: (value: unknown) => boolean): Codec<T | undefined> {
  const json = jsonValue<unknown>();
  return {
    encode: (value) => json.encode(value),
    decode(bytes) {
      try {
        const value = json.decode(bytes);
        return accept(value) ? (value as T) : undefined;
      } catch {
        return undefined;
      }
    },
  };
}
