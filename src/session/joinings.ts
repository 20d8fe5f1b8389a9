import { asTunnelError, type TunnelError } from "../errors/tunnel-error.ts";

type JoiningState<Joined> =
  | { readonly name: "joining" }
  | { readonly name: "joined"; readonly joined: Joined }
  | { readonly name: "failed"; readonly error: TunnelError };

/** A tunnel that is being joined. It goes on when the call that asked for it has been answered. */
export interface Joining<Joined> {
  readonly state: JoiningState<Joined>;
  /** Resolves when it is joined or has failed. Never rejects. */
  readonly over: Promise<void>;
  /** A call waits for it until the returned function is called, which says whether another one still does. */
  attend(): () => boolean;
  /** Ends it, and resolves when nothing of it is left. */
  cancel(): Promise<void>;
}

/** The joinings of this process whose outcome no call has told. */
export class Joinings<Joined> {
  readonly #known = new Map<string, Joining<Joined>>();

  /** The one that the same request has begun, or a new one. */
  begin(key: string, join: (signal: AbortSignal) => Promise<Joined>): Joining<Joined> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const begun = joiningOf(join);
    this.#known.set(key, begun);
    return begun;
  }

  /** The outcome has been told. */
  forget(key: string): void {
    this.#known.delete(key);
  }

  async cancelAll(): Promise<void> {
    await Promise.all(Array.from(this.#known.values(), (one) => one.cancel()));
  }
}

function joiningOf<Joined>(join: (signal: AbortSignal) => Promise<Joined>): Joining<Joined> {
  const abort = new AbortController();
  let state: JoiningState<Joined> = { name: "joining" };
  let waiting = 0;
  const over = join(abort.signal).then(
    (joined) => void (state = { name: "joined", joined }),
    (thrown: unknown) => void (state = { name: "failed", error: asTunnelError(thrown) }),
  );
  return {
    over,
    get state() {
      return state;
    },
    attend() {
      waiting += 1;
      return () => {
        waiting -= 1;
        return waiting > 0;
      };
    },
    async cancel() {
      abort.abort();
      await over;
    },
  };
}
