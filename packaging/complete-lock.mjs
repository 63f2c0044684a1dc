/**
 * Completes package-lock.json after `npm install`: a registry that mirrors only some platforms leaves the optional packages of
 * the others out, and `npm ci` then refuses the file everywhere. Entries for other platforms need no content: they are skipped
 * where they do not fit. Addresses of registries are taken out as well.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const PLATFORM =
  /-(android|darwin|linux|win32|freebsd|openbsd|netbsd|sunos|aix)-(arm64|arm|x64|ia32|ppc64|s390x|riscv64|loong64)(?:-(musl|gnu))?$/;

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));

for (const { optionalDependencies = {}, dev } of Object.values({ ...lock.packages })) {
  for (const [name, range] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`;
    const platform = PLATFORM.exec(name);
    if (lock.packages[key] !== undefined || platform === null) continue;
    const [, os, cpu, libc] = platform;
    const version = range.replace(/^[\^~]/, '');
    lock.packages[key] = {
      version,
      cpu: [cpu],
      ...(dev && { dev }),
      optional: true,
      os: [os],
      ...(libc && { libc: [libc] }),
    };
    console.log(`added ${name}`);
  }
}
for (const entry of Object.values(lock.packages)) delete entry.resolved;
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
