import type { RequestView } from "../../../src/view/expose/exposure-requests.ts";
import type { StartedView } from "../../../src/view/expose/exposures.ts";
import { paintFor } from "../../../src/cli/io/output.ts";

export const PLAIN = paintFor(false);
export const AT = "2027-01-15T08:00:00.000Z";

/** A GET of `/` by a claim link that was answered 200. */
export function requestOf(over: Partial<RequestView> = {}): RequestView {
  return {
    id: 1,
    at: AT,
    method: "GET",
    path: "/",
    status: 200,
    ms: 12,
    requestBytes: 0,
    responseBytes: 2,
    way: "claim",
    refused: undefined,
    replayOf: undefined,
    end: "complete",
    websocket: undefined,
    ...over,
  };
}

const NO_WAYS = {
  claim: undefined,
  token: undefined,
  prefix: undefined,
  basic: undefined,
  openPaths: undefined,
  open: undefined,
  warnings: [],
};

export const ORIGIN = "https://four-short-plain-words.trycloudflare.com";

/** An exposure with one claim link. */
export function startedOf(
  over: Partial<StartedView> = {},
  access: Partial<StartedView["access"]> = { claim: { for: "people", links: [linkOf("claim-1")] } },
): StartedView {
  return {
    exposureId: "1a2b3c4d",
    name: "web",
    publicUrl: ORIGIN,
    claimUrl: undefined,
    access: { ...NO_WAYS, ...access },
    newClaims: undefined,
    local: { target: "http://localhost:3000", status: 200, server: "demo" },
    public: { status: 200, ms: 412 },
    streaming: { get: "held", post: "live" },
    websocket: true,
    warnings: undefined,
    expiresInSec: 3_600,
    ...over,
  };
}

export function linkOf(id: string): { readonly id: string; readonly url: string } {
  return { id, url: `${ORIGIN}/.tunnel/claim#secret-of-${id}-9dK3mNq7WxT5rYbH2cZ` };
}
