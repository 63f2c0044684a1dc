/** Where records of commits are written, as a port: a test's disk can fail. */
export interface RecordDisk {
  /** Writes to the log of records; on disk when it resolves, and already when the first byte of `done` is 1. */
  record(logFd: number, bytes: Uint8Array, offsetBytes: number, done: Uint8Array): Promise<void>;
}
