/**
 * A rule of tidiness is a function from the repository's text to sentences about what breaks it. It reads nothing by
 * itself, so a sample of a few lines is a repository too: every rule brings samples that it must refuse.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** Path relative to the root -> text. */
export type Repository = ReadonlyMap<string, string>;

export interface Rule {
  readonly name: string;
  check(repository: Repository): string[];
  /** Each must give at least one finding. */
  readonly mustFail: readonly Readonly<Record<string, string>>[];
  /** Each must give none. */
  readonly mustPass: readonly Readonly<Record<string, string>>[];
}

export const sample = (files: Readonly<Record<string, string>>): Repository => new Map(Object.entries(files));

const ROOTS = ['src', 'test', 'native', 'examples', 'packaging', 'docs', '.ci'];
const TOP_FILES =
  'README.md SEMANTICS.md CHANGELOG.md package.json package-lock.json .npmrc .gitignore biome.json tsconfig.json binding.gyp';
const GENERATED = /(?:^|\/)(?:node_modules|dist|build)(?:\/|$)/;

/** Reads every text file that belongs to the repository. */
export function loadRepository(root: string): Repository {
  const files = new Map<string, string>();
  for (const folder of ROOTS) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()) {
      const path = `${folder}/${entry}`;
      if (GENERATED.test(path) || !statSync(join(root, path)).isFile()) continue;
      const text = readFileSync(join(root, path), 'utf8');
      if (!text.includes('\0')) files.set(path, text);
    }
  }
  const present = new Set(readdirSync(root));
  for (const name of TOP_FILES.split(' ')) {
    if (present.has(name)) files.set(name, readFileSync(join(root, name), 'utf8'));
  }
  return files;
}

/** Text of a file that the rule cannot do without. */
export function textOf(repository: Repository, path: string): string {
  return repository.get(path) ?? '';
}

/** The room of a source, `src/<room>/...`; undefined for what lies directly in src/ or elsewhere. */
export function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\/.+\.ts$/.exec(path)?.[1];
}

/** The rooms that exist: folders of src/. */
export function roomsOf(repository: Repository): Set<string> {
  return new Set(typeScriptPaths(repository, 'src').flatMap((path) => roomOf(path) ?? []));
}

export function typeScriptPaths(repository: Repository, ...folders: readonly string[]): string[] {
  return [...repository.keys()].filter(
    (path) => path.endsWith('.ts') && folders.some((folder) => path.startsWith(`${folder}/`)),
  );
}

const parsed = new Map<string, ts.SourceFile>();

export function parse(repository: Repository, path: string): ts.SourceFile {
  const text = textOf(repository, path);
  const key = `${path}\n${text}`;
  let source = parsed.get(key);
  if (source === undefined) {
    source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    parsed.set(key, source);
  }
  return source;
}

export function lineOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
}

export function visit(node: ts.Node, callback: (node: ts.Node) => void): void {
  callback(node);
  ts.forEachChild(node, (child) => visit(child, callback));
}
