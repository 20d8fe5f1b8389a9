import { asTunnelError, type TunnelError } from "../errors/tunnel-error.ts";
import type { ClientProgram } from "../protocol/room/work-context.ts";
import type { TunnelProgress } from "../tunnel/provider.ts";
import type { ProviderName } from "../tunnel/registry/registry.ts";
import type { HostSession } from "./host-session.ts";
import type { Invite } from "./issued-invites.ts";
import type { TunnelId } from "./session.ts";

/** A tunnel that is to be opened. */
export interface HostRequest {
  readonly goal: string;
  readonly invites: number;
  readonly history: boolean;
  /** It is to end with the signatures of all persons. */
  readonly signOff?: boolean | undefined;
  readonly transport: ProviderName | undefined;
  readonly name: string | undefined;
  readonly client?: ClientProgram | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TunnelProgress) => void;
  /** A new one where left out. */
  readonly tunnelId?: TunnelId;
}

/** A tunnel that has been opened, with the invites for the first members. */
export interface Hosted {
  readonly hosting: HostSession;
  readonly invites: readonly Invite[];
}

type OpeningState =
  | { readonly name: "opening"; readonly progress: TunnelProgress | undefined }
  | { readonly name: "opened"; readonly hosted: Hosted }
  | { readonly name: "failed"; readonly error: TunnelError };

/** A tunnel on its way to be a session. It goes on when the call that asked for it has been answered. */
export interface Opening {
  readonly tunnelId: TunnelId;
  readonly state: OpeningState;
  /** Resolves when it is opened or has failed. Never rejects. */
  readonly over: Promise<void>;
  /** Calls at every step; the returned function unsubscribes. */
  onProgress(listener: (progress: TunnelProgress) => void): () => void;
  /** Ends it, and resolves when nothing of it is left. */
  cancel(): Promise<void>;
}

/** A request without what an opening has of its own. */
type OpeningRequest = Omit<HostRequest, "signal" | "onProgress" | "tunnelId">;

/** The openings of this process, and those whose outcome nobody has been told since their call was answered. */
export class Openings {
  readonly #running = new Set<Opening>();
  readonly #options: { newId: () => TunnelId; host: (request: HostRequest) => Promise<Hosted> };
  readonly #untold = new Map<TunnelId, Opening>();

  constructor(options: { newId: () => TunnelId; host: (request: HostRequest) => Promise<Hosted> }) {
    this.#options = options;
  }

  /** Begins to open a tunnel, for a call that waits for it. Why it cannot be opened is an outcome like others. */
  begin(request: OpeningRequest): Opening {
    // A failure that nobody has asked for is old news once there is another try.
    for (const { tunnelId, state } of this.untold) if (state.name === "failed") this.#untold.delete(tunnelId);
    const tunnelId = this.#options.newId();
    const opening = opened(tunnelId, (own) => this.#options.host({ ...request, ...own, tunnelId }));
    this.#running.add(opening);
    void opening.over.then(() => this.#running.delete(opening));
    return opening;
  }

  /** The call ends before the opening: others can ask for the outcome. */
  keep(opening: Opening): void {
    this.#untold.set(opening.tunnelId, opening);
  }

  get untold(): readonly Opening[] {
    return [...this.#untold.values()];
  }

  /** The one with this id, or the only one where no id is given. */
  find(tunnelId: TunnelId | undefined): Opening | undefined {
    if (tunnelId !== undefined) return this.#untold.get(tunnelId);
    const [only, ...more] = this.untold;
    return more.length === 0 ? only : undefined;
  }

  /** The outcome has been told. */
  forget({ tunnelId }: Opening): void {
    this.#untold.delete(tunnelId);
  }

  async cancelAll(): Promise<void> {
    await Promise.all(Array.from(this.#running, (opening) => opening.cancel()));
  }
}

function opened(
  tunnelId: TunnelId,
  host: (own: Pick<HostRequest, "signal" | "onProgress">) => Promise<Hosted>,
): Opening {
  const abort = new AbortController();
  const listeners = new Set<(progress: TunnelProgress) => void>();
  let state: OpeningState = { name: "opening", progress: undefined };
  const onProgress = (progress: TunnelProgress): void => {
    state = { name: "opening", progress };
    for (const listener of listeners) listener(progress);
  };
  const over = host({ signal: abort.signal, onProgress }).then(
    (hosted) => void (state = { name: "opened", hosted }),
    (thrown: unknown) => void (state = { name: "failed", error: asTunnelError(thrown) }),
  );
  return {
    tunnelId,
    over,
    get state() {
      return state;
    },
    onProgress(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async cancel() {
      abort.abort();
      await over;
      if (state.name === "opened") await state.hosted.hosting.gone();
    },
  };
}
