/** Where the numbers of a node's status are, as `statNode`, `listNodes` and `readSmallFile` of the addon give them. */
export const NODE = {
  mode: 0,
  linkCount: 1,
  userId: 2,
  groupId: 3,
  sizeBytes: 4,
  /** Of 512 bytes each. */
  blocks: 5,
  deviceMajor: 6,
  deviceMinor: 7,
  inodeHigh: 8,
  inodeLow: 9,
  /** Of the device that the node is. */
  specialMajor: 10,
  specialMinor: 11,
  modifySeconds: 12,
  modifyNanoseconds: 13,
  accessSeconds: 14,
  accessNanoseconds: 15,
  changeSeconds: 16,
  changeNanoseconds: 17,
  /** -1 before Linux 5.8. */
  mountId: 18,
  /** 1 if it is the root of a mount. */
  isMountRoot: 19,
  /** How many numbers there are. */
  fields: 20,
} as const;

/** What makes a node the node it is, on this host: device and inode, as a key of maps and sets. */
export function nodeIdentity(status: Float64Array, at = 0): string {
  const number = (field: number): number => status[at + field] ?? 0;
  // Most file systems stay below 2^32, and the key is made for every file.
  const high = number(NODE.inodeHigh);
  const device = `${number(NODE.deviceMajor)}:${number(NODE.deviceMinor)}`;
  if (high === 0) return `${device}:${number(NODE.inodeLow)}`;
  const inode = BigInt(high) * 4_294_967_296n + BigInt(number(NODE.inodeLow));
  return `${device}:${inode}`;
}

/** The same, from what node:fs says of a node. */
export function statsIdentity({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffff_ff00n);
  return `${major}:${minor}:${ino}`;
}
