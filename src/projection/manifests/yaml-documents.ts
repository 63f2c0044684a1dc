/**
 * From the text of a manifest to plain values, with the line of each. YAML 1.2, several documents, JSON as a subset.
 *
 * What differs from plain YAML 1.2: an unquoted integer with a leading zero is octal (`0644`), because that is what
 * Kubernetes' YAML 1.1 makes of it and what everybody means by a mode. Duplicate keys, tags, keys that are not plain
 * scalars and merge keys are refused.
 *
 * The parser's own messages are never passed on: they quote the text, which may be a Secret.
 */

import {
  Composer,
  type CST,
  type Document,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParsedNode,
  Parser,
  Scalar,
  type ScalarTag,
  visit,
  type YAMLMap,
} from 'yaml';
import { limits } from '../../base/limits.ts';
import { formatBytes } from '../../base/units.ts';
import { DunnageError } from '../../errors/dunnage-error.ts';
import { shown } from '../path-rules.ts';

/** Keys and indexes from the top of a document. */
export type FieldPath = readonly (string | number)[];

export interface YamlDocument {
  /** Which document of the stream, from 1; empty ones count. */
  readonly index: number;
  readonly value: unknown;
  /** Line of a field, or of the nearest field above it that has one. */
  lineOf(path: FieldPath): number;
}

/** Aliases multiply content; a hand-written manifest has few. */
const ALIAS_COUNT_MAX = 100;
const JSON_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);
/** Managed fields of large objects reach 20. */
const DEPTH_MAX = 100;

const OCTAL: ScalarTag = {
  identify: () => false,
  default: true,
  tag: 'tag:yaml.org,2002:int',
  test: /^0[0-7]+$/,
  resolve: (text) => Number.parseInt(text, 8),
};

/** `0800` is neither octal nor what anybody means by 800: it stays text, and whoever wants a number refuses it. */
const NOT_OCTAL: ScalarTag = {
  identify: () => false,
  default: true,
  tag: 'tag:yaml.org,2002:str',
  test: /^0[0-9]*[89][0-9]*$/,
  resolve: (text) => new Scalar(text),
};

/**
 * Reads the stream; empty documents are left out.
 * @throws DunnageError INVALID_MANIFEST, TOO_LARGE.
 */
export function readYamlDocuments(text: string): YamlDocument[] {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > limits.manifestBytesMax) {
    throw new DunnageError(
      'TOO_LARGE',
      `the manifest has ${formatBytes(sizeBytes)}, the limit is ${formatBytes(limits.manifestBytesMax)}`,
      {
        remedy: 'apply it in several parts',
      },
    );
  }
  const lines = new LineCounter();
  const documents = parse(text, lines);
  return documents.flatMap((document, position) => {
    const index = position + 1;
    refuseFaults(document, index, lines);
    const value = toValue(document, index);
    if (value === null || value === undefined) return [];
    return [{ index, value, lineOf: (path: FieldPath) => lineOfField(document, lines, path) }];
  });
}

function parse(text: string, lineCounter: LineCounter): Document.Parsed<ParsedNode>[] {
  const composer = new Composer<ParsedNode>({
    version: '1.2',
    lineCounter,
    prettyErrors: false,
    logLevel: 'error',
    // Its own check compares every pair of keys; ours below does not.
    uniqueKeys: false,
    customTags: (tags) => [OCTAL, NOT_OCTAL, ...tags],
  });
  lineCounter.addNewLine(0);
  return [...composer.compose(shallowTokens(text, new Parser(lineCounter.addNewLine)))];
}

/**
 * The tokens of the text, until something is nested too deeply. The composer recurses, and a stack that is nearly used
 * up cannot be caught: compiling a regular expression there ends the whole process.
 */
function* shallowTokens(text: string, parser: Parser): Generator<CST.Token, void> {
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > DEPTH_MAX) throw invalid(`the manifest is nested more than ${DEPTH_MAX} deep`);
  }
  yield* parser.end();
}

function refuseFaults(document: Document.Parsed<ParsedNode>, index: number, lines: LineCounter): void {
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const reason = fault.code.toLowerCase().replaceAll('_', ' ');
    throw invalid(`document ${index}, line ${lines.linePos(fault.pos[0]).line}: not valid YAML (${reason})`);
  }
  visit(document, {
    Node(_, node) {
      const problem = tagProblem(node) ?? (isMap(node) ? keyProblem(node) : undefined);
      if (problem === undefined) return;
      const line = problem.offset === undefined ? '' : `, line ${lines.linePos(problem.offset).line}`;
      throw invalid(`document ${index}${line}: ${problem.reason}`, problem.remedy);
    },
  });
}

interface Problem {
  readonly offset: number | undefined;
  readonly reason: string;
  readonly remedy: string;
}

/** The parser knows tags of YAML 1.1 (binary, set, timestamp ...) that make other things than JSON can hold. */
function tagProblem(node: Node): Problem | undefined {
  const tag = 'tag' in node ? node.tag : undefined;
  if (tag === undefined || JSON_TAGS.has(tag)) return undefined;
  return { offset: node.range?.[0], reason: 'it has a tag (!)', remedy: 'write the value without a tag' };
}

function keyProblem(map: YAMLMap): Problem | undefined {
  const seen = new Set<string>();
  for (const { key } of map.items) {
    if (!isScalar(key)) {
      return { offset: map.range?.[0], reason: 'a key is not a plain word', remedy: 'write keys out as text' };
    }
    const name = String(key.value ?? '');
    const offset = key.range?.[0];
    if (name === '<<') return { offset, reason: 'merge keys (<<) are not supported', remedy: 'write the fields out' };
    if (seen.has(name))
      return { offset, reason: `the key "${shown(name)}" is there twice`, remedy: 'remove one of them' };
    seen.add(name);
  }
  return undefined;
}

function toValue(document: Document.Parsed<ParsedNode>, index: number): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIAS_COUNT_MAX });
  } catch (error) {
    // Too many aliases, or one without its anchor.
    if (!(error instanceof ReferenceError)) throw error;
    throw invalid(`document ${index}: its aliases (*name) expand to too much`, 'write the content out');
  }
}

function lineOfField(document: Document.Parsed<ParsedNode>, lines: LineCounter, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? document.range[0];
  for (const step of path) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value ?? '') === String(step));
      const keyOffset = (pair?.key as Scalar | undefined)?.range?.[0];
      if (keyOffset === undefined) break;
      offset = keyOffset;
      next = pair?.value;
    } else if (isSeq(node)) {
      next = node.items[Number(step)];
      const range = (next as { range?: readonly number[] | null } | undefined)?.range;
      if (range?.[0] === undefined) break;
      offset = range[0];
    } else break;
    node = next;
  }
  return lines.linePos(offset).line;
}

function invalid(message: string, remedy?: string): DunnageError {
  return new DunnageError('INVALID_MANIFEST', message, remedy === undefined ? {} : { remedy });
}
