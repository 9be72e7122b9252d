import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { loadResult } from '../service/load-table.ts';

/** What the answer holds of the table: all snapshots, or those that a ref names (REST spec: `snapshots`). */
export type LoadedSnapshots = 'all' | 'refs';

interface LoadedFile {
  readonly location: string;
  readonly text: string;
}

/**
 * The ETag of a load answer. A metadata file never changes, so its location says which version of the table it is; answers that leave
 * snapshots out have tags of their own.
 */
export function etagOf(location: string, snapshots: LoadedSnapshots): string {
  return `"${createHash('sha256').update(`${snapshots}\n${location}`).digest('base64url')}"`;
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
  snapshots: LoadedSnapshots = 'all',
): FastifyReply {
  return reply
    .header('etag', etagOf(file.location, snapshots))
    .type('application/json; charset=utf-8')
    .send(loadResult(file));
}
