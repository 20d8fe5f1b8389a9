import { FILE, SERVICE } from "../../protocol/base/limits.ts";

/** The credit that all connections of one side share beyond what each has for sure (PROTOCOL S4). */
export class WindowPool {
  #borrowed = 0;
  #outstanding = 0;

  /** Bytes that may come on all connections, for files to leave them room. */
  get outstanding(): number {
    return this.#outstanding;
  }

  get free(): number {
    return Math.max(0, SERVICE.windowSharedBytes - this.#borrowed);
  }

  /** For {@link Window} alone. */
  changed(by: { readonly borrowed: number; readonly outstanding: number }): void {
    this.#borrowed += by.borrowed;
    this.#outstanding += by.outstanding;
  }
}

/**
 * How much one connection lets come ahead of what its program has taken. It begins small and doubles while all of it is used, but
 * takes no more than half of what is left to share: those that stand still leave something for the next.
 */
export class Window {
  readonly #pool: WindowPool;
  #target: number = SERVICE.windowMinBytes;
  #outstanding = 0;
  #borrowed = 0;
  #taken = 0;
  #since = 0;

  constructor(pool: WindowPool) {
    this.#pool = pool;
  }

  /** Bytes to grant with the beginning. */
  begin(now: number): number {
    this.#since = now;
    this.#grow();
    return this.#grant(this.#target);
  }

  /** So much was taken in; gives what to grant now, 0 for nothing yet. */
  taken(bytes: number, now: number): number {
    this.#account(this.#outstanding - bytes);
    this.#taken += bytes;
    const isLate = now - this.#since >= FILE.windowMs;
    if (this.#taken >= this.#target && !isLate) this.#grow();
    else if (isLate && this.#taken < this.#target / 2)
      this.#target = Math.max(SERVICE.windowMinBytes, this.#taken);
    if (isLate || this.#taken >= this.#target) {
      this.#taken = 0;
      this.#since = now;
    }
    const grant = this.#target - this.#outstanding;
    // A grant costs a frame, and wakes the sender up.
    return grant < this.#target / 2 ? this.#grant(0) : this.#grant(grant);
  }

  /** Nothing comes of it: it may begin again. */
  reset(): void {
    this.#target = SERVICE.windowMinBytes;
    this.#taken = 0;
    this.#account(0);
  }

  /** The connection is over. */
  end(): void {
    this.#target = 0;
    this.#account(0);
  }

  #grow(): void {
    const wanted = Math.min(SERVICE.windowMaxBytes, 2 * this.#target);
    this.#target += Math.max(0, Math.min(wanted - this.#target, Math.floor(this.#pool.free / 2)));
  }

  #grant(bytes: number): number {
    this.#account(this.#outstanding + bytes);
    return bytes;
  }

  /** A grant cannot be taken back: it counts as borrowed until it has come. */
  #account(outstanding: number): void {
    const borrowed = Math.max(0, Math.max(this.#target, outstanding) - SERVICE.windowMinBytes);
    this.#pool.changed({
      borrowed: borrowed - this.#borrowed,
      outstanding: outstanding - this.#outstanding,
    });
    this.#borrowed = borrowed;
    this.#outstanding = outstanding;
  }
}
