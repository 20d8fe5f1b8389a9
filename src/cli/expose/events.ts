import type { TunnelError } from "../../errors/tunnel-error.ts";
import type { StartedView } from "../../view/expose/exposures.ts";
import type { RequestView } from "../../view/expose/exposure-requests.ts";
import type { EndedExposure } from "../../expose/exposures/history.ts";

/** Everything that the command shows, to a person or to a program. */
export type ShownEvent =
  | {
      readonly type: "progress";
      readonly name: string;
      readonly message: string;
      readonly fraction: number | undefined;
    }
  /** The only one with secrets in it. */
  | { readonly type: "opened"; readonly view: StartedView }
  /** A person decides whether it may be opened. */
  | { readonly type: "held"; readonly name: string; readonly askId: number }
  | { readonly type: "request"; readonly name: string; readonly request: RequestView }
  | { readonly type: "news"; readonly name: string; readonly news: News; readonly text: string }
  | { readonly type: "failed"; readonly name: string; readonly error: TunnelError }
  | { readonly type: "ended"; readonly name: string; readonly ended: Ended };

/** `what`, with its facts. */
export type News =
  | { readonly what: "claimed"; readonly claim: string; readonly isFirst: boolean }
  | { readonly what: "service"; readonly isThere: boolean }
  /** Without an address for as long as it is undefined. */
  | { readonly what: "address"; readonly publicUrl: string | undefined }
  | { readonly what: "ends-soon"; readonly leftSec: number }
  /** It is open for another time from now on. */
  | { readonly what: "extended"; readonly expiresInSec: number }
  /** A person has decided whether it may be open for longer or for more people. */
  | { readonly what: "widened"; readonly isDone: boolean }
  /** A client asks to be let in, or was answered. Without its code: a program may read this. */
  | {
      readonly what: "sign-in";
      readonly state: "asked" | "let-in" | "refused" | "revoked";
      /** The name that the client gives itself. */
      readonly client: string | undefined;
      readonly publisher: string | undefined;
    };

export interface Ended {
  readonly why: EndedExposure["why"];
  readonly publicUrl: string | undefined;
  readonly requests: number;
  readonly lastedSec: number;
}

export type Show = (event: ShownEvent) => void;
