/**
 * A projection of the mount as something to write payloads to, for programs other than the daemon: the counterpart of
 * `AtomicWriter` on a plain directory. The daemon runs the same algorithm.
 */
import { validatePayload } from '../projection/path-rules.ts';
import type { FileProjection, Payload } from '../projection/payload.ts';
import type { ControlClient } from './control-client.ts';

export class MountedProjection {
  readonly #client: ControlClient;
  readonly #name: string;

  /** `Projection NAME` of the daemon behind the client; made by the first write. */
  constructor(client: ControlClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  /**
   * Makes the projection hold exactly the payload. When it resolves, the content is durable and every reader sees it.
   *
   * @throws DunnageError INVALID_PATH, NAME_TOO_LONG, INVALID_ARGUMENT for a wrong payload, UNREACHABLE without a daemon,
   *   NO_SPACE, IO.
   */
  async write(payload: Payload | Readonly<Record<string, FileProjection>>): Promise<{ readonly changed: boolean }> {
    const { action } = await this.#client.writeProjection(this.#name, validatePayload(payload));
    return { changed: action !== 'unchanged' };
  }
}
