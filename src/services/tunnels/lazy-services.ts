import { TunnelError } from "../../errors/tunnel-error.ts";
import { Emitter, type Observable } from "../../runtime/emitter.ts";
import type { MemberServices } from "./member-services.ts";
import type { ServicesEvent } from "../news.ts";

/** The services of a server, whose code is loaded with the first call that needs it. */
export class LazyServices implements Observable<ServicesEvent> {
  readonly #load: () => Promise<MemberServices>;
  readonly #events = new Emitter<ServicesEvent>();
  #loading: Promise<MemberServices> | undefined;
  #loaded: MemberServices | undefined;

  constructor(load: () => Promise<MemberServices>) {
    this.#load = load;
  }

  /** Undefined where nothing was ever offered or connected to. */
  get loaded(): MemberServices | undefined {
    return this.#loaded;
  }

  get(): Promise<MemberServices> {
    this.#loading ??= this.#loadNow();
    return this.#loading;
  }

  subscribe(listener: (event: ServicesEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  /** Ends everything for good; resolves when nothing is left running. */
  async shutDown(): Promise<void> {
    await (await this.#loading)?.shutDown();
  }

  async #loadNow(): Promise<MemberServices> {
    const services = await this.#load();
    this.#loaded = services;
    services.subscribe((event) => this.#events.emit(event));
    return services;
  }
}

/** Those of a program that has none. */
export function noServices(): LazyServices {
  return new LazyServices(() => Promise.reject(new TunnelError("internal")));
}
