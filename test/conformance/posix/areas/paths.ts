/** How paths are resolved, the same for every call that takes one: limits, loops, what is no directory, what cannot be searched. */
import { type Area, LONGEST_NAME, type Script, script, TOO_LONG_NAME } from '../area.ts';

/** Calls with one path, `%` in its place; and what they say if the path is that of a directory's missing entry. */
const CALLS: readonly (readonly [call: string, whenMissing: string])[] = [
  ['open % O_RDONLY', 'ENOENT'],
  ['open % O_WRONLY|O_CREAT 0644', 'created'],
  ['create % 0644', 'created'],
  ['mkdir % 0755', 'created'],
  ['mkfifo % 0644', 'created'],
  ['mknod % S_IFREG 0644', 'created'],
  ['symlink text %', 'created'],
  ['link file %', 'created'],
  ['link % other', 'ENOENT'],
  ['rename % other', 'ENOENT'],
  ['rename file %', 'created'],
  ['rmdir %', 'ENOENT'],
  ['unlink %', 'ENOENT'],
  ['stat %', 'ENOENT'],
  ['lstat %', 'ENOENT'],
  ['access % F_OK', 'ENOENT'],
  ['chmod % 0600', 'ENOENT'],
  ['chown % 0 0', 'ENOENT'],
  ['lchown % 0 0', 'ENOENT'],
  ['readlink %', 'ENOENT'],
  ['truncate % 5', 'ENOENT'],
  ['utimens % 1 2', 'ENOENT'],
  ['setxattr % user.a b', 'ENOENT'],
  ['getxattr % user.a', 'ENOENT'],
  ['listxattr %', 'ENOENT'],
  ['removexattr % user.a', 'ENOENT'],
  ['statvfs %', 'ENOENT'],
  ['chdir %', 'ENOENT'],
];

const TOO_LONG_PATH = `${'p/'.repeat(2047)}pp`;

function resolution([call, whenMissing]: readonly [string, string]): Script {
  const on = (path: string, expected: string): string => `alice: ${call.replace('%', path)} -> ${expected}`;
  const takesLinks = !/^(?:rename|rmdir|unlink|lstat|lchown|readlink|link|mk|symlink|create)/.test(call);
  return script(
    call.replace('%', 'PATH'),
    `
    alice: create file 0644
    alice: mkdir closed 0755
    alice: create closed/file 0644
    symlink loop-b loop-a
    symlink loop-a loop-b
    ${on('file/x', 'ENOTDIR')}
    ${on('missing/x', 'ENOENT')}
    ${on('loop-a/x', 'ELOOP')}
    ${takesLinks ? on('loop-a', 'ELOOP') : ''}
    ${on(TOO_LONG_NAME, 'ENAMETOOLONG')}
    ${on(`${TOO_LONG_NAME}/x`, 'ENAMETOOLONG')}
    ${on(TOO_LONG_PATH, 'ENAMETOOLONG')}
    ${on("''", 'ENOENT')}
    ${on('nothing', whenMissing === 'created' ? 'any' : whenMissing)}
    chmod closed 0644
    ${on('closed/file', 'EACCES')}
    bob: ${call.replace('%', 'closed/x')} -> EACCES
    `,
  );
}

export const paths: Area = {
  area: 'paths',
  scripts: [
    ...CALLS.map(resolution),
    script(
      'names may have 255 bytes of anything but NUL and slash',
      `
      create ${LONGEST_NAME} 0644 text
      content ${LONGEST_NAME} -> text
      mkdir d
      rename ${LONGEST_NAME} d/${LONGEST_NAME}
      link d/${LONGEST_NAME} ${LONGEST_NAME}
      symlink ${LONGEST_NAME} link
      content link -> text
      unlink d/${LONGEST_NAME}
      list d -> none
      create %01%ff%fe%0a%20 0644
      create %e2%82%ac 0644
      create ... 0644
      count . -> 6
      unlink %01%ff%fe%0a%20
      stat %01%ff%fe%0a%20 -> ENOENT
      stat ... -> type=f
      `,
    ),
    script(
      'a chain of 40 links is followed, one of 41 is not',
      `
      create l0 0644 text
      ${Array.from({ length: 41 }, (_, index) => `symlink l${index} l${index + 1}`).join('\n')}
      content l40 -> text
      content l41 -> ELOOP
      lstat l41 -> type=l
      `,
    ),
    script(
      'trailing slashes, dots and double slashes',
      `
      mkdir d
      create f 0644
      symlink d to-d
      symlink f to-f
      stat d/ -> type=d
      stat .//d/./../d/. -> type=d
      stat f/ -> ENOTDIR
      lstat to-d/ -> type=d
      stat to-f/ -> ENOTDIR
      mkdir e/
      create g/ 0644 -> EISDIR
      open f/ O_RDONLY -> ENOTDIR
      unlink f/ -> ENOTDIR
      rename f g/ -> ENOTDIR
      rename d h/
      rmdir h/
      rmdir to-d/ -> ENOTDIR|ENOENT
      mkfifo p/ -> ENOENT
      link f k/ -> ENOENT
      symlink x y/ -> ENOENT
      `,
    ),
    script(
      'the directory of the process outlives its name',
      `
      mkdir d
      chdir d
      create f 0644
      mkdir ../e
      rename ../d ../e/moved
      stat f -> type=f
      unlink f
      rmdir ../moved
      stat . -> nlink=0
      create g 0644 -> ENOENT
      mkdir g -> ENOENT
      getcwd -> ENOENT
      list . -> none
      stat .. -> type=d
      `,
    ),
    script(
      'paths relative to a descriptor of a directory',
      `
      mkdir d
      f = open d O_RDONLY|O_DIRECTORY
      create @$f/x 0644 text
      content d/x -> text
      rename d e
      content @$f/x -> text
      link @$f/x @$f/y
      stat @$f/y -> nlink=2
      unlink @$f/x
      mkdir @$f/sub
      rmdir @$f/sub
      i = stat e .ino
      stat @$f -> ino=$i
      p = open e O_PATH
      create @$p/z 0644
      list e -> y:f z:f
      g = open e/y O_RDONLY
      create @$g/z 0644 -> ENOTDIR
      `,
    ),
  ],
};
