/** Calls `wake` whenever there is something to look at; the returned function ends that. */
export type Subscribe = (wake: () => void) => () => void;

/** Something that can be observed: each listener hears every event from its subscription on, in order. */
export interface Observable<Event> {
  /** The returned function ends the subscription. A listener must not throw. */
  subscribe(listener: (event: Event) => void): () => void;
}

/** An {@link Observable} with the right to emit. */
export class Emitter<Event> implements Observable<Event> {
  readonly #listeners = new Set<(event: Event) => void>();

  subscribe(listener: (event: Event) => void): () => void {
    // A function of its own for each subscription: the same listener may be there twice.
    const own = (event: Event): void => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  emit(event: Event): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Wakes on every event that passes the test. */
export function when<Event>(observable: Observable<Event>, test: (event: Event) => boolean): Subscribe {
  return (wake) =>
    observable.subscribe((event) => {
      if (test(event)) wake();
    });
}

/** Wakes with either of two. */
export function either(one: Subscribe, other: Subscribe): Subscribe {
  return (wake) => {
    const stops = [one(wake), other(wake)];
    return () => stops.forEach((stop) => stop());
  };
}
