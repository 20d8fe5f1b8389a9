import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";

export type Block = "reset" | "stall";

/** Whether a connection is blocked, by what it has said first. */
type IsBlocked = (first: string) => boolean;

interface Passage {
  readonly from: Socket;
  readonly on: Socket;
  first: string;
  isStalled: boolean;
}

/**
 * One address for some listeners: each connection goes to the next one that takes it, as a load balancer does it. It can be shut, by
 * resets or by silence, for all or for those that begin in some way.
 */
export class Gate {
  /** Changes what is sent on, as a path between networks does it with addresses. */
  rewrite: (piece: Buffer) => Buffer = (piece) => piece;
  readonly #targets: () => readonly number[];
  readonly #server: Server;
  readonly #passages = new Set<Passage>();
  readonly #blocks = new Map<string, { readonly how: Block; readonly isBlocked: IsBlocked }>();
  #turn = 0;

  private constructor(targets: () => readonly number[]) {
    this.#targets = targets;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  static async open(targets: () => readonly number[]): Promise<Gate> {
    const gate = new Gate(targets);
    gate.#server.listen(0, "127.0.0.1");
    await once(gate.#server, "listening");
    return gate;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  block(name: string, how: Block, isBlocked: IsBlocked = () => true): void {
    this.#blocks.set(name, { how, isBlocked });
    for (const passage of this.#passages) this.#look(passage);
  }

  /** What was stalled is dead by then. */
  heal(name: string): void {
    this.#blocks.delete(name);
    for (const passage of this.#passages) if (passage.isStalled) destroy(passage);
  }

  close(): void {
    this.#server.close();
    for (const passage of this.#passages) destroy(passage);
  }

  #accept(from: Socket): void {
    from.on("error", () => from.destroy());
    const ports = this.#targets();
    this.#turn += 1;
    const attempt = (tried: number): void => {
      if (tried === ports.length || from.destroyed) return void from.destroy();
      const port = ports[(this.#turn + tried) % ports.length] ?? 0;
      const on = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      const fail = (): void => attempt(tried + 1);
      on.once("error", fail);
      on.once("connect", () => {
        on.off("error", fail);
        this.#join(from, on);
      });
    };
    attempt(0);
  }

  #join(from: Socket, on: Socket): void {
    const passage: Passage = { from, on, first: "", isStalled: false };
    this.#passages.add(passage);
    on.on("error", () => on.destroy());
    const over = (): void => {
      this.#passages.delete(passage);
      destroy(passage);
    };
    from.once("close", over);
    on.once("close", over);
    from.on("data", (piece: Buffer) => {
      if (passage.first.length < FIRST) {
        passage.first += piece.toString("latin1");
        this.#look(passage);
      }
      // What was read before the gate was shut is lost with it.
      if (!passage.isStalled && !on.destroyed && !on.write(this.rewrite(piece))) from.pause();
    });
    on.on("data", (piece: Buffer) => {
      if (!passage.isStalled && !from.destroyed && !from.write(piece)) on.pause();
    });
    on.on("drain", () => passage.isStalled || from.resume());
    from.on("drain", () => passage.isStalled || on.resume());
    from.on("end", () => passage.isStalled || on.end());
    on.on("end", () => passage.isStalled || from.end());
    this.#look(passage);
  }

  #look(passage: Passage): void {
    for (const { how, isBlocked } of this.#blocks.values()) {
      if (!isBlocked(passage.first)) continue;
      if (how === "reset") {
        passage.from.resetAndDestroy();
        passage.on.resetAndDestroy();
      } else {
        passage.isStalled = true;
        passage.from.pause();
        passage.on.pause();
      }
      return;
    }
  }
}

/** Of what a connection says first. */
const FIRST = 400;

function destroy({ from, on }: Passage): void {
  from.destroy();
  on.destroy();
}
