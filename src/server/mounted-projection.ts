/**
 * A projection of the mount as something to write payloads to, for programs other than the daemon: the counterpart of
 * `AtomicWriter` on a plain directory. The daemon runs the same algorithm.
 */
import { KeyedMutex } from '../base/mutex.ts';
import { validatePayload } from '../projection/path-rules.ts';
import type { FileAttributes, FileProjection, Payload } from '../projection/payload.ts';
import type { ControlClient } from './control-client.ts';

export class MountedProjection {
  readonly #client: ControlClient;
  readonly #name: string;
  readonly #queue = new KeyedMutex<'write'>();

  /** `Projection NAME` of the daemon behind the client; made by the first write. */
  constructor(client: ControlClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  /**
   * Makes the projection hold exactly the payload. When it resolves, the content is durable and every reader sees it. Writes of
   * one instance happen one after another, in the order they were asked for.
   *
   * @throws DunnageError INVALID_PATH, NAME_TOO_LONG, INVALID_ARGUMENT for a wrong payload, UNREACHABLE without a daemon,
   *   NO_SPACE, IO.
   */
  async write(payload: Payload | Readonly<Record<string, FileProjection>>): Promise<{ readonly changed: boolean }> {
    const checked = validatePayload(payload);
    const { action } = await this.#queue.run('write', () => this.#client.writeProjection(this.#name, checked));
    return { changed: action !== 'unchanged' };
  }

  /**
   * Adds or replaces one file, whatever its length, in memory that does not grow with it; the other files stay. One swap. Mode and
   * owner that are not given are those of the file that is replaced (0644 and the daemon's for a new one). If `content` throws,
   * that is thrown and nothing has changed. Same errors as `write`.
   */
  async writeFile(
    path: string,
    content: AsyncIterable<Uint8Array>,
    attributes: Partial<FileAttributes> = {},
  ): Promise<{ readonly changed: boolean }> {
    const { action } = await this.#queue.run('write', () =>
      this.#client.writeFile(this.#name, { path, ...attributes, content }),
    );
    return { changed: action !== 'unchanged' };
  }

  /** Takes one file away; the other files stay. Throws NOT_FOUND if it is not there. */
  async removeFile(path: string): Promise<void> {
    await this.#queue.run('write', () => this.#client.removeFile(this.#name, path));
  }
}
