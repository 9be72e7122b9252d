import {
  type BinaryLike,
  createHmac,
  randomBytes,
  type ScryptOptions,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { LakeError } from '../../src/errors.ts';

/*
 * Secrets of service accounts: `lake_<id>_<256 random bits>`. The id says which of a principal's secrets it is, so that one hash is
 * computed for whatever is sent, known or not. The bits come from the system's generator and nothing else: a secret that a test could foresee
 * is none.
 */

const SECRET = /^lake_([0-9a-f]{16})_[\w-]{43}$/;
const COST = 16_384;
const BLOCK_SIZE = 8;
const PARALLELISM = 1;
const HASH_BYTES = 32;
/** Each takes 16 MiB and some 50 ms of a core. */
const AT_ONCE = 2;
const WAITING = 64;
/** How many secrets a process knows again without computing their hash. */
const KNOWN = 1000;

/** A new secret and what is kept of it. */
export interface NewSecret {
  readonly id: string;
  /** To be shown once. */
  readonly text: string;
  /** `scrypt$<cost>$<block size>$<parallelism>$<salt>$<hash>` */
  readonly hash: string;
}

export async function newSecret(): Promise<NewSecret> {
  const id = randomBytes(8).toString('hex');
  const text = `lake_${id}_${randomBytes(32).toString('base64url')}`;
  const salt = randomBytes(16);
  const hash = await derive(text, salt, { cost: COST, blockSize: BLOCK_SIZE, parallelization: PARALLELISM });
  return {
    id,
    text,
    hash: [
      'scrypt',
      COST,
      BLOCK_SIZE,
      PARALLELISM,
      salt.toString('base64url'),
      hash.toString('base64url'),
    ].join('$'),
  };
}

/** What the database has of a secret. */
interface KeptSecret {
  readonly id: string;
  readonly hash: string;
}

function secretOf(text: string, secrets: readonly KeptSecret[]): KeptSecret | undefined {
  const id = SECRET.exec(text)?.[1];
  return secrets.find((one) => one.id === id);
}

/**
 * Checks secrets against hashes, a few at a time. Trino signs in with every query: a secret that was right once is known again by a keyed digest
 * that never leaves the process. It goes by the hash, so that one that is withdrawn is asked for no more.
 */
export class SecretCheck {
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, Buffer>();
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /**
   * True if `text` is the secret of one of the hashes. What is wrong takes as long as what is right and not known yet.
   * Errors: `unavailable` while too many are being checked.
   */
  async matches(text: string, secrets: readonly KeptSecret[]): Promise<boolean> {
    if (this.knows(text, secrets)) return true;
    const secret = secretOf(text, secrets);
    await this.#enter();
    try {
      const isRight = await isSecretOf(text, secret?.hash ?? NOBODYS);
      if (isRight && secret !== undefined) this.#remember(text, secret.hash);
      return isRight;
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** True if `text` was found to be the secret of one of the hashes before. */
  knows(text: string, secrets: readonly KeptSecret[]): boolean {
    const digest = this.#known.get(secretOf(text, secrets)?.hash ?? '');
    return digest !== undefined && timingSafeEqual(digest, this.#digestOf(text));
  }

  #remember(text: string, hash: string): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= KNOWN && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(hash, this.#digestOf(text));
  }

  #digestOf(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }

  async #enter(): Promise<void> {
    if (this.#running >= AT_ONCE) {
      if (this.#waiting.length >= WAITING) {
        throw new LakeError('unavailable', 'Too many clients sign in at once', {
          hint: 'Nothing was done: try again.',
          context: { retryAfterSeconds: 2 },
        });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
  }
}

/** No text has this hash: nobody knows one whose scrypt is all zeros. */
const NOBODYS = `scrypt$${COST}$${BLOCK_SIZE}$${PARALLELISM}$AAAAAAAAAAAAAAAAAAAAAA$${'A'.repeat(43)}`;

async function isSecretOf(text: string, hash: string): Promise<boolean> {
  const [, cost, blockSize, parallelization, salt = '', expected = ''] = hash.split('$');
  const found = await derive(text, Buffer.from(salt, 'base64url'), {
    cost: Number(cost),
    blockSize: Number(blockSize),
    parallelization: Number(parallelization),
  });
  const wanted = Buffer.from(expected, 'base64url');
  return wanted.length === found.length && timingSafeEqual(wanted, found) && hash !== NOBODYS;
}

function derive(text: BinaryLike, salt: BinaryLike, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(text, salt, HASH_BYTES, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
