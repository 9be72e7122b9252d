import type { FastifyRequest } from 'fastify';
import * as z from 'zod';
import { LakeError } from '../../src/errors.ts';
import { branchNamed } from '../../src/iceberg/branch-name.ts';
import type { Levels, PageRequest, TableName } from '../store/catalog-store.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** What parts the levels of a namespace in a path, besides U+001F (REST spec: `namespace-separator`). */
    namespaceSeparator?: string;
  }
}

/** What every client may part levels by, whatever the configured separator is. */
export const UNIT_SEPARATOR = '\u001f';
const MAX_PAGE = 10_000;
const DEFAULT_PAGE = 1000;

/** `input` as `schema` has it. Errors: `invalid-argument` naming each field that is off. */
export function checked<T>(schema: z.ZodType<T>, input: unknown, what: string): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) =>
      `${issue.path.join('.') || what}: ${issue.message.replace(/, received undefined$/, ', and it is missing')}`,
  );
  throw new LakeError('invalid-argument', `Invalid ${what}: ${problems.join('; ')}`, {
    hint: 'Nothing was changed: correct the request.',
  });
}

/** The check of a request's body that was made last: who may do it and what to do are both asked of the body. */
const checkedBodies = new WeakMap<FastifyRequest, { readonly schema: z.ZodType; readonly body: unknown }>();

/** The body as `schema` has it. */
export function bodyOf<T>(request: FastifyRequest, schema: z.ZodType<T>): T {
  const known = checkedBodies.get(request);
  if (known?.schema === schema) return known.body as T;
  const body = checked(schema, request.body, 'request body');
  checkedBodies.set(request, { schema, body });
  return body;
}

const namespaceParams = z.object({ namespace: z.string().min(1) });
const tableParams = z.object({ namespace: z.string().min(1), table: z.string().min(1) });
const viewParams = z.object({ namespace: z.string().min(1), view: z.string().min(1) });
const planParams = z.object({ planId: z.string().min(1) });
const idParams = z.object({ id: z.string().min(1) });

/** Levels of a namespace in a path or query: parted by U+001F (`%1F`), or else by the server's own separator. */
export function levelsOf(request: FastifyRequest, text: string): Levels {
  const { namespaceSeparator = UNIT_SEPARATOR } = request.server;
  const levels = text.split(text.includes(UNIT_SEPARATOR) ? UNIT_SEPARATOR : namespaceSeparator);
  if (levels.some((level) => level === '')) {
    throw new LakeError('invalid-argument', 'A namespace has an empty level', {
      hint: `Separate levels by ${encodeURIComponent(namespaceSeparator)}.`,
    });
  }
  return levels;
}

/** Errors: `invalid-argument` for levels that no path could name. */
export function checkLevels(request: FastifyRequest, levels: Levels): void {
  const { namespaceSeparator = UNIT_SEPARATOR } = request.server;
  const ambiguous = levels.find((level) => level.includes(namespaceSeparator));
  if (ambiguous === undefined) return;
  throw new LakeError(
    'invalid-argument',
    `The namespace level "${ambiguous}" holds the separator "${namespaceSeparator}"`,
    {
      hint: 'Nothing was created: this catalog parts levels by it. Choose another name.',
    },
  );
}

export function namespaceOf(request: FastifyRequest): Levels {
  return levelsOf(request, checked(namespaceParams, request.params, 'path').namespace);
}

export function tableOf(request: FastifyRequest): TableName {
  const { namespace, table } = checked(tableParams, request.params, 'path');
  return { namespace: levelsOf(request, namespace), name: table };
}

/** The table of the path, and the branch where it is named by one of its branches (see `branchNamed`). */
export function branchOf(request: FastifyRequest): { table: TableName; branch: string | null } {
  const table = tableOf(request);
  return branchNamed(table) ?? { table, branch: null };
}

export function viewOf(request: FastifyRequest): TableName {
  const { namespace, view } = checked(viewParams, request.params, 'path');
  return { namespace: levelsOf(request, namespace), name: view };
}

/** The `:planId` of the path. */
export function planIdOf(request: FastifyRequest): string {
  return checked(planParams, request.params, 'path').planId;
}

/** The `:id` of the path. */
export function idOf(request: FastifyRequest): string {
  return checked(idParams, request.params, 'path').id;
}

const count = z.coerce.number().int().min(1);
const pageQuery = z.object({ pageToken: z.string().optional(), pageSize: count.optional() });
const extensionPageQuery = z.object({ 'page-token': z.string().optional(), 'page-size': count.optional() });

/** The page asked for (REST spec: `pageToken`); all rows unless a token, be it empty, is given. */
export function pageOf(request: FastifyRequest): PageRequest {
  const { pageToken, pageSize } = checked(pageQuery, request.query, 'query');
  return pageToken === undefined ? {} : pageAfter(pageToken, pageSize);
}

/** The page asked for below `/lake/v1`: always cut, as a journal may be long. */
export function extensionPageOf(request: FastifyRequest): PageRequest {
  const query = checked(extensionPageQuery, request.query, 'query');
  return pageAfter(query['page-token'] ?? '', query['page-size']);
}

function pageAfter(token: string, size: number | undefined): PageRequest {
  const limit = Math.min(size ?? DEFAULT_PAGE, MAX_PAGE);
  return token === '' ? { limit } : { limit, after: Buffer.from(token, 'base64url').toString() };
}

/** The token that `pageOf` reads back; null on the last page. */
export function tokenOf(next: string | null): { readonly 'next-page-token': string | null } {
  return { 'next-page-token': next === null ? null : Buffer.from(next).toString('base64url') };
}

/** Shape of a namespace or table identifier in bodies. */
export const nameSchema = z
  .string()
  .min(1)
  // Longer ones do not go into a path, and could be created and never be asked for.
  .max(1000)
  .refine(
    (name) => name.isWellFormed() && !name.includes('\0') && !name.includes(UNIT_SEPARATOR),
    'a name is Unicode text without NUL and U+001F',
  )
  // Clients and proxies take them out of a path: nobody could name it.
  .refine((name) => name !== '.' && name !== '..', 'a name is neither "." nor ".."');
export const levelsSchema = z.array(nameSchema).min(1);
export const identifierSchema = z.object({ namespace: levelsSchema, name: nameSchema });
export const propertiesSchema = z.record(z.string(), z.string());
