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
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    return document.errors.map((error) => syntaxProblem(file, at(error.pos[0]), error.code, error.message));
  }
  const root = document.contents as Node | null;
  const problemAt = (path: YamlPath, message: string, hint?: string): Problem => ({
    file,
    ...at(offsetOf(root, path)),
    message,
    ...(hint === undefined ? {} : { hint }),
  });
  const missing: Problem[] = options.env === undefined ? [] : substitute(document, options.env, file, at);
  const plain: unknown = document.toJS();
  const checked = schema.safeParse(options.override === undefined ? plain : options.override(plain));
  if (checked.success && missing.length === 0) return { value: checked.data, problemAt };
  const problems = checked.success
    ? []
    : checked.error.issues.flatMap((i) => issueProblems(i, schema, problemAt));
  return [...missing, ...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}

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
  const list = problems.map(formatProblem).join('\n');
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

function issueProblems(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  problemAt: ParsedYaml<unknown>['problemAt'],
): Problem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => problemAt([...path, key], `unknown key "${key}"`, keyHint(key, known)));
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue.errors);
    if (branch !== undefined) {
      return branch.flatMap((inner) =>
        issueProblems(
          { ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue,
          schema,
          problemAt,
        ),
      );
    }
  }
  if (issue.code === 'invalid_type' && isMissing(issue)) {
    const name = String(path.at(-1) ?? 'the file');
    return [problemAt(path, `"${name}" is missing`, `write ${name}: <${issue.expected}>`)];
  }
  const name = path.length === 0 ? '' : `${path.join('.')}: `;
  return [problemAt(path, `${name}${issue.message}`)];
}

function isMissing(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 && /received undefined/.test(issue.message);
}

/**
 * Of a union's branches the one that came nearest: of those whose kind of value was met, the one with the fewest
 * issues. Where a key is unknown, what is missing in its place is not said too.
 */
function closestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): z.core.$ZodIssue[] | undefined {
  const otherKind = (issue: z.core.$ZodIssue) =>
    issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
  const near = branches.filter((branch) => !branch.some(otherKind)).sort((a, b) => a.length - b.length)[0];
  const unknown = near?.filter((issue) => issue.code === 'unrecognized_keys') ?? [];
  return unknown.length > 0 ? unknown : near?.slice();
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
