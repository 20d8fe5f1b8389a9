import { asTunnelError, TunnelError } from "../../errors/tunnel-error.ts";
import type { FileId, FileNotice } from "./files.ts";
import type { Shareable } from "./local-files.ts";
import type { Answer } from "../saying/sent.ts";
import type { OwnOffer } from "./requests.ts";

/** A file or patch that is to be offered. */
export interface PreparationRequest {
  /** The same for the same request. */
  readonly key: string;
  /** The file as it was asked for; undefined for a patch. */
  readonly path: string | undefined;
  readonly note: string | undefined;
  readonly to: readonly string[] | undefined;
  readonly content: (
    signal: AbortSignal,
    onProgress: (done: number, total: number) => void,
  ) => Promise<Shareable>;
}

type PreparationState =
  /** Bytes; undefined while nothing is known, and for a patch. */
  | {
      readonly name: "preparing";
      readonly read: { readonly done: number; readonly total: number } | undefined;
    }
  /** Or held, as its `sent` says. */
  | { readonly name: "offered"; readonly offer: OwnOffer<Answer> }
  | { readonly name: "failed"; readonly error: TunnelError };

/** A file on its way to be offered. It goes on when the call that asked for it has been answered, or was cancelled. */
export interface Preparation {
  readonly path: string | undefined;
  readonly state: PreparationState;
  /** Resolves when it is offered or has failed. Never rejects. */
  readonly over: Promise<void>;
  /** Calls at every step; the returned function unsubscribes. */
  onProgress(listener: (done: number, total: number) => void): () => void;
  /**
   * Somebody waits for the outcome, until the returned function is called with whether it was told. An outcome that nobody
   * has waited for becomes a notice.
   */
  attend(): (isTold: boolean) => void;
}

interface Options {
  /** Offers it, as {@link offerFile} does. */
  readonly offer: (request: {
    note: string | undefined;
    to: readonly string[] | undefined;
    content: () => Promise<Shareable>;
  }) => Promise<OwnOffer<Answer>>;
  /** Whether a file that was offered is still what it was. */
  readonly isUnchanged: (fileId: FileId) => Promise<boolean>;
  readonly notify: (notice: FileNotice) => void;
}

/** Outcomes that are kept for a call that asks for them again. */
const MAX_OUTCOMES = 16;

/** The files of one tunnel that are being read so that they can be offered. */
export class Preparations {
  readonly #options: Options;
  readonly #known = new Map<string, Preparation>();
  readonly #ended = new AbortController();

  constructor(options: Options) {
    this.#options = options;
  }

  get running(): readonly Preparation[] {
    return [...this.#known.values()].filter(({ state }) => state.name === "preparing");
  }

  /** The one that the same request has begun and whose outcome no call has told; a new one where the file has changed since. */
  async begin(request: PreparationRequest): Promise<Preparation> {
    const known = this.#known.get(request.key);
    if (known !== undefined && (await this.#holds(known))) return known;
    // Another call may have begun it anew meanwhile.
    const other = this.#known.get(request.key);
    if (other !== undefined && other !== known) return other;
    const begun = this.#prepared(request);
    this.#known.delete(request.key);
    this.#known.set(request.key, begun);
    const past = [...this.#known].filter(([, { state }]) => state.name !== "preparing");
    for (const [key] of past.slice(0, Math.max(0, past.length - MAX_OUTCOMES))) this.#known.delete(key);
    return begun;
  }

  /** The tunnel is over. Resolves when nothing is read any more. */
  async end(): Promise<void> {
    this.#ended.abort();
    await Promise.all(Array.from(this.#known.values(), ({ over }) => over));
  }

  async #holds({ state }: Preparation): Promise<boolean> {
    // Why it failed has been told by a notice: asked for again, it begins anew.
    if (state.name === "failed") return false;
    return state.name === "preparing" || (await this.#options.isUnchanged(state.offer.fileId));
  }

  #prepared({ key, path, note, to, content }: PreparationRequest): Preparation {
    const { offer, notify } = this.#options;
    const { signal } = this.#ended;
    const listeners = new Set<(done: number, total: number) => void>();
    let state: PreparationState = { name: "preparing", read: undefined };
    let waiting = 0;
    let isTold = false;
    const onProgress = (done: number, total: number): void => {
      state = { name: "preparing", read: { done, total } };
      for (const listener of listeners) listener(done, total);
    };
    const tell = (): void => {
      if (waiting > 0 || isTold || state.name === "preparing") return;
      isTold = true;
      notify(noticeOf(state, path));
    };
    const work = offer({ note, to, content: () => content(signal, onProgress) });
    const over = work
      .then(
        (made) => void (state = { name: "offered", offer: made }),
        (thrown: unknown) => {
          const error = signal.aborted ? new TunnelError("tunnel-closed") : asTunnelError(thrown);
          state = { name: "failed", error };
        },
      )
      .then(tell);
    const preparation: Preparation = {
      path,
      over,
      get state() {
        return state;
      },
      onProgress(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      attend: () => {
        waiting += 1;
        return (told) => {
          waiting -= 1;
          if (!told) return tell();
          isTold = true;
          if (this.#known.get(key) === preparation) this.#known.delete(key);
        };
      },
    };
    return preparation;
  }
}

function noticeOf(
  state: Extract<PreparationState, { name: "offered" | "failed" }>,
  path: string | undefined,
): FileNotice {
  if (state.name === "failed") return { notice: "file-not-offered", path, error: state.error };
  const { fileId, name, size, sent } = state.offer;
  const file = { fileId, name, size };
  if (sent.status === "held") return { notice: "file-held", file, askId: sent.askId };
  return { notice: "file-offered", file };
}
