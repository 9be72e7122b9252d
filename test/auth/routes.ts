import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { Access } from '../../catalog/auth/access.ts';
import { Serving } from '../../catalog/operations/serving.ts';
import { systemClock } from '../../src/clock.ts';

/** Notes every route that an app registers, by `METHOD path`, with the access that it declares. */
export class RouteList extends Serving {
  readonly found = new Map<string, Access | undefined>();

  constructor() {
    super({
      options: {},
      clock: systemClock,
      version: 'test',
      log: pino({ level: 'silent' }),
      principalOf: () => null,
    });
  }

  override install(app: FastifyInstance): void {
    app.addHook('onRoute', ({ method, url, config }) => {
      for (const one of [method].flat()) this.found.set(`${one} ${url}`, config?.access);
    });
  }
}
