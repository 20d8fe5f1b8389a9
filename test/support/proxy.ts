import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createDirectOpener } from "../../src/tunnel/direct.ts";
import type { TunnelOpener } from "../../src/tunnel/provider.ts";

export type Direction = "toHost" | "toGuest";
/** How a connection is ended: in an orderly way for TCP, or by a reset, as a crash or a middlebox does it. */
export type Ending = "fin" | "reset";

/** What a slow path holds before its sender has to wait. */
const MAX_HELD_BYTES = 256 * 1024;

/** One direction of one connection: passes bytes on, or not, or later, or only so many. */
export class Lane {
  /** Bytes that have gone through. */
  passed = 0;
  /** At most so many bytes for each turn of the event loop. */
  bytesPerTurn = Number.POSITIVE_INFINITY;
  /** Turns of the event loop that each piece waits. */
  turnsLate = 0;
  readonly #from: Socket;
  readonly #to: Socket;
  #held: { piece: Buffer; turnsLeft: number }[] = [];
  #heldBytes = 0;
  #isStalled = false;
  #isEnded = false;
  #isTurning = false;
  #limit = Number.POSITIVE_INFINITY;
  #onLimit: () => void = () => undefined;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on("data", (piece: Buffer) => {
      this.#held.push({ piece, turnsLeft: this.turnsLate });
      this.#heldBytes += piece.length;
      if (this.#heldBytes > MAX_HELD_BYTES) from.pause();
      this.#pass(this.bytesPerTurn === Number.POSITIVE_INFINITY ? this.bytesPerTurn : 0);
    });
    from.on("end", () => {
      this.#isEnded = true;
      this.#pass(0);
    });
    from.on("error", () => {
      // Behind a stall nobody hears of a reset, either.
      if (!this.#isStalled) to.resetAndDestroy();
    });
    to.on("drain", () => {
      this.#resume();
    });
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Nothing gets through any more, no end and no reset either, and neither side is told. */
  stall(): void {
    this.#isStalled = true;
    this.#from.pause();
  }

  flow(): void {
    this.#isStalled = false;
    this.#resume();
    this.#pass(this.bytesPerTurn);
  }

  /** Calls `onLimit` as soon as `bytes` in all have been handed on; no byte passes after that. */
  stopAfter(bytes: number, onLimit: () => void): void {
    this.#limit = Math.max(bytes, this.passed);
    this.#onLimit = onLimit;
    if (this.passed === this.#limit) onLimit();
  }

  #pass(budget: number): void {
    let left = budget;
    while (!this.#isStalled) {
      const [first] = this.#held;
      if (first === undefined || first.turnsLeft > 0) break;
      const size = Math.min(first.piece.length, left, this.#limit - this.passed);
      if (size === 0) break;
      left -= size;
      this.#heldBytes -= size;
      this.#write(first.piece.subarray(0, size));
      if (size === first.piece.length) this.#held.shift();
      else first.piece = first.piece.subarray(size);
    }
    this.#resume();
    if (this.#held.length > 0) this.#nextTurn();
    else if (this.#isEnded && !this.#isStalled) this.#to.end();
  }

  #write(piece: Buffer): void {
    this.passed += piece.length;
    // Nobody is there: gone, as on a path whose end has moved away.
    if (this.#to.destroyed) return;
    const isLast = this.passed === this.#limit;
    // Only once the kernel has them: what comes up to the limit really arrives.
    const taken = this.#to.write(piece, () => {
      if (isLast) this.#onLimit();
    });
    if (!taken) this.#from.pause();
  }

  #resume(): void {
    const isFull = this.#heldBytes > MAX_HELD_BYTES || this.#to.writableNeedDrain;
    if (!this.#isStalled && !isFull) this.#from.resume();
  }

  #nextTurn(): void {
    if (this.#isTurning || this.#isStalled || this.passed === this.#limit) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      for (const held of this.#held) held.turnsLeft -= 1;
      this.#pass(this.bytesPerTurn);
    });
  }
}

/** One connection through the proxy. */
export class Crossing {
  readonly toHost: Lane;
  readonly toGuest: Lane;
  /** Whether it was the proxy that ended it. */
  wasCut = false;
  readonly #guest: Socket;
  readonly #host: Socket;

  constructor(guest: Socket, host: Socket, onOver: () => void) {
    this.#guest = guest;
    this.#host = host;
    this.toHost = new Lane(guest, host);
    this.toGuest = new Lane(host, guest);
    let open = 2;
    for (const socket of [guest, host]) {
      socket.setNoDelay();
      socket.once("close", () => {
        open -= 1;
        if (open === 0) onOver();
      });
    }
  }

  cut(ending: Ending = "reset"): void {
    this.wasCut = true;
    for (const socket of [this.#guest, this.#host]) {
      if (ending === "reset") socket.resetAndDestroy();
      else socket.destroySoon();
    }
  }

  /** Cuts it when so many bytes have passed, or some turns of the event loop later, in which the other direction goes on. */
  cutAfter(direction: Direction, bytes: number, ending: Ending = "reset", turnsLater = 0): void {
    this[direction].stopAfter(bytes, () => afterTurns(turnsLater, () => this.cut(ending)));
  }

  /** The guest's network is gone: its socket breaks, and the host is not told. */
  loseGuest(): void {
    this.stall();
    this.#guest.resetAndDestroy();
  }

  /** Whether the host has hung up, which shows only in a direction that flows. */
  get hasHostLeft(): boolean {
    return this.#host.readableEnded || this.#host.destroyed;
  }

  stall(...directions: Direction[]): void {
    const lanes: readonly Direction[] = directions.length === 0 ? ["toHost", "toGuest"] : directions;
    for (const direction of lanes) this[direction].stall();
  }

  flow(): void {
    this.toHost.flow();
    this.toGuest.flow();
  }
}

function afterTurns(turns: number, callback: () => void): void {
  if (turns === 0) callback();
  else setImmediate(() => afterTurns(turns - 1, callback));
}

/** A bad network between a guest and the host's port, on loopback: does what it is told and nothing by chance. */
export class Proxy {
  /** Told of each connection before a byte has passed. */
  onCrossing: (crossing: Crossing) => void = () => undefined;
  /** The host's port. */
  target = 0;
  /** Whether new connections are refused. */
  isDown = false;
  /** Connections so far. */
  total = 0;
  readonly #server: Server;
  readonly #open = new Set<Crossing>();
  #newest: Crossing | undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (guest: Socket) => this.#cross(guest));
  }

  static async start(): Promise<Proxy> {
    // Each direction ends by itself, as it does on a real path.
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Proxy(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get newest(): Crossing | undefined {
    return this.#newest;
  }

  get open(): readonly Crossing[] {
    return [...this.#open];
  }

  /** The public address of a host behind this proxy. */
  get provider(): TunnelOpener {
    const direct = createDirectOpener({ bind: "127.0.0.1", publicUrl: this.origin });
    return (request) => {
      this.target = request.port;
      return direct(request);
    };
  }

  async close(): Promise<void> {
    for (const crossing of this.#open) crossing.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #cross(guest: Socket): void {
    guest.on("error", () => guest.destroy());
    if (this.isDown) {
      guest.resetAndDestroy();
      return;
    }
    const host = connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
    host.on("error", () => host.destroy());
    const crossing = new Crossing(guest, host, () => this.#open.delete(crossing));
    this.#open.add(crossing);
    this.#newest = crossing;
    this.total += 1;
    this.onCrossing(crossing);
  }
}
