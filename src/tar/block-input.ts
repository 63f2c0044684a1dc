/** Bytes as they arrive, taken in the portions that a format wants. What was fed is not copied unless a portion spans two pieces. */
export class BlockInput {
  readonly #pieces: Uint8Array[] = [];
  /** Where the first piece is read on. */
  #at = 0;
  #size = 0;
  #position = 0;

  /** Bytes that can be taken. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that were taken or dropped so far. */
  get position(): number {
    return this.#position;
  }

  feed(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#size += bytes.length;
  }

  /** Exactly so many bytes, or undefined if they have not arrived. */
  take(length: number): Uint8Array | undefined {
    if (length > this.#size) return undefined;
    const first = this.#pieces[0];
    if (first === undefined) return new Uint8Array(0);
    if (first.length - this.#at >= length) return this.takeSome(length) ?? new Uint8Array(0);
    const joined = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const part = this.takeSome(length - done) as Uint8Array;
      joined.set(part, done);
      done += part.length;
    }
    return joined;
  }

  /** So many bytes at most, as they lie together; undefined if there are none. */
  takeSome(most: number): Uint8Array | undefined {
    const first = this.#pieces[0];
    if (first === undefined || most === 0) return undefined;
    const end = Math.min(first.length, this.#at + most);
    const part = first.subarray(this.#at, end);
    if (end === first.length) {
      this.#pieces.shift();
      this.#at = 0;
    } else {
      this.#at = end;
    }
    this.#size -= part.length;
    this.#position += part.length;
    return part;
  }

  /** Drops so many bytes at most; returns how many there were. */
  drop(most: number): number {
    let left = most;
    while (left > 0) {
      const part = this.takeSome(left);
      if (part === undefined) break;
      left -= part.length;
    }
    return most - left;
  }
}
