import { type Logger, pino } from 'pino';

export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export const SERVER_LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type ServerLogLevel = (typeof SERVER_LOG_LEVELS)[number];

interface LogOptions {
  readonly level: ServerLogLevel;
  readonly format: LogFormat;
  /** Takes a line without its end. */
  readonly write: (line: string) => void;
}

const SECRETS = ['authorization', 'cookie', 'password', 'secret', 'client_secret', 'token', 'access_token'];
const CENSORED = '[redacted]';
/** `Bearer eyJ…`, and the password in `postgres://user:password@host`, wherever they come from: messages of other libraries have them. */
const SPOKEN_SECRETS = [
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${CENSORED}`],
  [/(\b[a-z][a-z0-9+]*:\/\/[^\s:@/"]*:)[^\s@"]+@/gi, `$1${CENSORED}@`],
] as const;

/** The server's log: JSON lines for machines, or short ones for people. Secrets do not come into it. */
export function catalogLog({ level, format, write }: LogOptions): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino(
    { level, redact: { paths, censor: CENSORED }, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line) => write(shown(withoutSecrets(line.trimEnd()), format)) },
  );
}

function withoutSecrets(line: string): string {
  return SPOKEN_SECRETS.reduce((text, [pattern, instead]) => text.replace(pattern, instead), line);
}

function shown(line: string, format: LogFormat): string {
  if (format === 'json') return line;
  const { time, level, msg, request_id: requestId, err, ...rest } = parsed(line);
  const facts = Object.entries(rest)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${factText(value)}`);
  const id = requestId === undefined ? [] : [`request_id=${factText(requestId)}`];
  const words = [String(time).slice(11, 23), levelName(level), String(msg ?? ''), ...facts, ...id];
  const stack = isRecord(err) && typeof err['stack'] === 'string' ? `\n${err['stack']}` : '';
  return words.join(' ') + stack;
}

function parsed(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line);
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function factText(value: unknown): string {
  return typeof value === 'string' && /^\S+$/.test(value) ? value : JSON.stringify(value);
}

function levelName(level: unknown): string {
  return pino.levels.labels[Number(level)]?.toUpperCase() ?? String(level);
}
