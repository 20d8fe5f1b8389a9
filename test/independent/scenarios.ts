/** Scenarios of the vectors in test/vectors, one layer each, and what the independent decoder makes of them. */
import { expect } from "vitest";
import * as z from "zod";
import { base64url, concat, fromHex, hex, isEqual, readUtf8, type Bytes } from "./bytes.ts";
import { isSignedBy } from "./ed25519.ts";
import { openFile } from "./files.ts";
import { openConnection } from "./services.ts";
import { signOff } from "./sign-off.ts";
import { accept, answer, commitmentTo } from "./admission.ts";
import {
  DATA_NUMBERS,
  decodeConfirm,
  decodeFirstData,
  decodeHostFrame,
  decodeHostNote,
  decodeMemberFrame,
  decodeMemberNote,
  decodeStream,
  decodeWelcome,
  encodeFrame,
  type RoomFrame,
} from "./frames.ts";
import { inviteCredential, resumeCredential, resumeSecret } from "./keys.ts";
import { isOrigin, parseLink } from "./link.ts";
import { isProved, Replica } from "./order.ts";
import { openSealed } from "./seals.ts";
import { isChunk, RecordReceiver, RecordSender, TYPE, type Chunk, type Frame } from "./records.ts";
import { demand, Refused } from "./refusal.ts";
import { safetyCode } from "./safety.ts";

// --- their form ---

export const bytes = z
  .string()
  .regex(/^(?:[0-9a-f]{2})*$/)
  .transform(fromHex);

const link = z.strictObject({ link: z.string() });
const record = z.strictObject({
  secret: bytes,
  records: z.array(bytes),
  frames: z.array(z.strictObject({ type: z.int(), payload: z.string() })).optional(),
  chunks: z.array(z.strictObject({ stream: z.int(), bytes: z.string(), isSealed: z.boolean() })).optional(),
});
const frame = z.strictObject({
  decoder: z.enum(["host", "member", "host-note", "member-note", "confirm", "welcome", "stream", "data"]),
  payload: bytes,
});
const order = z.strictObject({
  room: z.string(),
  host: z.strictObject({ name: z.string(), key: bytes, box: bytes, proof: bytes }),
  frames: z.array(bytes),
  chain: z.string().optional(),
});
export const handshake = z.strictObject({
  inviteKey: bytes,
  hostStaticPrivate: bytes,
  hostKey: bytes,
  room: bytes,
  guestRandom: bytes,
  claim: bytes,
  hostRandom: bytes,
  m1: bytes,
  m2: bytes,
  m3: bytes,
  m4: bytes,
  m5: bytes,
  handshakeHash: z.string().optional(),
  resumeId: z.string().optional(),
  safetyCode: z.string().optional(),
});
const signature = z.strictObject({ key: bytes, message: bytes, signature: bytes });
const seal = z.strictObject({
  room: z.string(),
  from: z.string(),
  n: z.int(),
  secret: bytes,
  index: z.int(),
  key: bytes,
  commitment: bytes,
  wraps: z.array(bytes),
  body: bytes,
  text: z.string(),
});
const file = z.strictObject({
  id: bytes,
  key: bytes,
  salt: bytes,
  size: z.int(),
  chunks: z.array(bytes),
  content: z.string(),
});

const service = z.strictObject({
  offer: z.string(),
  taker: z.string(),
  owner: z.string(),
  request: bytes,
  response: bytes,
  toOwner: z.array(bytes),
  toTaker: z.array(bytes),
  content: z.strictObject({ toOwner: z.string(), toTaker: z.string() }),
});

const signing = z.strictObject({
  room: z.string(),
  seq: z.int(),
  chain: bytes,
  members: z.array(z.strictObject({ id: z.string(), key: bytes })),
  proposal: z.string(),
  statements: z.array(z.strictObject({ from: z.string(), text: z.string() })),
  digest: z.string(),
  words: z.string(),
  state: z.string(),
});

// --- one scenario of each layer; whatever must not be is thrown as Refused ---

function runLink(scenario: z.infer<typeof link>): void {
  const { origin } = parseLink(scenario.link);
  expect(isOrigin(origin)).toBe(true);
}

