/** How a daemon is started. Every path is absolute. */
export interface DaemonOptions {
  /** What must survive a reboot: metadata and blobs. */
  readonly stateDir: string;
  /** Sockets, locks and the key of secrets; on tmpfs. */
  readonly runtimeDir: string;
  /** Where the tree is mounted. */
  readonly mountPoint: string;
  readonly controlSocket: string;
  /** Where alloc directories are kept: a directory of a local file system. Default: `<state-dir>/allocs`. */
  readonly allocDir?: string;
  /** `auto`: the kernel transport, or fuse-native where the native parts of dunnage are missing. */
  readonly transport: 'auto' | 'kernel' | 'fuse-native';
  /** How long the tree waits for a new daemon when this one dies. */
  readonly takeoverTimeoutSeconds: number;
  /** Key of Secrets, which then outlive a reboot; without it the runtime directory has one. */
  readonly keyFile?: string;
  /** How fast stored content is compared with its digests in the background; 0: not at all. Default: 8 MiB. */
  readonly scrubBytesPerSecond?: number;
  /** From the start of one comparison of everything to the start of the next. Default: a week. */
  readonly scrubIntervalSeconds?: number;
  readonly logLevel: string;
  readonly logFormat: 'json' | 'pretty';
  /** Called once, when the tree is mounted and the control API answers. */
  readonly onLive?: () => void;
}
