/** What to mount where: the same for mount(2) and for fusermount3. */
export interface FuseMountOptions {
  /** Existing directory, absolute, without symlinks. */
  readonly target: string;
  /** What findmnt and df show as source, e.g. `dunnage`. */
  readonly source: string;
  /** The mount is of type `fuse.<subtype>`. */
  readonly subtype: string;
  /** Permission bits of the root directory until the first GETATTR. */
  readonly rootMode: number;
  /** Let users other than the one who mounts look inside; with fusermount3 only if /etc/fuse.conf permits it. */
  readonly allowOther: boolean;
  /** Nobody can write through this mount point or a copy of it. Only where the process mounts by itself. */
  readonly readOnly?: boolean;
  /** Further options in mount(8)'s syntax, e.g. `context="..."`; empty for none. */
  readonly extraOptions?: string;
}