const DECODERS: Record<z.infer<typeof frame>["decoder"], (payload: Bytes) => RoomFrame<unknown>> = {
  host: decodeHostFrame,
  member: decodeMemberFrame,
  "host-note": decodeHostNote,
  "member-note": decodeMemberNote,
  confirm: decodeConfirm,
  welcome: decodeWelcome,
  stream: decodeStream,
  data: decodeFirstData,
};

function runFrame({ decoder, payload }: z.infer<typeof frame>): void {
  const numbers = payload.subarray(0, decoder === "data" ? DATA_NUMBERS : 0);
  expect(hex(concat(numbers, encodeFrame(DECODERS[decoder](payload))))).toBe(hex(payload));
}

function runRecords({ secret, records, frames, chunks }: z.infer<typeof record>): void {
  const receiver = new RecordReceiver(secret);
  const sender = new RecordSender(secret);
  const came: Frame[] = [];
  const pieces: Chunk[] = [];
  const sent = records.map((message) => {
    if (isChunk(message)) {
      const chunk = receiver.openChunk(message);
      pieces.push(chunk);
      return sender.chunk(chunk);
    }
    const one = receiver.open(message);
    if (one === undefined) return sender.rekey();
    came.push(one);
    return one.type === TYPE.close ? sender.close(one.payload.at(-1) ?? 0) : sender.seal(one);
  });
  expect(sent.map(hex)).toEqual(records.map(hex));
  if (frames !== undefined)
    expect(came.map(({ type, payload }) => ({ type, payload: hex(payload) }))).toEqual(frames);
  if (chunks !== undefined)
    expect(pieces.map(({ bytes, ...rest }) => ({ ...rest, bytes: hex(bytes) }))).toEqual(chunks);
}

function runOrder({ room, host, frames, chain }: z.infer<typeof order>): void {
  const replica = Replica.begin(room, host);
  for (const payload of frames) {
    const decoded = decodeHostFrame(payload);
    const { header, body } = decoded;
    expect(hex(encodeFrame(decoded))).toBe(hex(payload));
    if (header.t !== "event") throw new Error("a replica of everything has no messages of its own");
    replica.append(header.seq, header.ts, header.event, body);
  }
  if (chain !== undefined) expect(hex(replica.view.chain)).toBe(chain);
}

function runSignature(scenario: z.infer<typeof signature>): void {
  const { key, message, signature: one } = scenario;
  demand(isSignedBy(key, message, one), "order-broken", "no signature of this key");
}

function runSeal({ text, ...scenario }: z.infer<typeof seal>): void {
  expect(readUtf8(openSealed(scenario))).toBe(text);
}

function runFile({ chunks, content, ...stream }: z.infer<typeof file>): void {
  expect(hex(openFile(stream, chunks))).toBe(content);
}

function runService({ content, ...connection }: z.infer<typeof service>): void {
  const { toOwner, toTaker } = openConnection(connection);
  expect({ toOwner: hex(toOwner), toTaker: hex(toTaker) }).toEqual(content);
}

function runSigning({ digest, words, state, ...one }: z.infer<typeof signing>): void {
  const made = signOff(one);
  expect({ ...made, digest: hex(made.digest) }).toEqual({ digest, words, state });
}

/** What both ends of a pairing make of it, in hexadecimal or as text. */
type Trace = Record<string, string>;

