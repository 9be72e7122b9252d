import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { LakeError } from '../../src/errors.ts';
import type { TlsFiles } from './serve-options.ts';

/** What a TLS server takes, in PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** Certificate and key as the files have them now. Errors: `invalid-file` for one that cannot be read, or a pair that does not fit. */
export function readTls(files: TlsFiles): TlsMaterial {
  const material = readFiles(files);
  requirePair(material, files);
  return material;
}

function readFiles(files: TlsFiles): TlsMaterial {
  return {
    cert: readPem(files.cert, 'certificate'),
    key: readPem(files.key, 'key'),
    ...(files.clientCa === undefined ? {} : { ca: readPem(files.clientCa, 'authority of the clients') }),
  };
}

function requirePair(material: TlsMaterial, files: TlsFiles): void {
  try {
    // An empty file, as one that is being written has it, would be taken for none: no certificate, or any authority.
    const isPair = new X509Certificate(material.cert).checkPrivateKey(createPrivateKey(material.key));
    if (!isPair) throw new LakeError('invalid-file', 'the key is that of another certificate');
    if (material.ca !== undefined) new X509Certificate(material.ca);
    createSecureContext(material);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LakeError('invalid-file', `Certificate and key do not make a pair: ${reason}`, {
      where: `${files.cert}, ${files.key}`,
      hint: 'Name the PEM file of the certificate (with its chain) and that of its own key, without a passphrase.',
      cause,
    });
  }
}

function readPem(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LakeError('invalid-file', `The ${what} for TLS cannot be read: ${reason}`, {
      where: path,
      hint: 'Correct the path under catalog.serve.tls, or the rights on the file.',
      cause,
    });
  }
}

interface TlsWatch {
  readonly files: TlsFiles;
  readonly everyMs: number;
  /** Takes a new pair into use. */
  readonly use: (material: TlsMaterial) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Looks at the files every `everyMs`, and hands on a pair that has changed and fits. One that does not fit (a renewal is at work, or
 * it failed) is told once and left; what was in use stays. The result ends the watch.
 */
export function watchTls(current: TlsMaterial, { files, everyMs, use, onError }: TlsWatch): () => void {
  let seen = JSON.stringify(current);
  const look = () => {
    const found = readOrError(files);
    const text = found instanceof LakeError ? found.message : JSON.stringify(found);
    if (text === seen) return;
    seen = text;
    try {
      if (found instanceof LakeError) throw found;
      requirePair(found, files);
      use(found);
    } catch (error) {
      onError(error);
    }
  };
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
}

function readOrError(files: TlsFiles): TlsMaterial | LakeError {
  try {
    return readFiles(files);
  } catch (error) {
    if (error instanceof LakeError) return error;
    throw error;
  }
}
