import type { FuzzAnswer, FuzzRequest } from './world.ts';

const KNOWN_STATUS = [
  200, 204, 304, 400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 417, 419, 422, 429, 431, 503,
];

/** What is wrong with an answer as the REST spec has them; null if nothing is. */
export function problemOf({ method }: FuzzRequest, answer: FuzzAnswer): string | null {
  const { status, text, json, headers } = answer;
  if (!KNOWN_STATUS.includes(status)) return `status ${status}: ${text.slice(0, 300)}`;
  const type = String(headers['content-type'] ?? '');
  if (method === 'HEAD' || status === 204 || status === 304) {
    return text === '' ? null : `a body where there is none: ${text.slice(0, 100)}`;
  }
  if (json === undefined || !type.startsWith('application/json'))
    return `no JSON (${type}): ${text.slice(0, 100)}`;
  if (status < 400) return typeof json === 'object' && json !== null ? null : 'no JSON object';
  const error = json?.error;
  if (typeof error?.message !== 'string' || error.message === '')
    return `an error without a message: ${text.slice(0, 200)}`;
  if (typeof error.type !== 'string' || error.type === '')
    return `an error without a type: ${text.slice(0, 200)}`;
  if (error.code !== status) return `an error whose code ${error.code} is not its status ${status}`;
  if (error.message.length > 20_000) return `a message of ${error.message.length} characters`;
  return null;
}
