/** Section 7 of docs/PROTOCOL.md: the frames of the room. */
import { base64url, concat, readU16, readU64, readUtf8, u16, utf8, type Bytes } from "./bytes.ts";
import {
  boolean,
  bytes,
  idText,
  integer,
  list,
  object,
  objectWith,
  oneOf,
  text,
  variant,
  where,
  type Read,
  type Reader,
} from "./forms.ts";
import { isWeakBoxKey, isWeakSigningKey } from "./ed25519.ts";
import { isOrigin } from "./link.ts";
import { demand, Refused } from "./refusal.ts";
import { isLabel, isMessageText } from "./text.ts";

const MAX_MEMBERS = 64;
/** Observers included (Q2). */
const MAX_ROSTER = 68;
const MAX_ADDRESSES = 4;
const MAX_TS = 8.64e15;
const MAX_TEXT_BYTES = 65_536;
/** What a seal adds to a text (F4). */
const SEAL_BYTES = 16;
const MAX_CARD_BYTES = 384;
/** Of a request or a response (S1). */
const MAX_REQUEST_BYTES = 4_096;
const MAX_STREAM = 2 ** 32 - 1;
const MAX_IDLE_MS = 7 * 86_400_000;
const MAX_KEPT_FOR_SEC = 86_400;
const MAX_WARNING_MS = 300_000;

// --- the forms of the table ---

const name = text((value) => isLabel(value, 64));
const goal = text((value) => isLabel(value, 500));
const label = text((value) => isLabel(value, 100));
const head = text((value) => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value));
const id = idText(8);
const hash = bytes(32);
const key = where(bytes(32), (value) => !isWeakSigningKey(value)); // K10
const box = where(bytes(32), (value) => !isWeakBoxKey(value)); // K11
const signature = bytes(64);
const place = integer(1);
const ts = integer(0, MAX_TS);
const count = integer();
const addresses = list(text(isOrigin), 0, MAX_ADDRESSES);

const repository = objectWith({ name: label, dirty: boolean }, { branch: label, head });
const workContext = where(
  objectWith({}, { repository, client: object({ name: label, version: label }) }),
  (value) => utf8(JSON.stringify(value)).length <= MAX_CARD_BYTES,
);
const role = oneOf("observer", "observer-history");
const member = objectWith({ id, name, key, box, hash, proof: signature }, { workContext, role });
const view = object({ seq: count, chain: hash });

const signedMust = { n: place, prev: hash, view, sig: signature };
const signedMay = {
  what: oneOf("file"),
  intent: oneOf("request", "inform", "ack"),
  author: oneOf("human"),
  replyTo: place,
};
const recipients = where(list(id, 1, MAX_MEMBERS), (ids) => new Set(ids).size === ids.length); // O10
const seal = object({ key: box, commitment: hash, wraps: list(bytes(48), 1, MAX_MEMBERS) });
const addressed = { to: recipients, seal };
interface Addressed {
  to?: string[];
  seal?: Read<typeof seal>;
}
/** `to` and `seal` come together, with a wrap for each id. */
const isSealedToAll = (value: Addressed): boolean => value.to?.length === value.seal?.wraps.length;

const say = where(
  objectWith({ t: oneOf("say"), ...signedMust }, { ...signedMay, ...addressed }),
  isSealedToAll,
);
const chat = where(
  objectWith({ kind: oneOf("chat"), from: id, ...signedMust }, { ...signedMay, ...addressed }),
  isSealedToAll,
);
const withheld = objectWith(
  {
    kind: oneOf("withheld"),
    from: id,
    ...signedMust,
    to: recipients,
    digests: object({ seal: hash, body: hash }),
  },
  signedMay,
);
const event = variant("kind", {
  chat,
  withheld,
  joined: object({ kind: oneOf("joined"), member }),
  left: object({
    kind: oneOf("left"),
    id,
    cause: oneOf("left", "lost", "removed", "fell-behind", "expired"),
  }),
  "idle-warning": object({ kind: oneOf("idle-warning"), endsInMs: integer(0, MAX_WARNING_MS) }),
  ended: object({ kind: oneOf("ended"), cause: oneOf("closed", "idle", "host-stopped") }),
  returned: object({ kind: oneOf("returned") }),
});

