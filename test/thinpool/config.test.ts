import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig, parsePoolConfig } from '../../src/thinpool/config.ts';

const WHOLE = 'root_path = "/tmp"\npool_name = "test"\nbase_image_size = "128Mb"\n';

describe('loadConfig', () => {
  it('reads what was written', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'dunnage-pool-config-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'config.toml');
    writeFileSync(file, WHOLE);
    const config = await loadConfig(file);
    assert.equal(config.root_path, '/tmp');
    assert.equal(config.pool_name, 'test');
    assert.equal(config.base_image_size, '128Mb');
    assert.equal(config.baseImageSizeBytes, 134_217_728);
  });

  it('says that there is no file', async () => {
    await assert.rejects(loadConfig(''), { code: 'NOT_FOUND' });
    await assert.rejects(loadConfig('/nonexistent/config.toml'), { code: 'NOT_FOUND' });
  });

  it('refuses a file that says nothing, with all four errors at once', async () => {
    await assert.rejects(loadConfig('/dev/null'), {
      code: 'INVALID_ARGUMENT',
      message:
        '/dev/null: pool_name is required; root_path is required; base_image_size is required; filesystem type cannot be empty',
    });
  });
});

describe('parsePoolConfig', () => {
  const refused = (content: string, message: RegExp): void =>
    assert.throws(() => parsePoolConfig(content, 'f'), { code: 'INVALID_ARGUMENT', message });

  it('has the defaults of the reference', () => {
    assert.deepEqual(parsePoolConfig(WHOLE, 'f'), {
      root_path: '/tmp',
      pool_name: 'test',
      base_image_size: '128Mb',
      async_remove: false,
      discard_blocks: false,
      fs_type: 'ext4',
      fs_options: 'nodiscard,lazy_itable_init=0,lazy_journal_init=0',
      baseImageSizeBytes: 134_217_728,
    });
    assert.equal(parsePoolConfig(`${WHOLE}fs_type = "xfs"`, 'f').fs_options, '');
    const more = parsePoolConfig(
      `${WHOLE}async_remove = true\ndiscard_blocks = true\nfs_options = "-m 0"\nelse = 1`,
      'f',
    );
    assert.deepEqual([more.async_remove, more.discard_blocks, more.fs_options], [true, true, '-m 0']);
  });

  it('takes the four values of the reference', () => {
    const text = 'root_path = "test"\npool_name = "test"\nbase_image_size = "10mb"\nfs_type = "ext4"';
    assert.equal(parsePoolConfig(text, 'f').baseImageSizeBytes, 10 * 1024 * 1024);
  });

  it('names what is wrong', () => {
    refused(`${WHOLE}fs_type = "x"`, /unsupported Filesystem Type: "x"/);
    refused(`${WHOLE}fs_type = ""`, /filesystem type cannot be empty/);
    refused(WHOLE.replace('128Mb', 'y'), /failed to parse base image size: 'y': invalid size/);
    refused(WHOLE.replace('128Mb', '0'), /failed to parse base image size/);
    refused('pool_name = "p"', /^f: root_path is required; base_image_size is required$/);
    refused('pool_name = 5', /f: pool_name: must be string/);
    refused('a = [\n', /^f:\d: not valid TOML/);
  });
});
