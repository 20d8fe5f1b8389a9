import { TunnelError } from "../../errors/tunnel-error.ts";
import { Emitter, type Observable } from "../../runtime/emitter.ts";
import type { Exposures, ExposuresEvent } from "./exposures.ts";

/** The exposures of a server, whose code is loaded with the first call that needs it. */
export class LazyExposures implements Observable<ExposuresEvent> {
  readonly #load: () => Promise<Exposures>;
  readonly #events = new Emitter<ExposuresEvent>();
  #loading: Promise<Exposures> | undefined;
  #loaded: Exposures | undefined;

  constructor(load: () => Promise<Exposures>) {
    this.#load = load;
  }

  /** Undefined where nothing was ever exposed. */
  get loaded(): Exposures | undefined {
    return this.#loaded;
  }

  get(): Promise<Exposures> {
    this.#loading ??= this.#loadNow();
    return this.#loading;
  }

  subscribe(listener: (event: ExposuresEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  /** Ends everything for good; resolves when nothing is left running. */
  async shutDown(): Promise<void> {
    await (await this.#loading)?.shutDown();
  }

  async #loadNow(): Promise<Exposures> {
    const exposures = await this.#load();
    this.#loaded = exposures;
    exposures.subscribe((event) => this.#events.emit(event));
    return exposures;
  }
}

/** Those of a program that exposes nothing. */
export function noExposures(): LazyExposures {
  return new LazyExposures(() => Promise.reject(new TunnelError("internal")));
}
