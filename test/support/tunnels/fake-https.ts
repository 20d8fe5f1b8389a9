import type { HttpsClient, HttpsGet, HttpsResponse } from "../../../src/net/https.ts";

export interface FakeAnswer {
  readonly status?: number;
  readonly location?: string;
  readonly length?: number;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** An HTTPS client that answers from a function and never opens a socket; `gets` is what it was asked. */
export function fakeHttps(answer: (get: HttpsGet) => FakeAnswer | Promise<FakeAnswer>): {
  readonly client: HttpsClient;
  readonly gets: HttpsGet[];
} {
  const gets: HttpsGet[] = [];
  const client: HttpsClient = async (get) => {
    gets.push(get);
    return toResponse(await answer(get));
  };
  return { client, gets };
}

/** Never settles: a server that does not answer. */
export function silence(): Promise<never> {
  return new Promise(() => undefined);
}

function toResponse({ status = 200, location, length, body = "" }: FakeAnswer): HttpsResponse {
  return { status, location, length, body: chunksOf(body), discard: () => undefined };
}

async function* chunksOf(body: NonNullable<FakeAnswer["body"]>): AsyncGenerator<Uint8Array> {
  if (typeof body === "string") yield new TextEncoder().encode(body);
  else if (body instanceof Uint8Array) yield body;
  else yield* body;
}
