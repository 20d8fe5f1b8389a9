/** A client as it describes itself. All of it is claimed, but for `publisher` and `returnsTo`. */
export interface ClientFace {
  /** One line without hidden characters; undefined where it gave none that can be shown. */
  readonly name: string | undefined;
  /** The host that its description was fetched from; undefined for one that has merely registered. */
  readonly publisher: string | undefined;
  /** Where it is sent with the answer, in words. */
  readonly returnsTo: string;
}

/**
 * Something that the owner is told, on their terminal or in `watch`. It never goes to an agent: whoever has the code of a sign-in lets
 * a client in.
 */
export type SignInNotice =
  /** `code`: to be typed on the page. */
  | {
      readonly what: "code";
      readonly code: string;
      readonly client: ClientFace;
      /** The page on which it may be typed, and no other. */
      readonly page: string;
      /** ms since the epoch */
      readonly endsAt: number;
    }
  | { readonly what: "signed-in"; readonly client: ClientFace }
  /** `tries`: too many codes were wrong. */
  | { readonly what: "refused"; readonly client: ClientFace; readonly why: "person" | "tries" }
  /** Something of it was used twice, which a thief does. All that it had is void. */
  | { readonly what: "revoked"; readonly client: ClientFace; readonly reused: "code" | "refresh-token" };
