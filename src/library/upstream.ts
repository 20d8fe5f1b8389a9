import { connect } from "node:net";
import type { Clock } from "../runtime/clock.ts";
import type { Upstream } from "../expose/upstream.ts";

const LOOK_MS = 1_000;

/** The service on this machine: on IPv4, or where only IPv6 answers there. Looked at anew whenever it does not answer. */
export class LocalService {
  readonly #port: number;
  readonly #clock: Clock;
  #address = "127.0.0.1";
  #isLooking = false;
  /** Set while it does not answer: then each request is a reason to look. */
  isAway = false;

  constructor(port: number, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  get upstream(): Upstream {
    if (this.isAway) void this.look();
    const port = this.#port;
    return { scheme: "http", address: this.#address, port, host: `localhost:${port}` };
  }

  /** Finds the address that answers. A service that is not there yet keeps the last one. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const address of ["127.0.0.1", "::1"]) {
      if (!(await this.#answers(address))) continue;
      this.#address = address;
      break;
    }
    this.#isLooking = false;
  }

  #answers(host: string): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ host, port: this.#port });
      const cancel = this.#clock.after(LOOK_MS, () => socket.destroy());
      let isThere = false;
      socket.once("connect", () => {
        isThere = true;
        socket.destroy();
      });
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        cancel();
        resolve(isThere);
      });
    });
  }
}
