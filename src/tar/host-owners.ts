/** Users and groups of this host by name, from /etc/passwd and /etc/group: access control lists of archives may name them. */
import { readFileSync } from 'node:fs';
import type { OwnerNumbers } from './acl-text.ts';

/** Both files are read once, when the first name is asked for. */
export function hostOwners(): OwnerNumbers {
  let users: ReadonlyMap<string, number> | undefined;
  let groups: ReadonlyMap<string, number> | undefined;
  return {
    user: (name) => {
      users ??= readNumbers('/etc/passwd');
      return users.get(name);
    },
    group: (name) => {
      groups ??= readNumbers('/etc/group');
      return groups.get(name);
    },
  };
}

/** `name:password:number:...` in each line. A host without the file knows nobody by name. */
function readNumbers(path: string): Map<string, number> {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return new Map();
  }
  const rows = text.split('\n').map((line) => line.split(':'));
  return new Map(
    rows.flatMap(([name, , number]) =>
      name && number && /^\d+$/.test(number) ? [[name, Number(number)] as const] : [],
    ),
  );
}
