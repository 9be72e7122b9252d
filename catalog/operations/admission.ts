import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LakeError } from '../../src/errors.ts';
import type { Rate, ServeLimits } from './serve-options.ts';

/** Why a request was sent away before anything was done for it. */
export type RejectReason = 'stopping' | 'in-flight' | 'address-rate' | 'principal-rate' | 'maintenance';

interface AdmissionOptions {
  readonly limits: ServeLimits;
  /** Who sent the request, once that is known; null for nobody in particular. */
  readonly principalOf: (request: FastifyRequest) => string | null;
  readonly onReject: (reason: RejectReason) => void;
}

/** True for the probes of load balancers, which are answered whatever the load. */
export function isProbe(request: FastifyRequest): boolean {
  return request.routeOptions.url?.startsWith('/health') === true;
}

/**
 * Who is let in. A request that is sent away has done nothing: 503 while the server stops or is full, 429 for who asks too often, both with
 * Retry-After.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  #inFlight = 0;
  #stopping = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** From now on new requests are refused, and connections end with the answer that they wait for. */
  stop(): void {
    this.#stopping = true;
  }

  /** Guards every route of the app that is added afterwards. */
  guard(app: FastifyInstance): void {
    const places = new WeakMap<FastifyRequest, Place>();
    app.addHook('onRequest', async (request, reply) => {
      this.#inFlight += 1;
      const place = new Place(() => {
        this.#inFlight -= 1;
      });
      places.set(request, place);
      reply.raw.once('close', () => place.closed());
      if (!isProbe(request)) this.#checkRoom();
    });
    app.addHook('preHandler', async (request) => places.get(request)?.begun());
    app.addHook('onSend', async (request, reply, payload) => {
      places.get(request)?.done();
      if (this.#stopping) reply.header('connection', 'close');
      return payload;
    });
    this.#limitRates(app);
  }

  #checkRoom(): void {
    if (this.#stopping) {
      throw this.#rejected('stopping', 'The server stops', 1);
    }
    if (this.#inFlight > this.#options.limits.inFlight) {
      throw this.#rejected('in-flight', 'The server has as many requests at work as it takes', 1);
    }
  }

  #limitRates(app: FastifyInstance): void {
    const { perAddress, perPrincipal } = this.#options.limits;
    if (perAddress === undefined && perPrincipal === undefined) return;
    app.register(rateLimit, { global: false });
    if (perAddress !== undefined) {
      // The plugin's own key: addresses, with IPv6 networks as one.
      app.addHook('onRequest', this.#rateCheck(app, 'address-rate', perAddress));
    }
    if (perPrincipal !== undefined) {
      // Who it is stands fast only after authentication, which comes before the handler.
      const { principalOf } = this.#options;
      app.addHook('preHandler', this.#rateCheck(app, 'principal-rate', perPrincipal, principalOf));
    }
  }

  #rateCheck(
    app: FastifyInstance,
    reason: RejectReason,
    { requests, perMs }: Rate,
    keyOf?: (request: FastifyRequest) => string | null,
  ): (request: FastifyRequest) => Promise<void> {
    let check: ReturnType<FastifyInstance['createRateLimit']> | undefined;
    return async (request) => {
      if (isProbe(request) || keyOf?.(request) === null) return;
      check ??= app.createRateLimit({
        max: requests,
        timeWindow: perMs,
        ...(keyOf === undefined ? {} : { keyGenerator: (one) => keyOf(one) ?? '' }),
      });
      const answer = await check(request);
      if (answer.isAllowed || !answer.isExceeded) return;
      const text = `More than ${requests} requests in ${perMs / 1000} s`;
      throw this.#rejected(reason, text, answer.ttlInSeconds, 'TooManyRequestsException');
    };
  }

  #rejected(reason: RejectReason, message: string, seconds: number, type?: string): LakeError {
    this.#options.onReject(reason);
    return new LakeError('unavailable', message, {
      hint: `Nothing was done: send it again in ${seconds} s.`,
      context: { retryAfterSeconds: seconds, ...(type === undefined ? {} : { type }) },
    });
  }
}

/** The place of a request: given back once its connection is done with it, and nothing works for it any more, though the client be gone. */
class Place {
  readonly #giveBack: () => void;
  #isWorking = false;
  #isClosed = false;
  #isGiven = false;

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  begun(): void {
    this.#isWorking = true;
  }

  done(): void {
    this.#isWorking = false;
    this.#settle();
  }

  closed(): void {
    this.#isClosed = true;
    this.#settle();
  }

  #settle(): void {
    if (!this.#isClosed || this.#isWorking || this.#isGiven) return;
    this.#isGiven = true;
    this.#giveBack();
  }
}
