import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { z } from 'zod';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/schema.ts';

/** One thing that is wrong in a file that people edit, and what to write instead. Lines and columns count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string;
}

export type YamlPath = readonly (string | number)[];

/** A valid file: its value, and where each part of it stands, for checks that the schema cannot make. */
export interface ParsedYaml<T> {
  readonly value: T;
  /** A problem at the node under `path` (or its nearest parent that is written down). */
  problemAt(path: YamlPath, message: string, hint?: string): Problem;
}

export interface YamlOptions {
  /** Environment for `"${NAME}"` inside quoted strings; without it such text is left alone. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Changes the plain value before it is checked (overrides from the environment). */
  readonly override?: (value: unknown) => unknown;
}

type Position = { line: number; column: number };

/** A file that was read, valid or not, for checks of meaning that go beside those of shape. */
export interface ReadYaml<T> {
  /** The plain content, `undefined` where the syntax is too broken to tell. */
  readonly raw: unknown;
  /** Problems of syntax and shape, in the order of their places. */
  readonly problems: readonly Problem[];
  /** The checked value; absent where there are problems. */
  readonly value?: T;
  problemAt(path: YamlPath, message: string, hint?: string): Problem;
}

/**
 * Reads YAML and checks it against a zod schema. All problems come back at once, each with its position;
 * unknown keys (of strict objects) name the nearest known key.
 *
 * @param text the file's content
 * @param file the name to show in problems
 * @returns the checked value, or the problems (never both, never an empty array)
 */
export function parseYamlFile<T>(
  text: string,
  file: string,
  schema: z.ZodType<T>,
  options: YamlOptions = {},
): ParsedYaml<T> | Problem[] {
  const read = readYaml(text, file, schema, options);
  if (read.problems.length > 0) return [...read.problems];
  return { value: read.value as T, problemAt: read.problemAt };
}

/** As `parseYamlFile`, with the plain content beside the problems: what is well formed can be checked further. */
export function readYaml<T>(
  text: string,
  file: string,
  schema: z.ZodType<T>,
  options: YamlOptions = {},
): ReadYaml<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    // Its warnings would go to stderr past our messages.
    logLevel: 'error',
  });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const root = document.contents as Node | null;
  const problemAt = (path: YamlPath, message: string, hint?: string): Problem => ({
    file,
    ...at(offsetOf(root, path)),
    message,
    ...(hint === undefined ? {} : { hint }),
  });
  const problems = document.errors.map((error) =>
    syntaxProblem(file, at(error.pos[0]), error.code, error.message),
  );
  // A key written twice leaves the rest of the document as it was meant; other errors of syntax do not.
  if (document.errors.some((error) => error.code !== 'DUPLICATE_KEY')) {
    return { raw: undefined, problems, problemAt };
  }
  if (options.env !== undefined) problems.push(...substitute(document, options.env, file, at));
  const plain = plainOf(document, problemAt);
  if ('message' in plain) return { raw: undefined, problems: [...problems, plain], problemAt };
  const raw = options.override === undefined ? plain.raw : options.override(plain.raw);
  const checked = schema.safeParse(raw);
  if (!checked.success) {
    problems.push(...checked.error.issues.flatMap((i) => issueProblems(i, { schema, raw, problemAt })));
  }
  if (problems.length > 0) return { raw, problems: problems.sort(byPlace), problemAt };
  return { raw, problems, problemAt, ...(checked.success ? { value: checked.data } : {}) };
}

/** The document as plain values; too many aliases (a file that unfolds for ever) are a problem, not a crash. */
function plainOf(
  document: ReturnType<typeof parseDocument>,
  problemAt: ParsedYaml<unknown>['problemAt'],
): { readonly raw: unknown } | Problem {
  try {
    return { raw: document.toJS() as unknown };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return problemAt([], `not valid YAML: ${message}`, 'write the value out instead of by *alias');
  }
}

/** The order in which problems are shown: by file, line and column. */
export function byPlace(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}

/** So many problems are told in one error. */
const TOLD = 20;