/** A pairing from both ends, step by step; whatever a step makes goes into `trace`. */
export function* pairing(scenario: z.infer<typeof handshake>, trace: Trace = {}): Generator<string> {
  const { m1, m2, m3, m4, m5, room, hostKey, claim } = scenario;
  const credential = inviteCredential(scenario.inviteKey);
  const [share, ephemeral] = [scenario.guestRandom.subarray(0, 32), scenario.guestRandom.subarray(32)];

  yield "challenge";
  const guest = answer({ room, hostKey, credential, claim, share, ephemeral }, m1);

  yield "auth";
  const keys = { credential, static: scenario.hostStaticPrivate, ephemeral: scenario.hostRandom };
  const host = accept(keys, m1, m2);

  yield "accept";
  const split = guest.finish(m3);
  const secret = resumeSecret(split.exporter);

  yield "confirm";
  const confirm = firstFrame(host.split.initiatorToResponder, m4, TYPE.confirm);
  const { share: shown, ...keysShown } = decodeConfirm(confirm).header;
  demand(isEqual(commitmentTo(shown), host.commitment), "protocol-violation", "another share"); // H10
  const roomText = base64url(room);
  const isOwn = isProved(roomText, { ...keysShown, hash: host.split.hash });
  demand(isOwn, "protocol-violation", "keys that are not proved"); // H13

  yield "welcome";
  const welcome = firstFrame(split.responderToInitiator, m5, TYPE.welcome);
  const { header } = decodeWelcome(welcome);
  const replica = new Replica(roomText, header.host, header.members, header.view);
  expect(replica.view).toEqual(header.view);

  Object.assign(trace, {
    m2: hex(guest.m2),
    m3: hex(host.m3),
    claim: hex(host.claim),
    guestToHost: hex(split.initiatorToResponder),
    hostToGuest: hex(split.responderToInitiator),
    exporter: hex(split.exporter),
    handshakeHash: hex(split.hash),
    resumeSecret: hex(secret),
    resumeId: hex(resumeCredential(secret).id),
    safetyCode: safetyCode(split.hash, share),
    confirm: readUtf8(confirm.subarray(2)) ?? "",
    welcome: readUtf8(welcome.subarray(2)) ?? "",
  });
}

/** The frame that must be the first of its direction (H11). */
function firstFrame(traffic: Bytes, message: Bytes, type: number): Bytes {
  const frame = new RecordReceiver(traffic).open(message);
  demand(frame?.type === type, "protocol-violation", "another frame than the handshake has here");
  return frame.payload;
}

/** What the document has each layer refuse with. */
const CODES: Readonly<Record<string, readonly string[]>> = {
  link: ["link-malformed", "link-version"],
  challenge: ["not-a-tunnel", "version-unsupported", "protocol-violation", "host-not-authentic"],
  auth: ["denied"],
  accept: ["denied", "host-not-authentic"],
  confirm: ["integrity-failed", "protocol-violation"],
  welcome: ["integrity-failed", "protocol-violation", "order-broken"],
  record: ["integrity-failed"],
  frame: ["protocol-violation"],
  order: ["order-broken"],
  equivocation: ["host-equivocation"],
  signature: ["order-broken"],
  seal: ["message-unreadable"],
  service: ["service-corrupt"],
  "sign-off": ["offer-unreadable", "sign-off-unsound"],
  file: ["file-corrupt", "file-out-of-order", "file-too-long", "file-too-short", "file-unfinished"],
};

// --- what became of it ---

/** Goes through named steps; the name of the one that refuses, and its code. */
export function refusal(steps: Iterable<string>): { at: string; code: string } | undefined {
  let at = "";
  try {
    for (const step of steps) at = step;
    return undefined;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { at, code: error.code };
  }
}

/** The layer that refuses, or `ok`. An order that shows an equivocation has a name of its own. */
function outcome(steps: Iterable<string>): string {
  const refused = refusal(steps);
  if (refused === undefined) return "ok";
  const at = refused.code === "host-equivocation" ? "equivocation" : refused.at;
  expect(CODES[at], `${at} refuses with one of its codes`).toContain(refused.code);
  return at;
}

/** Runs a scenario as it stands in a file; says what became of it. */
type Run = (scenario: unknown) => string;

const inOneStep = <Schema extends z.ZodType>(
  layer: string,
  schema: Schema,
  run: (scenario: z.infer<Schema>) => void,
): Run => {
  function* steps(scenario: unknown): Generator<string> {
    const parsed = schema.parse(scenario);
    yield layer;
    run(parsed);
  }
  return (scenario) => outcome(steps(scenario));
};

export const LAYERS: ReadonlyMap<string, Run> = new Map([
  ["link", inOneStep("link", link, runLink)],
  ["handshake", (scenario) => outcome(pairing(handshake.parse(scenario)))],
  ["record", inOneStep("record", record, runRecords)],
  ["frame", inOneStep("frame", frame, runFrame)],
  ["order", inOneStep("order", order, runOrder)],
  ["signature", inOneStep("signature", signature, runSignature)],
  ["seal", inOneStep("seal", seal, runSeal)],
  ["file", inOneStep("file", file, runFile)],
  ["service", inOneStep("service", service, runService)],
  ["sign-off", inOneStep("sign-off", signing, runSigning)],
]);
