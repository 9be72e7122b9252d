import { LakeError } from '../errors.ts';

/**
 * Refuses an address other than the configured server's: user, password and answers travel to and from that one alone. Trino's answers say where they go on, and
 * behind a proxy that it is not told of Trino names itself.
 *
 * @param server as lake.yaml has it
 * @param address where the next request is to go, absolute or below `server`
 * @throws LakeError `unavailable` for another scheme, host or port: nothing was sent there
 */
export function refuseOtherServer(server: string, address: string): void {
  const { origin } = new URL(address, server);
  if (origin === new URL(server).origin) return;
  const message = `Trino at ${server} goes on at ${origin}, another address than trino.server in lake.yaml: nothing was sent there`;
  throw new LakeError('unavailable', message, {
    hint: "Behind a proxy write http-server.process-forwarded=true in Trino's config.properties, and let the proxy send X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port. Without one, mend trino.server.",
    // The statement was sent before: what became of it is not known.
    cause: new Error(message),
  });
}
