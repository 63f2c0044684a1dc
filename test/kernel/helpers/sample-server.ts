/** Serves a `SampleFileSystem` over the kernel transport: what `sample-daemon` runs, in its main thread or in a worker. */
import { constants } from 'node:fs';
import type { Log } from '../../../src/base/log.ts';
import { Connection } from '../../../src/fuse/connection.ts';
import { HolderClient } from '../../../src/fuse/holder-client.ts';
import { decodeNegotiated, encodeNegotiated, type NegotiatedRecord } from '../../../src/fuse/init.ts';
import { PROFILES, type Profile, type ProfileName } from '../../../src/fuse/profiles.ts';
import { JOURNAL_BYTES, RequestJournal } from '../../../src/fuse/request-journal.ts';
import { loadNative } from '../../../src/native/load.ts';
import type { Commands } from './child-side.ts';
import { SampleFileSystem } from './sample-file-system.ts';

export interface SampleSettings {
  readonly mountPoint: string;
  readonly profile: ProfileName;
  readonly worker?: boolean;
  readonly extendedAttributes?: boolean;
  readonly handles?: boolean;
  /** Keeps the descriptor in this holder; if the holder has one already, it is taken over. */
  readonly holderSocket?: string;
  /** As if the kernel could not send requests again (before Linux 6.9): the journal has them. */
  readonly withoutResend?: boolean;
}

const ENTRY = 'sample';
const JOURNAL_ENTRY = 'journal-sample';

export class SampleServer {
  readonly commands: Commands;
  /** INIT was answered. */
  readonly ready: Promise<void>;
  readonly #fileSystem = new SampleFileSystem();
  readonly #connection: Connection;
  readonly #ended: Promise<number>;
  readonly #logged: string[] = [];
  readonly #holder: HolderClient | undefined;
  readonly #device: number;
  readonly #mountPoint: string;

  constructor(settings: SampleSettings) {
    this.#mountPoint = settings.mountPoint;
    if (settings.extendedAttributes) this.#fileSystem.withExtendedAttributes();
    if (settings.handles) this.#fileSystem.withHandles();
    this.#holder = settings.holderSocket === undefined ? undefined : HolderClient.connect(settings.holderSocket);
    this.#holder?.attach();
    const entries = this.#holder?.entries() ?? [];
    const held = entries.find(({ name }) => name === ENTRY);
    const journal =
      entries.find(({ name }) => name === JOURNAL_ENTRY)?.descriptor ??
      loadNative().createMemfd(JOURNAL_ENTRY, JOURNAL_BYTES);
    this.#device = held?.descriptor ?? loadNative().openFuseDevice();
    const resume = held === undefined ? undefined : decodeNegotiated(held.record);

    let initialised: (record: NegotiatedRecord) => void = () => undefined;
    const negotiated = new Promise<NegotiatedRecord>((resolve) => {
      initialised = resolve;
    });
    let ended: (errno: number) => void = () => undefined;
    this.#ended = new Promise((resolve) => {
      ended = resolve;
    });
    this.#connection = new Connection({
      name: 'sample',
      device: this.#device,
      fileSystem: this.#fileSystem,
      profile: profileOf(settings),
      journal: new RequestJournal(loadNative().mapShared(journal, JOURNAL_BYTES)),
      log: this.#log(),
      ...(resume === undefined ? {} : { resume }),
      onInit: (record) => {
        if (!record.features.includes('HAS_RESEND')) this.#holder?.put(JOURNAL_ENTRY, new Uint8Array(), journal);
        this.#holder?.put(ENTRY, encodeNegotiated(record), this.#device);
        initialised(record);
      },
      onEnd: (errno) => ended(errno),
    });
    if (resume === undefined) this.#mount();
    else initialised(resume);
    this.#connection.start();
    if (resume !== undefined) this.#connection.requestResend();
    this.ready = negotiated.then(() => undefined);
    this.commands = this.#commands(negotiated);
  }

  /** For the end of the process: never waits on the mount. */
  detach(): void {
    try {
      loadNative().unmount(this.#mountPoint, true);
    } catch {
      // Unmounted already.
    }
  }

  #mount(): void {
    loadNative().mountFuse({
      device: this.#device,
      target: this.#mountPoint,
      source: 'sample',
      subtype: 'dunnage-test',
      rootMode: constants.S_IFDIR | 0o755,
      userId: 0,
      groupId: 0,
      allowOther: true,
      readOnly: false,
      extraOptions: '',
    });
  }

  #commands(negotiated: Promise<NegotiatedRecord>): Commands {
    const fileSystem = this.#fileSystem;
    const connection = this.#connection;
    return {
      statistics: () => connection.statistics(),
      record: () => negotiated,
      logged: () => this.#logged,
      references: () => [...fileSystem.references],
      allForgotten: () => fileSystem.allForgotten(),
      openHandles: () => fileSystem.openHandles,
      resentOperations: () => fileSystem.resentOperations,
      openGate: () => fileSystem.openGate(),
      addSilently: ({ directory, name }) => fileSystem.addSilently(String(directory), String(name)),
      invalidateEntry: ({ parent, name }) =>
        connection.kernelCache.invalidateEntry(Number(parent) as never, String(name)),
      drained: () => this.#drained(),
      ended: () => this.#ended,
      close: () => connection.close(),
      closeDevice: () => loadNative().closeDescriptor(this.#device),
    };
  }

  /** Every notification queued so far was written. */
  async #drained(): Promise<void> {
    while (this.#connection.statistics().pendingNotifications > 0)
      await new Promise((resolve) => setImmediate(resolve));
  }

  #log(): Log {
    const keep =
      (level: string): Log['info'] =>
      (fields, message) => {
        this.#logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
      };
    return { debug: () => undefined, info: keep('info'), warn: keep('warn'), error: keep('error') };
  }
}

function profileOf({ profile, withoutResend }: SampleSettings): Profile {
  const { name, features } = PROFILES[profile];
  return { name, features: features.filter((feature) => !withoutResend || feature !== 'HAS_RESEND') };
}
