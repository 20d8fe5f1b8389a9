/** X1, X3, X4 and K12 of docs/PROTOCOL.md: the offer of a service, and what an owner and a taker check of a connection to it. */
import * as z from "zod";
import {
  concat,
  EMPTY,
  isEqual,
  lp,
  readBase64url,
  readU32,
  readU64,
  readUtf8,
  u64,
  type Bytes,
} from "./bytes.ts";
import { aeadOpen, hkdf, hmac } from "./primitives.ts";
import { demand } from "./refusal.ts";
import { isLabel } from "./text.ts";

const REFUSED = "service-corrupt";
const HEAD_BYTES = 9;
const MAX_CONTENT_BYTES = 130_048;
const REQUEST_BYTES = 1 + 16 + 32 + 32;
const DAY_MS = 86_400_000;

const offerSchema = z.strictObject({
  id: z.string(),
  key: z.string(),
  service: z.enum(["http", "tcp", "mcp"]),
  name: z.string().refine((name) => isLabel(name, 64)),
  port: z.int().min(1).max(65_535).optional(),
  readOnly: z.literal(true).optional(),
  lifeMs: z.int().min(1).max(DAY_MS).optional(),
  most: z.int().min(1).max(256).optional(),
  confirms: z.literal(true).optional(),
  note: z.string().optional(),
});

export interface ServiceConnection {
  offer: string;
  taker: string;
  owner: string;
  request: Bytes;
  response: Bytes;
  toOwner: readonly Bytes[];
  toTaker: readonly Bytes[];
}

/** What each end is told by the other. @throws {Refused} as X1, X3 and X4 say */
export function openConnection(one: ServiceConnection): { toOwner: Bytes; toTaker: Bytes } {
  const { id, key } = readOffer(one.offer);
  const salt = checkRequest(one, { id, key });
  demand(one.response.length === 32, REFUSED, "no salt of the owner");
  const salts = concat(salt, one.response);
  const opened = (way: string, chunks: readonly Bytes[]): Bytes =>
    openWay(hkdf(key, salts, `tunnel-mcp/1 service ${way}`, 32), id, chunks);
  return { toOwner: opened("to-owner", one.toOwner), toTaker: opened("to-taker", one.toTaker) };
}

/** X1. F2: a value has one text. */
function readOffer(text: string): { id: Bytes; key: Bytes } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = offerSchema.safeParse(value);
  demand(parsed.success && JSON.stringify(value) === text, REFUSED, "no offer of a service");
  const [id, key] = [readBase64url(parsed.data.id, 16), readBase64url(parsed.data.key, 32)];
  demand(id !== undefined && key !== undefined, REFUSED, "an id or a key that is none");
  return { id, key };
}

/** X3: gives the taker's salt. */
function checkRequest(
  { request, taker, owner }: ServiceConnection,
  { id, key }: { id: Bytes; key: Bytes },
): Bytes {
  demand(request.length >= REQUEST_BYTES && request.length <= REQUEST_BYTES + 300, REFUSED, "no request");
  const head = request.subarray(0, 49);
  const origin = request.subarray(REQUEST_BYTES);
  demand(head[0] === 1, REFUSED, "it asks for no connection");
  demand(isEqual(head.subarray(1, 17), id), REFUSED, "it asks for another service");
  demand(readUtf8(origin) !== undefined, REFUSED, "an origin that is no text");
  const mac = hmac(hkdf(key, EMPTY, "tunnel-mcp/1 service ask", 32), lp("port", taker, owner, head, origin));
  demand(isEqual(mac, request.subarray(49, REQUEST_BYTES)), REFUSED, "whoever asks cannot read the offer");
  return head.subarray(17);
}

/** X4: one direction, which must have come to its end. */
function openWay(key: Bytes, id: Bytes, chunks: readonly Bytes[]): Bytes {
  let content = EMPTY;
  let isComplete = false;
  for (const [index, chunk] of chunks.entries()) {
    const [flags = 0] = chunk;
    demand(!isComplete && chunk.length > HEAD_BYTES && flags <= 1, REFUSED, "no chunk that may come");
    demand(readU64(chunk, 1) === content.length, REFUSED, "another place than the next");
    const nonce = concat(new Uint8Array(3), u64(index), chunk.subarray(0, 1));
    const associated = lp(id, chunk.subarray(1, HEAD_BYTES), chunk.subarray(0, 1));
    const plain = aeadOpen(key, nonce, chunk.subarray(HEAD_BYTES), associated);
    demand(plain !== undefined && plain.length >= 4, REFUSED, "not sealed as the next chunk");
    const [length, rest] = [readU32(plain, 0), plain.subarray(4)];
    const isPadded = length <= rest.length && rest.subarray(length).every((byte) => byte === 0);
    demand(isPadded && length <= MAX_CONTENT_BYTES, REFUSED, "padding that is none");
    isComplete = flags === 1;
    demand(isComplete || length > 0, REFUSED, "an empty chunk that is not the last");
    content = Uint8Array.from(concat(content, rest.subarray(0, length)));
  }
  demand(isComplete, REFUSED, "no end");
  return content;
}
