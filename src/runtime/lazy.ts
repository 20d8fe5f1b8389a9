import { Emitter, type Observable } from "./emitter.ts";

/** A part of the program that tells of events, and ends. */
interface Loadable<Event> extends Observable<Event> {
  shutDown(): Promise<unknown>;
}

/** A part of the program whose code is loaded with the first call that needs it. Listeners may come before. */
export class Lazy<Part extends Loadable<Event>, Event> implements Observable<Event> {
  readonly #load: () => Promise<Part>;
  readonly #events = new Emitter<Event>();
  #loading: Promise<Part> | undefined;
  #loaded: Part | undefined;

  constructor(load: () => Promise<Part>) {
    this.#load = load;
  }

  /** Undefined where nothing has needed it yet. */
  get loaded(): Part | undefined {
    return this.#loaded;
  }

  get(): Promise<Part> {
    this.#loading ??= this.#loadNow();
    return this.#loading;
  }

  subscribe(listener: (event: Event) => void): () => void {
    return this.#events.subscribe(listener);
  }

  /** Ends everything for good; resolves when nothing is left running. */
  async shutDown(): Promise<void> {
    await (await this.#loading)?.shutDown();
  }

  async #loadNow(): Promise<Part> {
    const part = await this.#load();
    this.#loaded = part;
    part.subscribe((event) => this.#events.emit(event));
    return part;
  }
}
