/** A catalog with published, kept, replaced and deleted content, the checks over it, and ways to damage it from outside. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { GenerationId, ProjectionId } from '../../../src/base/ids.ts';
import { catalogChecks } from '../../../src/projection/check/catalog-checks.ts';
import { countReferences } from '../../../src/projection/check/catalog-references.ts';
import { CatalogScene as Checked } from '../../../src/projection/check/catalog-scene.ts';
import { blobChecks } from '../../../src/store/check/blob-checks.ts';
import { BlobScene } from '../../../src/store/check/blob-scene.ts';
import type { Finding } from '../../../src/store/check/finding.ts';
import { type RunResult, runChecks } from '../../../src/store/check/run-checks.ts';
import { bytesValue } from '../../../src/store/codecs.ts';
import type { Table } from '../../../src/store/table.ts';
import { CatalogScene } from '../helpers/catalog-scene.ts';

export class DamagedCatalog extends CatalogScene {
  readonly web: ProjectionId;
  readonly secret: ProjectionId;
  /** Generations of `web`, oldest first. */
  readonly written: GenerationId[] = [];
  secretGeneration!: GenerationId;
  /** What the checks read and mend; tests damage through it too. */
  readonly checked: Checked;

  private constructor(t: TestContext) {
    super(t);
    this.web = this.create('web', { keep: 10 });
    this.secret = this.create('prod.secret.db', { kind: 'Secret', namespace: 'prod', name: 'db', keep: 10 });
    const blobs = new BlobScene({
      store: this.store,
      stateDir: this.stateDir,
      key: undefined,
      references: () => countReferences(this.checked),
      isInUse: () => false,
      temporariesMinAgeMs: 0,
      nowMs: () => 0,
      pace: () => undefined,
    });
    this.checked = new Checked({ store: this.store, blobs, online: false });
  }

  /** `web` has three generations, of which the last is published; one projection besides. */
  static async make(t: TestContext): Promise<DamagedCatalog> {
    const made = new DamagedCatalog(t);
    made.written.push(await made.write(made.web, { 'a.txt': 'one', 'sub/b.txt': 'deep' }));
    made.written.push(await made.write(made.web, { 'a.txt': 'two', 'sub/b.txt': 'deep' }));
    made.written.push(await made.write(made.web, { 'a.txt': 'three', 'sub/b.txt': 'deep', c: '' }));
    made.secretGeneration = await made.write(made.secret, { password: 'x' });
    return made;
  }

  get published(): GenerationId {
    return this.written.at(-1) as GenerationId;
  }

  change(action: () => void): void {
    this.store.transactBuffered(action);
  }

  raw(name: string): Table<Uint8Array, Uint8Array> {
    return this.store.table(name, bytesValue, bytesValue);
  }

  async check(repair = false): Promise<RunResult> {
    const tally = { verified: 0, verifiedBytes: 0, unverifiable: 0 };
    const scene = this.checked.options.blobs;
    const checks = [...catalogChecks(this.checked), ...blobChecks({ scene, tally, onDamaged: () => undefined })];
    return await runChecks({ store: this.store, checks, repair, online: false });
  }

  /** Finds exactly these, mends them, and finds nothing but `lost` from then on. */
  async mends(found: readonly string[], lost: readonly string[] = []): Promise<RunResult> {
    assert.deepEqual(codes((await this.check()).remaining), [...found].sort());
    const result = await this.check(true);
    assert.deepEqual(codes(result.remaining), [...lost].sort());
    assert.deepEqual(codes((await this.check()).remaining), [...lost].sort());
    return result;
  }

  /** Path -> content of what is published. */
  async files(projection: ProjectionId): Promise<Record<string, string>> {
    this.catalog.refresh();
    const generation = this.catalog.projection(projection)?.generation ?? 0;
    if (generation === 0) return {};
    const files: Record<string, string> = {};
    for (const { path, file } of this.catalog.nodes(generation).files()) {
      files[path] = Buffer.from(await this.blobs.read(file.digest, 0, file.sizeBytes)).toString();
    }
    return files;
  }
}

export const WEB_FILES = { 'a.txt': 'three', c: '', 'sub/b.txt': 'deep' };

export function codes(findings: readonly Finding[]): string[] {
  return findings.map(({ code }) => code).sort();
}
