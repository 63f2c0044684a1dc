/** Every bound of the program in one place. Relations between them are asserted when the module is loaded. */
import assert from 'node:assert/strict';

export const limits = {
  /** Longest file name, bytes (NAME_MAX, and the reference's rule for one path component). */
  nameBytesMax: 255,
  /** Longest path of a payload key, bytes (PATH_MAX, and the reference's rule). */
  pathBytesMax: 4096,
  /** Most files in one projection. */
  payloadFilesMax: 100_000,
  /** A source that says the same again is noted at most once in this time. */
  sourceSeenMs: 1_000,
  /** Files up to this size are compared line by line; of larger ones a diff shows size and digest. */
  diffTextBytesMax: 1_048_576,
  /** Content of one diff that is compared line by line; the files after that are shown by size and digest. */
  diffTotalBytesMax: 16_777_216,
  /** Lines that differ in one file before the search for the shortest edit is given up. */
  diffEditsMax: 2_000,
  /** Most sources of one projection. */
  sourcesMax: 256,
  /** Largest file that a source of a projection may hold; it is read into memory. */
  sourceFileBytesMax: 268_435_456,
  /** Most bytes of host files that one source may give; they are read into memory. */
  sourceBytesMax: 536_870_912,
  /** A source is read when nothing has changed for this long. */
  sourceQuietMs: 20,
  /** Changes without end are read all the same after this time. */
  sourceQuietMsMax: 500,
  /** A file that somebody has open for writing, or that changes while it is read, is waited for so long. */
  sourceSettleMsMax: 5_000,
  /** A reading that failed is tried again after this time, and twice, four times ... as long. */
  sourceRetryMs: 1_000,
  sourceRetryMsMax: 60_000,
  /** Sources that are read at the same time. */
  sourceReadsParallel: 4,
  /** Where changes cannot be watched, sources are looked at this often. */
  sourcePollMs: 5_000,
  /** Largest body of a control request; large files are streamed singly, and have no limit. */
  controlBodyBytesMax: 268_435_456,
  /** Largest manifest document stream `apply` accepts. */
  manifestBytesMax: 67_108_864,
  /** A control request must have arrived whole within this time; answering it may take longer. */
  controlRequestMs: 60_000,
  /** Control connections open at the same time; more are refused. */
  controlConnectionsMax: 256,
  /** Requests that are still being answered when the control server closes get this long to finish. */
  controlCloseGraceMs: 5_000,
  /** Longest object name and namespace in a control request, characters (Kubernetes' rule for both). */
  objectNameMax: 253,
  /** Entries of a directory that are looked at together for a listing. */
  fileListBatch: 128,
  /** Most bytes in one frame of a followed file. */
  fileFrameBytes: 65_536,
  /** Bytes that come within this time after a frame go into one frame. */
  fileBatchWindowMs: 200,
  /** A follower that has nothing to tell says so this often. */
  fileHeartbeatMs: 1_000,
  /** A followed file is looked at this often without being told of a change: writing through a mapping (mmap) tells nobody. */
  fileLookMs: 5_000,
  /** Streams of the file API that are sent at the same time; more are refused. */
  fileStreamsMax: 192,
  /** Rotated log files that a follower opens ahead of reading them. */
  logFilesAhead: 16,
  /** Longest path of a unix socket, bytes: sun_path without its ending zero. */
  socketPathBytesMax: 107,
  /** Projections of at least this size have their content compared with a copy in memory, as long as all copies together fit. */
  recentContentBytesMin: 262_144,
  recentContentBytesMax: 8_388_608,
  /** Metadata that was read stays mapped up to this size, and is let go of beyond it. */
  mappedMetadataBytesMax: 16_777_216,
  /** Content up to this size lives inside LMDB, larger content in a file beside it. */
  inlineBlobBytesMax: 32_768,
  /** Plain bytes sealed under one authentication tag; a read decrypts whole chunks. */
  sealedChunkBytes: 65_536,
  /** Largest FUSE write the daemon takes; with the header it sets the size of the request buffer. */
  fuseWriteBytesMax: 1_048_576,
  /** Room the kernel needs in front of the data of a request. */
  fuseHeaderBytesMax: 4096,
  /** Requests answered in one turn of the event loop before other work gets a chance. */
  fuseRequestsPerTurn: 64,
  /** Requests that are being worked on at the same time and survive the daemon, on kernels that cannot send them again. */
  fuseJournalSlots: 256,
  /** Longest of these requests, bytes, with the 8 bytes that the journal adds. */
  fuseJournalSlotBytes: 1024,
  /** A request that is unanswered for this long is logged and counted. */
  fuseUnansweredMs: 10_000,
  /** After a swap the replaced generation stays reachable by name for this long, for readers that resolved `..data` just before. */
  droppedGenerationGraceMs: 2_000,
  /** Generations of a projection that are kept if nothing else is asked for, with the published one; and the most. */
  historyGenerations: 10,
  historyGenerationsMax: 100,
  /**
   * Over the transport fuse-native: for how long after its last use by path a node stays reachable, although its name is gone
   * and nobody has it open. The kernel keeps names for half of it without asking.
   */
  fuseNativeLeaseMs: 120_000,
  /** Most reactions to a swap (`spec.onSwap`) of one projection. */
  reactionsMax: 32,
  /** Runs of reactions at the same time, over all projections; more wait. */
  reactionsRunningMax: 8,
  /** Longest command line of a reaction with its environment, bytes. */
  reactionCommandBytesMax: 65_536,
  /** A command that a swap has run is killed after this long, unless its manifest says otherwise. */
  reactionTimeoutMs: 30_000,
  /** The longest that a manifest may say. */
  reactionTimeoutMsMax: 3_600_000,
  /** A daemon that ends gives running reactions this long. */
  reactionCloseGraceMs: 2_000,
  /** A write waits at most this long until watchers of live files were told. */
  liveAnnouncementMs: 5_000,
  /** Audited opens that may wait to be written down; further ones are only counted. */
  auditQueueEvents: 16_384,
  /** Size of the audit log before it is put aside, bytes, and how many earlier ones are kept. */
  auditFileBytes: 16_777_216,
  auditFilesKept: 4,
  /** Stored content is compared with its digests in the background at this rate, bytes per second. */
  scrubBytesPerSecond: 8_388_608,
  /** All of it at most once in this time, seconds. */
  scrubIntervalSeconds: 604_800,
  /** Most mounts that the chroot map of one task may need. */
  chrootBindsMax: 1_024,
  /** Longest headers of one entry of an archive, with its extended attributes and names, bytes. */
  tarHeaderBytesMax: 8_388_608,
  /** Longest name of an entry: what a deep tree has may be longer than one system call takes. */
  tarNameBytesMax: 65_536,
  /** Most pieces of data of one sparse file in an archive. */
  tarSparseRegionsMax: 1_000_000,
  /** How long the holder keeps the connections alive without a daemon, seconds. */
  takeoverTimeoutSeconds: 300,
} as const;

assert(limits.nameBytesMax < limits.pathBytesMax);
assert(limits.recentContentBytesMin < limits.recentContentBytesMax);
assert(limits.sourceQuietMs < limits.sourceQuietMsMax && limits.sourceRetryMs < limits.sourceRetryMsMax);
assert(limits.inlineBlobBytesMax <= limits.sealedChunkBytes);
assert(limits.reactionTimeoutMs <= limits.reactionTimeoutMsMax);
assert(2 * limits.diffTextBytesMax <= limits.diffTotalBytesMax);
assert(limits.fileStreamsMax < limits.controlConnectionsMax);
assert(limits.fuseHeaderBytesMax < limits.fuseWriteBytesMax);
assert(limits.fuseNativeLeaseMs >= 2 * limits.droppedGenerationGraceMs);
