import type { HeldAddress } from "../children/holding/care-record.ts";
import type { TakenAddress } from "../children/holding/relieve.ts";
import type { ErrorCode, TunnelError } from "../errors/tunnel-error.ts";

/** The state of a public address, measured and not assumed. */
export type TunnelHealth =
  | { readonly state: "up" }
  | { readonly state: "degraded"; readonly reason: string; readonly sinceMs: number }
  | { readonly state: "down"; readonly error: TunnelError };

/** A public URL for a local port. It knows nothing of rooms. */
export interface Tunnel {
  /** Origin without a path or trailing slash, e.g. `wss://a-b-c.trycloudflare.com` or `ws://127.0.0.1:4000`. */
  readonly url: string;
  /** One line on what carries it, e.g. the program's version and where it was found; safe to show. */
  readonly description: string;
  health(): TunnelHealth;
  /** Called at most once, when the address is lost for good; the returned function unsubscribes. */
  onDown(listener: (error: TunnelError) => void): () => void;
  /** Resolves when nothing is left running. Idempotent. */
  stop(): Promise<void>;
  /** All that a later process needs to have it; undefined where it ends with this one. */
  handover?(): HeldAddress | undefined;
  /** Lets go of it, since this process is about to end: whoever holds it goes on. Synchronous; nothing is told of it afterwards. */
  leave?(): void;
}

/** A step of a long opening, for progress notifications: `fraction` is 0 to 1 when known. */
export interface TunnelProgress {
  readonly message: string;
  readonly fraction?: number;
}

/**
 * The mark by which a relay is told from any other server: a GET of `path` is answered 404 with the body `answer`. Both
 * are random and new for every relay, so that an error page, a login page or somebody else's relay cannot give it.
 */
export interface RelayProof {
  readonly path: string;
  readonly answer: string;
}

/** The thing to be reached, for a provider that routes by it. */
export type TunnelPurpose =
  /** `seed`: 32 secret bytes for a key by which the room is known again after a return; a key of this process where left out. */
  | { readonly kind: "room"; readonly room: string; readonly seed?: Uint8Array }
  /** `label` tells the services of one project apart, and is the same whenever this one is exposed again. */
  | { readonly kind: "http"; readonly label: string; readonly subdomain: string | undefined }
  | { readonly kind: "tcp"; readonly label: string; readonly address: string };

/** The relay a tunnel leads to. */
export interface LocalRelay {
  /** TCP port on the loopback address; it listens already. */
  readonly port: number;
  readonly proof: RelayProof;
  /** Left out where no provider can be chosen that needs it. */
  readonly purpose?: TunnelPurpose;
  /** The folder of the stay to which it belongs, where it is kept: a provider that can be held may let a tunnel outlive this process. */
  readonly stay?: string | undefined;
}

export interface TunnelRequest extends LocalRelay {
  /** An address that an earlier process has left, on whose port the relay listens: it is adopted, if it still can be. */
  readonly taken?: TakenAddress | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: TunnelProgress) => void;
}

/** Opens a public address. Rejects with a TunnelError whose code names the known failure. */
export type TunnelOpener = (request: TunnelRequest) => Promise<Tunnel>;

/**
 * The weight of a failure, for the pace of the next attempts. `passing`: soon again. `refused`: the service counts
 * requests, so much later. `lasting`: somebody has to change something first.
 */
export type FailureWeight = "passing" | "refused" | "lasting";

/** All that the rest of the program must know of a provider; nothing else may depend on its name. */
export interface ProviderTraits {
  /** The thing that carries the tunnel, for people, to follow "through". */
  readonly title: string;
  /** When to choose it, for people and agents, to follow its name. */
  readonly advice: string;
  /** Its program connects from this machine, so the relay listens on the loopback address and nowhere else. */
  readonly dialsLoopbackOnly: boolean;
  /** HTTP header, in lower case, in which its edge names the source of a request, and which no visitor can forge. */
  readonly sourceHeader: string | undefined;
  /** Whether a second tunnel can be open for the same port at the same time. */
  readonly canHaveSpare: boolean;
  /** Whether an address that was lost comes back the same, so that links made before stay good. */
  readonly keepsAddress: boolean;
  /** Whether a later process can have the address of an earlier one, as long as a caretaker holds it. */
  readonly canBeHeld: boolean;
  /** Whether a service can ask for a name of its own. */
  readonly givesNames: boolean;
  /** Whether it carries TCP of any kind, and not only HTTP. */
  readonly carriesTcp: boolean;
  readonly weigh: (error: TunnelError) => FailureWeight;
  /** The error of a tunnel that runs but has not led here for too long. */
  readonly staleCode: ErrorCode;
}

/** A provider as it stands in the registry. `Options` are the settings and facts of the machine that it reads. */
export interface ProviderDeclaration<Options> extends ProviderTraits {
  /** Loads its code and gives it its options; called for the first tunnel and not before. */
  readonly load: (options: Options) => Promise<TunnelOpener>;
}

/** A provider that is ready to open tunnels. */
export interface Provider extends ProviderTraits {
  readonly open: TunnelOpener;
}

/** The traits of a provider that declares none: no port open to the network, no trust in a header, no second tunnel. */
export const SAFE_TRAITS = {
  dialsLoopbackOnly: true,
  sourceHeader: undefined,
  canHaveSpare: false,
  keepsAddress: false,
  canBeHeld: false,
  givesNames: false,
  carriesTcp: false,
  weigh: (error: TunnelError): FailureWeight => (error.retryable ? "passing" : "lasting"),
  staleCode: "address-lost",
} as const satisfies Partial<ProviderTraits>;

/** A declaration in which everything that is left out is the safe choice. */
export function declareProvider<Options>(
  declared: Pick<ProviderDeclaration<Options>, "title" | "advice" | "load"> & Partial<ProviderTraits>,
): ProviderDeclaration<Options> {
  return { ...SAFE_TRAITS, ...declared };
}
