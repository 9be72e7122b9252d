import type { FastifyRequest } from 'fastify';
import * as z from 'zod';
import { LakeError } from '../../src/errors.ts';
import type { Levels, PageRequest, TableName } from '../store/catalog-store.ts';

const SEPARATOR = '\u001f';
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

/** The body as `schema` has it. */
export function bodyOf<T>(request: FastifyRequest, schema: z.ZodType<T>): T {
  return checked(schema, request.body, 'request body');
}

const namespaceParams = z.object({ namespace: z.string().min(1) });
const tableParams = z.object({ namespace: z.string().min(1), table: z.string().min(1) });
const viewParams = z.object({ namespace: z.string().min(1), view: z.string().min(1) });
const idParams = z.object({ id: z.string().min(1) });

/** Levels of a namespace in a path: separated by U+001F (`%1F`). */
export function levelsOf(text: string): Levels {
  const levels = text.split(SEPARATOR);
  if (levels.some((level) => level === '')) {
    throw new LakeError('invalid-argument', 'A namespace has an empty level', {
      hint: 'Separate levels by %1F.',
    });
  }
  return levels;
}

export function namespaceOf(request: FastifyRequest): Levels {
  return levelsOf(checked(namespaceParams, request.params, 'path').namespace);
}

export function tableOf(request: FastifyRequest): TableName {
  const { namespace, table } = checked(tableParams, request.params, 'path');
  return { namespace: levelsOf(namespace), name: table };
}

export function viewOf(request: FastifyRequest): TableName {
  const { namespace, view } = checked(viewParams, request.params, 'path');
  return { namespace: levelsOf(namespace), name: view };
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
  .refine(
    (name) => name.isWellFormed() && !name.includes('\0') && !name.includes(SEPARATOR),
    'a name is Unicode text without NUL and U+001F',
  );
export const levelsSchema = z.array(nameSchema).min(1);
export const identifierSchema = z.object({ namespace: levelsSchema, name: nameSchema });
export const propertiesSchema = z.record(z.string(), z.string());
