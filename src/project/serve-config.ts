import { resolve } from 'node:path';
import { z } from 'zod';
import { durationHint, durationMs, isDuration, parseDuration } from '../policy/duration.ts';
import { type AuthConfig, authConfig, authFile } from './auth-config.ts';
import { sizeBytes } from './storage-config.ts';
import {
  allowedLocationsFile,
  type VendingConfig,
  vendingConfig,
  vendingFile,
  vendingProblems,
} from './vending-config.ts';
import type { Problem } from './yaml-file.ts';

const SIZE = /^\d+(\.\d+)?\s*[KMG]?i?B$/;
const size = z.string().regex(SIZE, 'a size such as 256MB');
const duration = z
  .string()
  .refine(isDuration, { error: (issue) => `no duration: ${durationHint(String(issue.input))}` });
const rate = z.strictObject({ requests: z.int().min(1), per: duration });
const port = z.int().min(0).max(65_535);

/** The `catalog.serve` key of lake.yaml: how `lake catalog serve` serves. */
export const serveFile = z.strictObject({
  host: z.string().min(1).optional(),
  port: port.optional(),
  tls: z
    .strictObject({
      cert: z.string().min(1),
      key: z.string().min(1),
      client_ca: z.string().min(1).optional(),
    })
    .optional(),
  behind_proxy: z
    .array(
      z
        .string()
        .regex(/^(loopback|linklocal|uniquelocal|[\da-fA-F.:]+(\/\d{1,3})?)$/, 'an address or network'),
    )
    .min(1)
    .optional(),
  limits: z
    .strictObject({
      body: size.optional(),
      headers: size.optional(),
      request_timeout: duration.optional(),
      in_flight: z.int().min(1).optional(),
      per_address: rate.optional(),
      per_principal: rate.optional(),
    })
    .optional(),
  metrics: z.strictObject({ host: z.string().min(1).optional(), port }).optional(),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).optional(),
      format: z.enum(['text', 'json']).optional(),
    })
    .optional(),
  shutdown_grace: duration.optional(),
  namespace_separator: z
    .string()
    .regex(/^[.:~$@,;!|*-]{1,3}$/, 'one to three of . : ~ $ @ , ; ! | * -')
    .optional(),
  scan_planning: z.enum(['client', 'server']).optional(),
  auth: authFile.optional(),
  allowed_locations: allowedLocationsFile.optional(),
  vending: vendingFile.optional(),
});

type ServeFile = z.infer<typeof serveFile>;
type RateFile = z.infer<typeof rate>;

/** At most `requests` in any `perMs`. */
interface Rate {
  readonly requests: number;
  readonly perMs: number;
}

/** How the catalog is served, checked; paths are absolute. What is absent has the server's own default. */
export interface ServeConfig {
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  readonly trustedProxies?: readonly string[];
  readonly limits: {
    readonly bodyBytes?: number;
    readonly headerBytes?: number;
    readonly requestTimeoutMs?: number;
    readonly inFlight?: number;
    readonly perAddress?: Rate;
    readonly perPrincipal?: Rate;
  };
  readonly metrics?: { readonly host: string; readonly port: number };
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
    readonly format: 'text' | 'json';
  };
  readonly shutdownGraceMs?: number;
  /** Parts the levels of a namespace in paths, besides U+001F. */
  readonly namespaceSeparator?: string;
  /** Who is to plan scans; clients choose if absent. */
  readonly scanPlanningMode?: 'client' | 'server';
  /** How callers are known; absent: nobody is asked. */
  readonly auth?: AuthConfig;
  /** Prefixes besides the warehouse and the tiers that tables may be given or registered at. */
  readonly allowedLocations: readonly string[];
  readonly vending: VendingConfig;
}

const LOOPBACK = '127.0.0.1';
const PORT = 8181;

/** `catalog.serve` with its paths below `root`, and defaults that keep it to this machine. */
export function serveConfig(file: ServeFile = {}, root: string): ServeConfig {
  const { tls, behind_proxy, limits, metrics, log, shutdown_grace, auth } = file;
  const { namespace_separator: separator, scan_planning: mode } = file;
  return {
    host: file.host ?? LOOPBACK,
    port: file.port ?? PORT,
    limits: limitsOf(limits),
    allowedLocations: file.allowed_locations ?? [],
    vending: vendingConfig(file.vending),
    log: { level: log?.level ?? 'info', format: log?.format ?? 'text' },
    ...(tls === undefined ? {} : { tls: tlsOf(tls, root) }),
    ...(behind_proxy === undefined ? {} : { trustedProxies: behind_proxy }),
    ...(metrics === undefined ? {} : { metrics: { host: metrics.host ?? LOOPBACK, port: metrics.port } }),
    ...(auth === undefined ? {} : { auth: authConfig(auth) }),
    ...(separator === undefined ? {} : { namespaceSeparator: separator }),
    ...(mode === undefined ? {} : { scanPlanningMode: mode }),
    ...(shutdown_grace === undefined ? {} : { shutdownGraceMs: msOf(shutdown_grace) }),
  };
}

function tlsOf(tls: NonNullable<ServeFile['tls']>, root: string): NonNullable<ServeConfig['tls']> {
  return {
    cert: resolve(root, tls.cert),
    key: resolve(root, tls.key),
    ...(tls.client_ca === undefined ? {} : { clientCa: resolve(root, tls.client_ca) }),
  };
}

function limitsOf(limits: ServeFile['limits'] = {}): ServeConfig['limits'] {
  const { body, headers, request_timeout, in_flight, per_address, per_principal } = limits;
  return {
    ...(body === undefined ? {} : { bodyBytes: sizeBytes(body) }),
    ...(headers === undefined ? {} : { headerBytes: sizeBytes(headers) }),
    ...(request_timeout === undefined ? {} : { requestTimeoutMs: msOf(request_timeout) }),
    ...(in_flight === undefined ? {} : { inFlight: in_flight }),
    ...(per_address === undefined ? {} : { perAddress: rateOf(per_address) }),
    ...(per_principal === undefined ? {} : { perPrincipal: rateOf(per_principal) }),
  };
}

function rateOf({ requests, per }: RateFile): Rate {
  return { requests, perMs: msOf(per) };
}

const msOf = (text: string): number => durationMs(parseDuration(text));

type ProblemAt = (path: readonly string[], message: string, hint: string) => Problem;

/** What is off in the meaning of `catalog.serve`. */
export function serveProblems(file: ServeFile | undefined, problemAt: ProblemAt): Problem[] {
  const { port, metrics } = file ?? {};
  const problems = vendingProblems(file?.vending, problemAt);
  if (metrics === undefined || metrics.port === 0 || metrics.port !== (port ?? PORT)) return problems;
  const message = "the metrics have a port of their own, and this one is the catalog's";
  return [
    ...problems,
    problemAt(['catalog', 'serve', 'metrics', 'port'], message, 'write another one, such as 9181'),
  ];
}