const hostHeader = variant("t", {
  event: object({ t: oneOf("event"), seq: place, ts, event }),
  own: object({ t: oneOf("own"), seq: place, ts, n: place }),
});
const memberHeader = variant("t", { say, leave: object({ t: oneOf("leave") }) });
const gauge = object({ used: count, limit: count });
const oversight = objectWith(
  { state: oneOf("free", "held", "paused") },
  { budgets: object({ messages: gauge, bytes: gauge, files: gauge, minutes: gauge }) },
);
const present = objectWith({ id, connected: boolean, heardAgoMs: count, read: count }, { oversight });
const hostNote = objectWith({ members: list(present, 0, MAX_ROSTER) }, { addresses });
const memberNote = objectWith({ read: count, active: boolean }, { oversight });
const confirm = objectWith(
  { share: hash, name, key, box, proof: signature, received: count },
  { workContext },
);
const welcome = object({
  goal,
  self: id,
  name,
  host: id,
  members: list(member, 0, MAX_ROSTER),
  received: count,
  view,
  idleMs: integer(1, MAX_IDLE_MS),
  history: boolean,
  addresses,
  keptForSec: integer(0, MAX_KEPT_FOR_SEC),
});

/** The name of a service, or of a code (S1). */
const serviceLabel = text((value) => /^[a-z][a-z0-9-]{0,31}$/.test(value));
const stream = integer(1, MAX_STREAM);
const streamHeader = variant("t", {
  open: object({ t: oneOf("open"), stream, service: serviceLabel, who: id, credit: integer(1) }),
  accept: object({ t: oneOf("accept"), stream, credit: count }),
  credit: object({ t: oneOf("credit"), stream, bytes: integer(1) }),
  end: object({ t: oneOf("end"), stream }),
  reset: object({ t: oneOf("reset"), stream, code: serviceLabel }),
});

export type Member = Read<typeof member>;
export type RoomEvent = Read<typeof event>;
export type Chat = Read<typeof chat>;
export type Withheld = Read<typeof withheld>;

// --- the bytes of a frame, and what may stand in its body ---

export interface RoomFrame<Header> {
  header: Header;
  body: Bytes;
}

/** `u16` length ‖ header ‖ body (F1). Bytes in the header are written as texts. */
export function encodeFrame({ header, body }: RoomFrame<unknown>): Bytes {
  const json = utf8(
    JSON.stringify(header, (_, value: unknown) => (value instanceof Uint8Array ? base64url(value) : value)),
  );
  return concat(u16(json.length), json, body);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new Refused("protocol-violation", "no JSON");
  }
}

type Content = "none" | "text" | "sealed" | "request";

function checkBody(body: Bytes, content: Content): void {
  const isRight: Record<Content, () => boolean> = {
    none: () => body.length === 0, // F3
    text: () => body.length <= MAX_TEXT_BYTES && isMessageText(readUtf8(body) ?? ""), // F4
    sealed: () => body.length <= MAX_TEXT_BYTES + SEAL_BYTES,
    request: () => body.length <= MAX_REQUEST_BYTES, // S1
  };
  demand(isRight[content](), "protocol-violation", "a body that does not belong there");
}

const contentOf = (message: Addressed): Content => (message.seal === undefined ? "text" : "sealed");

/** @throws {Refused} `protocol-violation` (F1 to F4), from the decoder that this makes. */
const decoder =
  <Header>(form: Reader<Header>, content: (header: Header) => Content = () => "none") =>
  (frame: Bytes): RoomFrame<Header> => {
    const end = frame.length < 2 ? Infinity : 2 + readU16(frame, 0);
    demand(end <= frame.length, "protocol-violation", "a header beyond the frame");
    const json = readUtf8(frame.subarray(2, end));
    demand(json !== undefined, "protocol-violation", "no UTF-8");
    const value = parseJson(json);
    const header = form(value);
    demand(JSON.stringify(value) === json, "protocol-violation", "another text than its value has"); // F2
    const body = frame.subarray(end);
    checkBody(body, content(header));
    return { header, body };
  };

export const decodeHostFrame = decoder(hostHeader, (header) =>
  header.t === "event" && header.event.kind === "chat" ? contentOf(header.event) : "none",
);
export const decodeMemberFrame = decoder(memberHeader, (header) =>
  header.t === "say" ? contentOf(header) : "none",
);
export const decodeHostNote = decoder(hostNote);
export const decodeMemberNote = decoder(memberNote);
export const decodeConfirm = decoder(confirm);
export const decodeWelcome = decoder(welcome);
export const decodeStream = decoder(streamHeader, ({ t }) =>
  t === "open" || t === "accept" ? "request" : "none",
);

/** The numbers ahead of a member's frame in DATA (section 5). */
export const DATA_NUMBERS = 16;

/** The first DATA frame of a member, which has nothing to acknowledge (D2, D4). */
export function decodeFirstData(payload: Bytes): RoomFrame<unknown> {
  const isNumbered = payload.length >= DATA_NUMBERS && readU64(payload, 0) === 1 && readU64(payload, 8) === 0;
  demand(isNumbered, "protocol-violation", "not the first frame");
  return decodeMemberFrame(payload.subarray(DATA_NUMBERS));
}
