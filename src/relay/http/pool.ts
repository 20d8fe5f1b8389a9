import { Agent } from "node:http";
import { Duplex } from "node:stream";
import type { Host } from "../hosts/host.ts";

/** A gateway keeps an idle connection for longer, so that no request meets its close. */
const IDLE_MS = 30_000;
const MAX_IDLE = 32;

/** Connections to one host's gateway: streams of its line, each used for one request after the other. */
export class StreamPool extends Agent {
  readonly #host: Host;

  constructor(host: Host) {
    super({ keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: IDLE_MS, scheduling: "lifo" });
    this.#host = host;
  }

  override createConnection(
    _options: object,
    onFailure: (error: Error | null, stream: Duplex) => void,
  ): Duplex | undefined {
    const stream = this.#host.openStream();
    if (stream === undefined) {
      // Never thrown: a request of a stranger would end the relay.
      onFailure(new Error("the host's line is gone"), NO_STREAM);
      return undefined;
    }
    stream.once("response", ({ ":status": status }) => {
      if (status !== 200) stream.destroy();
    });
    // Node's agent asks a socket for these; a stream holds no process open, and its line is pinged.
    return Object.assign(stream, { ref: nothing, unref: nothing, setKeepAlive: nothing });
  }
}

/** Goes with an error, and is not used. */
const NO_STREAM = new Duplex();
const nothing = (): void => undefined;
