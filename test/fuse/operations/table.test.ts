import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { OPCODE, type OpcodeName } from '../../../src/fuse/abi.ts';
import { handlerTable } from '../../../src/fuse/operations/table.ts';
import { FakeConnection, fileSystem } from '../fake-connection.ts';

const { ENOSYS, ENOTTY, EROFS } = constants.errno;

describe('the table of operations', () => {
  it('has a place for INIT and for no operation that is left to the kernel', () => {
    const init = (): void => undefined;
    const table = handlerTable(init);
    assert.equal(table[OPCODE.INIT], init);
    for (const name of [
      'FLUSH',
      'FSYNC',
      'FSYNCDIR',
      'BMAP',
      'POLL',
      'LSEEK',
      'COPY_FILE_RANGE',
      'STATX',
      'GETLK',
      'READDIRPLUS',
    ] as const) {
      assert.equal(table[OPCODE[name]], undefined, name);
    }
  });

  const expected: [number, readonly OpcodeName[]][] = [
    [
      ENOSYS,
      [
        'FLUSH',
        'FSYNC',
        'FSYNCDIR',
        'BMAP',
        'POLL',
        'LSEEK',
        'COPY_FILE_RANGE',
        'COPY_FILE_RANGE_64',
        'STATX',
        'SETLK',
        'READDIRPLUS',
        'OPEN',
        'OPENDIR',
        'GETXATTR',
        'LISTXATTR',
        'ACCESS',
      ],
    ],
    [
      EROFS,
      [
        'MKNOD',
        'MKDIR',
        'SYMLINK',
        'UNLINK',
        'RMDIR',
        'LINK',
        'CREATE',
        'TMPFILE',
        'FALLOCATE',
        'SETXATTR',
        'REMOVEXATTR',
      ],
    ],
    [ENOTTY, ['IOCTL']],
    [0, ['SYNCFS', 'DESTROY', 'RELEASEDIR']],
  ];
  for (const [errno, names] of expected) {
    it(`answers ${errno} where the file system defines nothing: ${names.join(' ')}`, () => {
      const fake = new FakeConnection(fileSystem());
      for (const name of names) assert.equal(fake.ask(name)?.errno, errno, name);
    });
  }
});
