import { Duplex } from "node:stream";
import { connect, createSecureContext, TLSSocket } from "node:tls";

export interface Rehearsal {
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The name that is asked for, `label.domain`. */
  readonly host: string;
}

const LIMIT_MS = 5_000;

/**
 * A TLS 1.3 handshake between a stand-in for Anthropic, which knows only the CA, and one for the proxy, inside this process. It
 * shows whether these certificates would do; the proxy and the way to it are not part of it.
 * @returns what went wrong, in the words of OpenSSL; undefined for a handshake that was completed for this host
 */
export async function rehearse({ ca, cert, key, host }: Rehearsal): Promise<string | undefined> {
  const [near, far] = pair();
  let proxy: TLSSocket | undefined;
  try {
    proxy = new TLSSocket(far, { isServer: true, secureContext: createSecureContext({ cert, key }) });
    return await handshake(near, proxy, { ca, host });
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  } finally {
    proxy?.destroy();
  }
}

function handshake(
  near: Duplex,
  proxy: TLSSocket,
  { ca, host }: { ca: string; host: string },
): Promise<string | undefined> {
  const caller = connect({ socket: near, servername: host, ca, minVersion: "TLSv1.3" });
  return new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => resolve("no answer in time"), LIMIT_MS);
    const end = (problem: string | undefined): void => {
      clearTimeout(timer);
      resolve(problem);
    };
    caller.once("error", (error: Error) => end(error.message));
    proxy.once("error", (error: Error) => end(error.message));
    caller.once("secureConnect", () => {
      // The name came with the first message, in which the proxy looks for its route.
      const asked: unknown = Reflect.get(proxy, "servername");
      end(asked === host ? undefined : "the name was not handed over");
    });
  }).finally(() => caller.destroy());
}

/** Two ends of one connection without a network. */
function pair(): readonly [Duplex, Duplex] {
  const end = (other: () => Duplex): Duplex =>
    new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        other().push(chunk);
        done();
      },
      final(done) {
        other().push(null);
        done();
      },
    });
  const near: Duplex = end(() => far);
  const far: Duplex = end(() => near);
  return [near, far];
}
