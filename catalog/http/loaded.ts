import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type FileAccess, loadResult } from '../service/load-table.ts';

/** What the answer holds of the table: all snapshots, or those that a ref names (REST spec: `snapshots`). */
export type LoadedSnapshots = 'all' | 'refs';

interface Shown {
  readonly snapshots?: LoadedSnapshots;
  /** The branch by whose name the table was asked for. */
  readonly branch?: string | null;
  readonly access?: FileAccess | null;
}

interface LoadedFile {
  readonly location: string;
  readonly json: Uint8Array;
}

/**
 * The ETag of a load answer. A metadata file never changes, so its location says which version of the table it is; answers that leave
 * snapshots out, or show a branch, have tags of their own.
 */
export function etagOf(location: string, snapshots: LoadedSnapshots, branch: string | null = null): string {
  const part = branch === null ? snapshots : `${snapshots} ${branch}`;
  return `"${hash('sha256', `${part}\n${location}`, 'base64url')}"`;
}

/** True if the client has this version already (RFC 9110, `If-None-Match`: a list, weak comparison, `*`). */
export function isKnown(request: FastifyRequest, etag: string): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

/** Sends a loaded table or view with its ETag. */
export function sendLoaded(
  reply: FastifyReply,
  file: LoadedFile,
  { snapshots = 'all', branch = null, access = null }: Shown = {},
): FastifyReply {
  return notKept(reply, access)
    .header('etag', etagOf(file.location, snapshots, branch))
    .type('application/json; charset=utf-8')
    .send(loadResult(file, access));
}

/** An answer with credentials in it is for its receiver alone: no proxy keeps it, nor does this catalog for repeated requests. */
export function notKept(reply: FastifyReply, access: FileAccess | null): FastifyReply {
  return access === null ? reply : reply.header('cache-control', 'no-store');
}