/** Throws all problems as one `invalid-file` error (`context.problems` holds them); returns if there are none. */
export function throwProblems(problems: readonly Problem[]): void {
  const first = problems[0];
  if (first === undefined) return;
  const where = `${first.file}:${first.line}:${first.column}`;
  const context = { problems };
  if (problems.length === 1) {
    const hint = first.hint === undefined ? {} : { hint: first.hint };
    throw new LakeError('invalid-file', first.message, { where, context, ...hint });
  }
  const told = problems.slice(0, TOLD).map(formatProblem);
  const rest = problems.length - told.length;
  const list = [...told, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n');
  throw new LakeError('invalid-file', `${problems.length} problems:\n${list}`, {
    where,
    context,
    hint: 'mend each of them and run the command again; nothing was done',
  });
}

/** A problem as one line: `file:line:column: message (hint)`. */
export function formatProblem(problem: Problem): string {
  const hint = problem.hint === undefined ? '' : ` (${problem.hint})`;
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}${hint}`;
}

function syntaxProblem(file: string, position: Position, code: string, message: string): Problem {
  const hints: Record<string, string> = {
    DUPLICATE_KEY: 'keep one of the two',
    TAB_AS_INDENT: 'indent with spaces',
    BAD_INDENT: 'give keys of one level the same indentation, in spaces',
    MISSING_CHAR: 'close the quote or bracket, or put quotes around the text',
  };
  const hint = hints[code] ?? 'check indentation, quotes and colons near this place';
  return { file, ...position, message: `not valid YAML: ${message.split('\n')[0]}`, hint };
}

/** The offset of the key (or item) that `path` leads to; of the deepest parent where the rest is not written. */
function offsetOf(root: Node | null, path: YamlPath): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number' && node.items[step] !== undefined) {
      node = node.items[step];
      offset = (node as Node).range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

function substitute(
  document: ReturnType<typeof parseDocument>,
  env: Readonly<Record<string, string | undefined>>,
  file: string,
  at: (offset: number) => Position,
): Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value !== 'string' || !/\$\{\w+\}/.test(node.value)) return;
      const position = at(node.range?.[0] ?? 0);
      if (node.type !== 'QUOTE_DOUBLE' && node.type !== 'QUOTE_SINGLE') {
        const hint = `write "${node.value}" with the quotes`;
        problems.push({ file, ...position, message: 'an environment variable stands outside quotes', hint });
        return;
      }
      node.value = node.value.replace(/\$\{(\w+)\}/g, (whole, name: string) => {
        const value = env[name];
        if (value !== undefined) return value;
        const hint = `export ${name}=… before you run lake`;
        problems.push({ file, ...position, message: `the environment variable ${name} is not set`, hint });
        return whole;
      });
    },
  });
  return problems;
}

interface IssueContext {
  readonly schema: z.ZodType;
  readonly raw: unknown;
  readonly problemAt: ParsedYaml<unknown>['problemAt'];
}

function issueProblems(issue: z.core.$ZodIssue, context: IssueContext): Problem[] {
  const { schema, raw, problemAt } = context;
  const path = stepsOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => problemAt([...path, key], `unknown key "${key}"`, keyHint(key, known)));
  }
  if (issue.code === 'invalid_union') {
    const isAbsent = (inner: z.core.$ZodIssue) =>
      valueAt(raw, stepsOf([...issue.path, ...inner.path])) === undefined;
    const branch = closestBranch(issue.errors, isAbsent);
    if (branch !== undefined) {
      return branch.flatMap((inner) =>
        issueProblems({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, context),
      );
    }
  }
  if (path.length > 0 && valueAt(raw, path) === undefined) {
    const name = String(path.at(-1));
    return [problemAt(path, `"${name}" is missing`, `write ${name}: ${expectedOf(issue)}`)];
  }
  const name = path.length === 0 ? '' : `${path.join('.')}: `;
  if (issue.code === 'invalid_value') {
    const value = valueAt(raw, path);
    return [problemAt(path, `${name}${JSON.stringify(value)} is not known here`, wordHint(value, issue))];
  }
  return [problemAt(path, `${name}${issue.message}`)];
}

function stepsOf(path: readonly PropertyKey[]): YamlPath {
  return path.map((step) => (typeof step === 'symbol' ? String(step) : step));
}

/** The nearest of the values that would do, else all of them. */
function wordHint(value: unknown, issue: z.core.$ZodIssueInvalidValue): string {
  const words = issue.values.map(String);
  const near = typeof value === 'string' ? nearestName(value, words) : null;
  if (near !== null) return `did you mean "${near}"?`;
  return words.length === 1 ? `write ${words[0]}` : `write one of ${words.join(', ')}`;
}

function valueAt(raw: unknown, path: YamlPath): unknown {
  return path.reduce<unknown>(
    (node, step) =>
      typeof node === 'object' && node !== null
        ? (node as Record<string | number, unknown>)[step]
        : undefined,
    raw,
  );
}

function expectedOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return issue.values.map(String).join(' | ');
  return issue.code === 'invalid_type' ? `<${issue.expected}>` : '<…>';
}

/**
 * Of a union's branches the one that came nearest: of those whose kind of value was met, the one with the fewest
 * issues; else one that names the values that would do. Where a key is unknown, what is missing in its place is not said too.
 */
function closestBranch(
  branches: readonly (readonly z.core.$ZodIssue[])[],
  isAbsent: (issue: z.core.$ZodIssue) => boolean,
): z.core.$ZodIssue[] | undefined {
  const atRoot = (code: z.core.$ZodIssue['code']) => (issue: z.core.$ZodIssue) =>
    issue.path.length === 0 && issue.code === code;
  const near =
    branches
      .filter((branch) => !branch.some(atRoot('invalid_type')) && !branch.some(atRoot('invalid_value')))
      .sort((a, b) => a.length - b.length)[0] ??
    branches.find((branch) => branch.some(atRoot('invalid_value')));
  const hasUnknown = near?.some((issue) => issue.code === 'unrecognized_keys') === true;
  return near?.filter((issue) => !hasUnknown || issue.code === 'unrecognized_keys' || !isAbsent(issue));
}

function keyHint(key: string, known: readonly string[]): string {
  const near = nearestName(key, known);
  if (near !== null) return `did you mean "${near}"?`;
  return known.length === 0 ? 'remove it' : `known keys: ${known.join(', ')}`;
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
}

/** The keys a schema knows at `path`, over all branches of its unions. */
function knownKeys(schema: z.ZodType, path: YamlPath): string[] {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
  }) as JsonSchema;
  let level: JsonSchema[] = branchesOf(json);
  for (const step of path) {
    level = level.flatMap((node) => {
      const next =
        typeof step === 'number'
          ? node.items
          : (node.properties?.[step] ??
            (typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined));
      return next === undefined ? [] : branchesOf(next);
    });
  }
  return [...new Set(level.flatMap((node) => Object.keys(node.properties ?? {})))];
}

function branchesOf(node: JsonSchema): JsonSchema[] {
  const inner = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])];
  return [node, ...inner.flatMap(branchesOf)];
}
