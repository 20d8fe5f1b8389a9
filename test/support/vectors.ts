import * as z from "zod";
import {
  ascii,
  concat,
  equalBytes,
  toBase64url,
  toHex,
  u32be,
  u64be,
  type Bytes,
} from "../../src/protocol/base/bytes.ts";
import { encodeHeader } from "../../src/protocol/base/header.ts";
import { parseSigningKey } from "../../src/protocol/base/public-keys.ts";
import { ChunkCipher } from "../../src/protocol/files/cipher.ts";
import { FileIntake } from "../../src/protocol/files/receiver.ts";
import { chunkOfFile, readFileChunk } from "../../src/protocol/files/stream.ts";
import { ConnectionOpener, ConnectionSealer, type Way } from "../../src/protocol/services/connection.ts";
import { decodeServiceOffer, encodeServiceOffer } from "../../src/protocol/services/offer.ts";
import { decodePortRequest, encodePortRequest, PORT_SALT_BYTES } from "../../src/protocol/services/stream.ts";
import { digestsOf, openSealed, sealTo } from "../../src/protocol/room/sealed-message.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import * as codec from "../../src/protocol/room/frames.ts";
import type { ChatEvent, MemberRecord, RoomEvent } from "../../src/protocol/room/frames.ts";
import {
  acceptAuth,
  commitment,
  GuestHandshake,
  readAuth,
  verifyAuthTag,
  writeChallenge,
} from "../../src/protocol/handshake/handshake.ts";
import {
  memberIdFrom,
  parseMemberId,
  type MemberId,
  parseRoomId,
  roomIdFrom,
} from "../../src/protocol/base/ids.ts";
import {
  bulkKey,
  controlKey,
  inviteCredential,
  resumeCredential,
  resumeSecret,
} from "../../src/protocol/handshake/keys.ts";
import { formatLink, parseLink } from "../../src/protocol/handshake/invite-link.ts";
import { isProved, memberIdOf, NO_HASH, RoomOrder, SigningChain } from "../../src/protocol/room/order.ts";
import type { Primitives } from "../../src/protocol/base/primitives.ts";
import {
  BULK_OVERHEAD_BYTES,
  FRAME,
  isBulk,
  isOpenBulk,
  RecordLayer,
} from "../../src/protocol/record/record.ts";
import { openChunk, sealChunk } from "../../src/protocol/record/chunk.ts";
import { Channel } from "../../src/protocol/reliable/channel.ts";
import { decodeStreamFrame } from "../../src/protocol/link/stream-frames.ts";
import { safetyCode } from "../../src/protocol/handshake/safety-code.ts";
import { dhKeyPairFrom, nodePrimitives } from "../../src/runtime/primitives.ts";
import { L, readNumber, writeNumber } from "../independent/ed25519.ts";
import { provedRecord } from "./proved.ts";
import { seededPrimitives } from "./random.ts";
import { runSignOff, signOffFields, signOffScenarios } from "./sign-off-vectors.ts";
import { signatureScenarios } from "./signature-vectors.ts";
import { encodeUtf8 } from "../../src/protocol/base/utf8.ts";

/** The outcome that a scenario must have: everything is right, or the layer that must refuse. */
export const EXPECTATIONS = [
  "ok",
  "link",
  "challenge",
  "auth",
  "accept",
  "confirm",
  "welcome",
  "record",
  "frame",
  "order",
  "equivocation",
  "signature",
  "seal",
  "file",
  "service",
  "sign-off",
] as const;
const expectation = z.enum(EXPECTATIONS);
export type Expectation = z.infer<typeof expectation>;

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/);
/** T1: each has a joiner, a selector or tags at a place that needs them. */
export const NEEDED_NAMES: readonly string[] = [
  "\u{1f469}\u{1f3fd}\u200d\u{1f4bb}",
  "\u{1f3f3}\ufe0f\u200d\u{1f308}",
  "\u2764\ufe0f ana",
  "1\ufe0f\u20e3",
  "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
  "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
  "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
  "\u0d28\u0d3e\u0d2f\u0d30\u0d4d\u200d",
  "\u845b\u{e0100}\u57ce",
  "\u1828\u180b",
];
/** T1: the same characters where nothing needs them. */
export const NEEDLESS_NAMES: readonly (readonly [what: string, name: string])[] = [
  ["a joiner between Latin letters", "a\u200db"],
  ["a non-joiner between Latin letters", "a\u200cb"],
  ["a joiner in front", "\u200d\u{1f4bb}"],
  ["a joiner behind an emoji", "\u{1f469}\u200d"],
  ["two joiners", "\u{1f469}\u200d\u200d\u{1f4bb}"],
  ["two joiners behind a virama", "\u0d30\u0d4d\u200d\u200d"],
  ["a non-joiner at the end", "\u0639\u0644\u06cc\u200c"],
  ["a selector behind a letter", "a\ufe0f"],
  ["two selectors", "\u2764\ufe0f\ufe0f"],
  ["a selector behind a digit without a keycap", "1\ufe0f"],
  ["a selector for ideographs behind a letter", "a\u{e0100}"],
  ["tags of no flag", "\u{1f3f4}\u{e0068}\u{e0069}\u{e007f}"],
  ["a flag that is cut", "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}"],
  ["tags behind a flag", "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}\u{e0041}"],
];

const unhex = (text: string): Bytes => new Uint8Array(Buffer.from(text, "hex"));
const base = { name: z.string(), expect: expectation };

const linkScenario = z.strictObject({ ...base, link: z.string() });
const handshakeScenario = z.strictObject({
  ...base,
  inviteKey: hex,
  hostStaticPrivate: hex,
  /** The host's key in the guest's link. */
  hostKey: hex,
  room: hex,
  /** The guest's randomness in order: share (32), ephemeral private key (32). */
  guestRandom: hex,
  claim: hex,
  /** The host's ephemeral private key. */
  hostRandom: hex,
  m1: hex,
  m2: hex,
  m3: hex,
  m4: hex,
  m5: hex,
  /** Of a handshake in good order. */
  handshakeHash: hex.optional(),
  resumeId: hex.optional(),
  safetyCode: z.string().optional(),
});
const recordScenario = z.strictObject({
  ...base,
  secret: hex,
  records: z.array(hex),
  frames: z.array(z.strictObject({ type: z.int(), payload: hex })).optional(),
  /** Chunks of the bulk and open bulk messages among the records. */
  chunks: z.array(z.strictObject({ stream: z.int(), bytes: hex, isSealed: z.boolean() })).optional(),
});
/** Of an agent that may go on. */
const BUDGETS = `"budgets":{${["messages", "bytes", "files", "minutes"].map((name) => `"${name}":{"used":1,"limit":2}`).join(",")}}`;

const DECODERS = [
  "host",
  "member",
  "host-note",
  "member-note",
  "confirm",
  "welcome",
  /** A whole STREAM frame. */
  "stream",
  /** The payload of a member's first DATA frame. */
  "data",
] as const;
const frameScenario = z.strictObject({ ...base, decoder: z.enum(DECODERS), payload: hex });
const orderScenario = z.strictObject({
  ...base,
  room: z.string(),
  host: z.strictObject({ name: z.string(), key: hex, box: hex, proof: hex }),
  /** Frames of the host as on the wire, in the order in which a replica gets them. */
  frames: z.array(hex),
  chain: hex.optional(),
});

/** A signing key, and what is said to be its signature (K10). */
const signatureScenario = z.strictObject({ ...base, key: hex, message: hex, signature: hex });
/** A message to some, as one of them opens it (K8). */
const sealScenario = z.strictObject({
  ...base,
  room: z.string(),
  from: z.string(),
  n: z.int(),
  /** The recipient's private key, and its place in `to`. */
  secret: hex,
  index: z.int(),
  key: hex,
  commitment: hex,
  wraps: z.array(hex),
  body: hex,
  text: z.string(),
});
/** One stream of a file, from its beginning (B2, K9). */
const fileScenario = z.strictObject({
  ...base,
  id: hex,
  key: hex,
  salt: hex,
  size: z.int(),
  chunks: z.array(hex),
  content: hex,
});

/** A connection to a service from both ends (X1, X3, X4, K12). */
const serviceScenario = z.strictObject({
  ...base,
  offer: z.string(),
  taker: z.string(),
  owner: z.string(),
  request: hex,
  response: hex,
  toOwner: z.array(hex),
  toTaker: z.array(hex),
  content: z.strictObject({ toOwner: hex, toTaker: hex }),
});

/** A proposal and statements about it (Z1 to Z5, Z7). */
const signOffScenario = z.strictObject({ ...base, ...signOffFields });

export type HandshakeScenario = z.infer<typeof handshakeScenario>;

export const vectorFile = z.discriminatedUnion("layer", [
  z.strictObject({ layer: z.literal("link"), scenarios: z.array(linkScenario) }),
  z.strictObject({ layer: z.literal("handshake"), scenarios: z.array(handshakeScenario) }),
  z.strictObject({ layer: z.literal("record"), scenarios: z.array(recordScenario) }),
  z.strictObject({ layer: z.literal("frame"), scenarios: z.array(frameScenario) }),
  z.strictObject({ layer: z.literal("order"), scenarios: z.array(orderScenario) }),
  z.strictObject({ layer: z.literal("signature"), scenarios: z.array(signatureScenario) }),
  z.strictObject({ layer: z.literal("seal"), scenarios: z.array(sealScenario) }),
  z.strictObject({ layer: z.literal("file"), scenarios: z.array(fileScenario) }),
  z.strictObject({ layer: z.literal("service"), scenarios: z.array(serviceScenario) }),
  z.strictObject({ layer: z.literal("sign-off"), scenarios: z.array(signOffScenario) }),
]);
export type VectorFile = z.infer<typeof vectorFile>;

/** Runs `call`; a refusal of the protocol becomes the name of its layer, anything else passes through. */
function refusedAs(layer: Expectation, call: () => void): Expectation {
  try {
    call();
    return "ok";
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    return error.code === "host-equivocation" ? "equivocation" : layer;
  }
}

/** Primitives that hand out these bytes and no others. */
function scripted(random: Bytes): Primitives {
  let at = 0;
  const take = (length: number): Bytes => {
    at += length;
    if (at > random.length) throw new RangeError("the scenario has no more randomness");
    return random.slice(at - length, at);
  };
  return { ...nodePrimitives, random: take, generateDhKeyPair: () => dhKeyPairFrom(take(32)) };
}

/** Goes through the handshake from both ends with the messages of the scenario; says which message was refused. */
export function runHandshake(scenario: HandshakeScenario): {
  layer: Expectation;
  trace: Record<string, string>;
} {
  const trace: Record<string, string> = {};
  const [m1, m2, m3, m4, m5] = [scenario.m1, scenario.m2, scenario.m3, scenario.m4, scenario.m5].map(unhex);
  const credential = inviteCredential(nodePrimitives, unhex(scenario.inviteKey));
  const guest = new GuestHandshake(scripted(unhex(scenario.guestRandom)), {
    room: unhex(scenario.room),
    hostKey: unhex(scenario.hostKey),
    credential,
    claim: unhex(scenario.claim),
  });
  const end = (layer: Expectation) => ({ layer, trace });
  const none = new Uint8Array(0);

  let answer: Bytes = none;
  if (refusedAs("challenge", () => void (answer = guest.answer(m1 ?? none))) !== "ok")
    return end("challenge");
  trace["m2"] = toHex(answer);

  const auth = readAuth(m2 ?? none);
  if (auth === undefined || !equalBytes(auth.id, credential.id)) return end("auth");
  if (!verifyAuthTag(nodePrimitives, m1 ?? none, auth, credential.mac)) return end("auth");
  const accepted = acceptAuth(scripted(unhex(scenario.hostRandom)), {
    challenge: m1 ?? none,
    auth,
    credential,
    hostStatic: dhKeyPairFrom(unhex(scenario.hostStaticPrivate)),
  });
  if (accepted === undefined) return end("auth");
  trace["m3"] = toHex(accepted.message);

  let result = accepted.result;
  if (refusedAs("accept", () => void (result = guest.finish(m3 ?? none))) !== "ok") return end("accept");
  const { initiatorToResponder, responderToInitiator, exporter, hash } = result;
  const secret = resumeSecret(nodePrimitives, exporter);
  Object.assign(trace, {
    guestToHost: toHex(initiatorToResponder),
    hostToGuest: toHex(responderToInitiator),
    exporter: toHex(exporter),
    handshakeHash: toHex(hash),
    resumeSecret: toHex(secret),
    resumeId: toHex(resumeCredential(nodePrimitives, secret).id),
    safetyCode: safetyCode(nodePrimitives, hash, guest.share),
  });

  const secrets = (send: Bytes, receive: Bytes) => ({ send: send.slice(), receive: receive.slice() });
  const hostEnd = new RecordLayer(nodePrimitives, secrets(responderToInitiator, initiatorToResponder), 0);
  const guestEnd = new RecordLayer(nodePrimitives, secrets(initiatorToResponder, responderToInitiator), 0);
  const isConfirmed = refusedAs("confirm", () => {
    const frame = hostEnd.open(m4 ?? none, 0);
    if (frame?.type !== FRAME.confirm) throw new TunnelError("protocol-violation");
    const confirm = codec.decodeConfirm(frame.payload);
    const isCommitted = equalBytes(commitment(nodePrimitives, confirm.share), accepted.commitment);
    const { hash } = accepted.result;
    if (!isCommitted || !isProved(nodePrimitives, roomIdFrom(unhex(scenario.room)), { ...confirm, hash }))
      throw new TunnelError("protocol-violation");
    trace["confirm"] = Buffer.from(frame.payload.subarray(2)).toString("utf8");
  });
  if (isConfirmed !== "ok") return end("confirm");
  return end(
    refusedAs("welcome", () => {
      const frame = guestEnd.open(m5 ?? none, 0);
      if (frame?.type !== FRAME.welcome) throw new TunnelError("protocol-violation");
      const { host, members, view } = codec.decodeWelcome(frame.payload);
      const order = new RoomOrder(nodePrimitives, roomIdFrom(unhex(scenario.room)), host, { members, view });
      if (order.member(host) === undefined) throw new TunnelError("protocol-violation");
      trace["welcome"] = Buffer.from(frame.payload.subarray(2)).toString("utf8");
    }),
  );
}

function runRecords(scenario: z.infer<typeof recordScenario>): Expectation {
  const receive = unhex(scenario.secret);
  const layer = new RecordLayer(nodePrimitives, { send: new Uint8Array(32), receive }, 0);
  const frames: { type: number; payload: string }[] = [];
  const chunks: { stream: number; bytes: string; isSealed: boolean }[] = [];
  const outcome = refusedAs("record", () => {
    for (const record of scenario.records) {
      const message = unhex(record);
      if (isBulk(message) || isOpenBulk(message)) {
        const { stream, bytes, isSealed } = openChunk(layer, message);
        chunks.push({ stream, bytes: toHex(bytes), isSealed });
        continue;
      }
      const frame = layer.open(message, 0);
      if (frame !== undefined) frames.push({ type: frame.type, payload: toHex(frame.payload) });
    }
  });
  const isSame = (stated: unknown, came: unknown): boolean =>
    stated === undefined || JSON.stringify(came) === JSON.stringify(stated);
  const isAsStated = isSame(scenario.frames, frames) && isSame(scenario.chunks, chunks);
  if (outcome === "ok" && !isAsStated) throw new Error("the records hold other frames than stated");
  return outcome;
}

function runFrame({ decoder, payload }: z.infer<typeof frameScenario>): Expectation {
  const bytes = unhex(payload);
  return refusedAs("frame", () => {
    if (decoder === "host") codec.decodeHostFrame(bytes);
    if (decoder === "member") codec.decodeMemberFrame(bytes);
    if (decoder === "host-note") codec.decodeHostNote(bytes);
    if (decoder === "member-note") codec.decodeMemberNote(bytes);
    if (decoder === "confirm") codec.decodeConfirm(bytes);
    if (decoder === "welcome") codec.decodeWelcome(bytes);
    if (decoder === "stream") decodeStreamFrame(bytes);
    if (decoder === "data") takeData(bytes);
  });
}

/** Gives a fresh channel a DATA frame with this payload. @throws {TunnelError} */
function takeData(payload: Bytes): void {
  const [near, far] = [1, 2].map((end) => {
    const [send, receive] = [new Uint8Array(32).fill(end), new Uint8Array(32).fill(3 - end)];
    return new RecordLayer(nodePrimitives, { send, receive }, 0);
  });
  if (near === undefined || far === undefined) throw new Error("no ends");
  const channel = new Channel();
  channel.attach(far, 0, 0);
  for (const message of near.seal({ type: FRAME.data, payload }, 0)) {
    const { event } = channel.receive(message, 0);
    if (event?.type !== "durable") throw new TunnelError("protocol-violation");
    codec.decodeMemberFrame(event.payload);
  }
}

type OrderScenario = z.infer<typeof orderScenario>;

/** A replica of the scenario's room at place 0. */
function replicaFor(scenario: Pick<OrderScenario, "room" | "host">): RoomOrder {
  const room = parseRoomId(scenario.room);
  if (room === undefined) throw new Error("the scenario has no room");
  const [key, box, proof] = [scenario.host.key, scenario.host.box, scenario.host.proof].map(unhex);
  if (key === undefined || box === undefined || proof === undefined) throw new Error("no host");
  const { name } = scenario.host;
  const host = { id: memberIdOf(nodePrimitives, key), name, key, box, hash: NO_HASH, proof };
  return RoomOrder.genesis(nodePrimitives, room, host);
}

/** Gives the replica every frame. @throws {TunnelError} order-broken, host-equivocation, protocol-violation */
function replay(order: RoomOrder, frames: readonly string[]): RoomOrder {
  for (const bytes of frames) {
    const { frame, body } = codec.decodeHostFrame(unhex(bytes));
    if (frame.t !== "event") throw new Error("a replica of everything has no messages of its own");
    const { seq, ts, event } = frame;
    if (event.kind === "chat") order.appendChat(seq, ts, event, order.verify(event, body));
    else if (event.kind === "withheld") {
      order.appendChat(seq, ts, event, order.verifyWithheld(event));
    } else order.appendSystem(seq, ts, event);
  }
  return order;
}

function runOrder(scenario: OrderScenario): Expectation {
  const order = replicaFor(scenario);
  const outcome = refusedAs("order", () => void replay(order, scenario.frames));
  const isAsStated = scenario.chain === undefined || toHex(order.view.chain) === scenario.chain;
  if (outcome === "ok" && !isAsStated) throw new Error("the chain is another than stated");
  return outcome;
}

function runSignature({ key, message, signature }: z.infer<typeof signatureScenario>): Expectation {
  return refusedAs("signature", () => {
    const signer = parseSigningKey(toBase64url(unhex(key)));
    if (signer === undefined || !nodePrimitives.verifySignature(signer, unhex(message), unhex(signature)))
      throw new TunnelError("order-broken");
  });
}

function runSeal(scenario: z.infer<typeof sealScenario>): Expectation {
  const [room, from] = [parseRoomId(scenario.room), parseMemberId(scenario.from)];
  if (room === undefined || from === undefined) throw new Error("the scenario has no sender");
  const { n, index } = scenario;
  const own = { keys: dhKeyPairFrom(unhex(scenario.secret)), index };
  const [key, commitment, body] = [scenario.key, scenario.commitment, scenario.body].map(unhex);
  if (key === undefined || commitment === undefined || body === undefined) throw new Error("no seal");
  const seal = { key, commitment, wraps: scenario.wraps.map(unhex) };
  const text = openSealed(nodePrimitives, { room, from, n }, own, { seal, body });
  if (text === undefined) return "seal";
  if (Buffer.from(text).toString("utf8") !== scenario.text) throw new Error("another text than stated");
  return "ok";
}

function runFile(scenario: z.infer<typeof fileScenario>): Expectation {
  const [id, key, salt, content] = [scenario.id, scenario.key, scenario.salt, scenario.content].map(unhex);
  if (id === undefined || key === undefined || salt === undefined || content === undefined)
    throw new Error("no file");
  const hash = nodePrimitives.sha256(content);
  const offer = { id, key, hash, name: "a file", size: scenario.size };
  const taken: Bytes[] = [];
  const outcome = refusedAs("file", () => {
    const intake = new FileIntake(nodePrimitives, offer);
    intake.start(salt);
    for (const bytes of scenario.chunks) {
      const chunk = readFileChunk(unhex(bytes));
      if (chunk === undefined) throw new TunnelError("file-corrupt");
      taken.push(intake.take(chunk));
    }
    if (!intake.isComplete) throw new TunnelError("file-unfinished");
  });
  if (outcome === "ok" && !equalBytes(concat(...taken), content))
    throw new Error("another content than stated");
  return outcome;
}

function runService(scenario: z.infer<typeof serviceScenario>): Expectation {
  const taken: Record<string, string> = {};
  const outcome = refusedAs("service", () => {
    const corrupt = new TunnelError("service-corrupt");
    const offer = decodeServiceOffer(scenario.offer);
    const asked = decodePortRequest(unhex(scenario.request));
    const response = unhex(scenario.response);
    if (offer === undefined || asked?.ask !== "connect" || response.length !== PORT_SALT_BYTES) throw corrupt;
    const ends = { taker: scenario.taker as MemberId, owner: scenario.owner as MemberId };
    if (!equalBytes(asked.service, offer.id) || !asked.isBy(nodePrimitives, offer, ends)) throw corrupt;
    const secrets = { offer, salts: [asked.salt, response] } as const;
    for (const [name, way] of [
      ["toOwner", "to-owner"],
      ["toTaker", "to-taker"],
    ] as const) {
      const opener = new ConnectionOpener(nodePrimitives, secrets, way);
      const pieces = scenario[name].map((bytes) => opener.take({ bytes: unhex(bytes), isSealed: true }));
      if (!opener.isComplete) throw corrupt;
      taken[name] = toHex(concat(...pieces));
    }
  });
  const { content } = scenario;
  if (outcome === "ok" && (taken["toOwner"] !== content.toOwner || taken["toTaker"] !== content.toTaker))
    throw new Error("another content than stated");
  return outcome;
}

/** Every scenario of a file with what became of it. */
export function runVectors(file: VectorFile): { name: string; expect: Expectation; outcome: Expectation }[] {
  const run = <Scenario extends { name: string; expect: Expectation }>(
    scenarios: readonly Scenario[],
    outcome: (scenario: Scenario) => Expectation,
  ) =>
    scenarios.map((scenario) => ({
      name: scenario.name,
      expect: scenario.expect,
      outcome: outcome(scenario),
    }));
  switch (file.layer) {
    case "link":
      return run(file.scenarios, (one) => refusedAs("link", () => void parseLink(one.link)));
    case "handshake":
      return run(file.scenarios, (one) => runHandshake(one).layer);
    case "record":
      return run(file.scenarios, runRecords);
    case "frame":
      return run(file.scenarios, runFrame);
    case "order":
      return run(file.scenarios, runOrder);
    case "signature":
      return run(file.scenarios, runSignature);
    case "seal":
      return run(file.scenarios, runSeal);
    case "file":
      return run(file.scenarios, runFile);
    case "service":
      return run(file.scenarios, runService);
    case "sign-off":
      return run(file.scenarios, (one) => refusedAs("sign-off", () => runSignOff(one)));
  }
}

// --- making them ---

function flip(text: string, byte: number, mask = 1): string {
  const bytes = unhex(text);
  bytes[byte] = (bytes[byte] ?? 0) ^ mask;
  return toHex(bytes);
}

function makeLinks(): VectorFile {
  const primitives = seededPrimitives("vectors: link");
  const good = formatLink({
    origin: "wss://calm-red-fox.example",
    room: roomIdFrom(primitives.random(16)),
    key: primitives.random(32),
    hostKey: primitives.generateDhKeyPair().publicKey,
  });
  const bad: Record<string, string> = {
    "another scheme": good.replace("wss:", "https:"),
    "upper-case host": good.replace("calm", "CALM"),
    "credentials in front of the host": good.replace("calm", "user@calm"),
    "port out of range": good.replace(".example/", ".example:70000/"),
    "another path": good.replace("/t/", "/join/"),
    "a query": good.replace("#", "?utm=1#"),
    "no fragment": good.slice(0, good.indexOf("#")),
    "another version": good.replace("#1.", "#2."),
    "truncated by one character": good.slice(0, -1),
    "padded base64url": `${good}=`,
    "a fourth part": `${good}.AA`,
    "an empty key": good.replace(/\.[^.]+(\.[^.]+)$/, ".$1"),
    "white space inside the brackets": `< ${good} >`,
    "brackets the wrong way round": `>${good}<`,
    "an observer of another kind": `${good}.observers`,
    "an observer in capitals": `${good}.OBSERVER`,
    "an observer twice": `${good}.observer.observer`,
    "an observer with nothing behind the point": `${good}.`,
    "a host key of low order": `${good.slice(0, -43)}${"A".repeat(43)}`,
    "a host key in a second encoding": `${good.slice(0, -43)}${"_".repeat(42)}8`,
    "more than 512 characters": good
      .replace("calm", "calm-".repeat(80) + "a")
      .replace("calm-".repeat(12), "c"),
    "too much white space around it": `${" ".repeat(1_024 - good.length)}${good} `,
    "space that is none": `\u180e${good}`,
  };
  return {
    layer: "link",
    scenarios: [
      { name: "a link", expect: "ok", link: good },
      { name: "a link in angle brackets", expect: "ok", link: `<${good}>` },
      {
        name: "a link with as much white space of every kind around it as may be",
        expect: "ok",
        link: `\ufeff\u3000\u2029\u00a0${good}${" ".repeat(1_020 - good.length)}`,
      },
      {
        name: "a link to a local address",
        expect: "ok",
        link: good.replace("wss://calm-red-fox.example", "ws://[::1]:8080"),
      },
      { name: "a link of an observer", expect: "ok", link: `${good}.observer` },
      {
        name: "a link of an observer who sees what was said before, in a quotation",
        expect: "ok",
        link: `"${good}.observer-history"`,
      },
      ...Object.entries(bad).map(([name, link]) => ({ name, expect: "link" as const, link })),
    ],
  };
}

function makeHandshakes(): VectorFile {
  const primitives = seededPrimitives("vectors: handshake");
  const room = primitives.random(16);
  const inviteKey = primitives.random(32);
  const hostStaticPrivate = primitives.random(32);
  const guestRandom = primitives.random(64);
  const hostRandom = primitives.random(32);
  const claim = primitives.random(16);
  const hostStatic = dhKeyPairFrom(hostStaticPrivate);
  const guestKeys = nodePrimitives.importSigningKeyPair(primitives.random(32));
  const hostKeys = nodePrimitives.importSigningKeyPair(primitives.random(32));
  const roomId = roomIdFrom(room);
  const signer = new SigningChain(nodePrimitives, guestKeys, roomId);
  // They have a seed of their own, so that the messages before CONFIRM do not depend on them.
  const others = seededPrimitives("vectors: boxes");
  const [guestBox, hostBox] = [others, others].map((one) => one.generateDhKeyPair().publicKey);
  if (guestBox === undefined || hostBox === undefined) throw new Error("no boxes");
  const hostRecord = provedRecord(roomId, hostKeys, { name: "ana", hash: NO_HASH, box: hostBox });
  const order = RoomOrder.genesis(nodePrimitives, roomId, hostRecord);

  const credential = inviteCredential(nodePrimitives, inviteKey);
  const half = (random = guestRandom) =>
    new GuestHandshake(scripted(random), { room, hostKey: hostStatic.publicKey, credential, claim });
  const guest = half();
  const m1 = writeChallenge(primitives, room);
  const m2 = guest.answer(m1);
  const auth = readAuth(m2);
  if (auth === undefined) throw new Error("no AUTH");
  const accepted = acceptAuth(scripted(hostRandom), { challenge: m1, auth, credential, hostStatic });
  if (accepted === undefined) throw new Error("not accepted");
  const { initiatorToResponder, responderToInitiator, hash } = guest.finish(accepted.message);
  const seal = (secret: Bytes, frames: { type: number; payload: Bytes }[]): string => {
    const secrets = { send: secret.slice(), receive: new Uint8Array(32) };
    const layer = new RecordLayer(nodePrimitives, secrets, 0);
    return frames.map((frame) => layer.seal(frame, 0).map(toHex).join("")).at(-1) ?? "";
  };
  const confirm = {
    share: guest.share,
    name: "ben",
    key: signer.publicKey,
    box: guestBox,
    proof: signer.prove(hash, guestBox),
    received: 0,
  };
  /** What no encoder of ours would let through, too. */
  const sealConfirm = (change: Record<string, unknown>, type: number = FRAME.confirm): string =>
    seal(initiatorToResponder, [{ type, payload: encodeHeader({ ...confirm, ...change }) }]);
  const welcomeWith = (members: readonly object[]): Bytes =>
    encodeHeader({
      goal: "align the API",
      self: signer.id,
      name: "ben",
      host: hostRecord.id,
      members,
      received: 0,
      view: order.view,
      idleMs: 1_800_000,
      history: false,
      addresses: ["wss://calm-red-fox.example"],
      keptForSec: 600,
    });
  const welcome = welcomeWith(order.members);
  const sealWelcome = (frames: { type: number; payload: Bytes }[]): string =>
    seal(responderToInitiator, frames);
  const good = {
    inviteKey: toHex(inviteKey),
    hostStaticPrivate: toHex(hostStaticPrivate),
    hostKey: toHex(hostStatic.publicKey),
    room: toHex(room),
    guestRandom: toHex(guestRandom),
    claim: toHex(claim),
    hostRandom: toHex(hostRandom),
    m1: toHex(m1),
    m2: toHex(m2),
    m3: toHex(accepted.message),
    m4: sealConfirm({}),
    m5: sealWelcome([{ type: FRAME.welcome, payload: welcome }]),
  };
  const { trace } = runHandshake({ name: "worked example", expect: "ok", ...good });
  const { handshakeHash, resumeId, safetyCode: code } = trace;
  const { proof } = confirm;
  const otherHash = others.random(32);
  const otherBox = others.generateDhKeyPair().publicKey;
  const otherKeys = others.generateSigningKeyPair();
  const other = new SigningChain(nodePrimitives, otherKeys, roomId);
  const elsewhere = new SigningChain(nodePrimitives, guestKeys, roomIdFrom(others.random(16)));
  const [weakBox, neutral] = [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))];
  const hostOf = (change: object): string =>
    sealWelcome([{ type: FRAME.welcome, payload: welcomeWith([{ ...hostRecord, ...change }]) }]);
  const rosterWith = (member: object): string =>
    sealWelcome([{ type: FRAME.welcome, payload: welcomeWith([hostRecord, member]) }]);
  const cid = provedRecord(roomId, otherKeys, { name: "cid", hash: otherHash, box: otherBox });
  const wrongHost = dhKeyPairFrom(primitives.random(32)).publicKey;
  const bad: [string, Expectation, Partial<typeof good>][] = [
    ["M1: another kind", "challenge", { m1: flip(good.m1, 0, 2) }],
    ["M1: version 2", "challenge", { m1: flip(good.m1, 1, 3) }],
    ["M1: another room", "challenge", { m1: flip(good.m1, 2) }],
    ["M1: a byte short", "challenge", { m1: good.m1.slice(0, -2) }],
    ["M1: another nonce than M2 answers", "auth", { m1: flip(good.m1, 49) }],
    ["M1: the link names a host key of low order", "challenge", { hostKey: "00".repeat(32) }],
    ["M2: another kind", "auth", { m2: flip(good.m2, 0) }],
    ["M2: an unknown invite", "auth", { m2: flip(good.m2, 1) }],
    ["M2: a wrong tag", "auth", { m2: flip(good.m2, 17) }],
    ["M2: another ephemeral key", "auth", { m2: flip(good.m2, 49) }],
    ["M2: another payload", "auth", { m2: flip(good.m2, 145, 0x80) }],
    ["M2: a byte more", "auth", { m2: `${good.m2}00` }],
    [
      "M2: made for another host key, with a right tag",
      "auth",
      {
        m2: toHex(
          new GuestHandshake(scripted(guestRandom), { room, hostKey: wrongHost, credential, claim }).answer(
            m1,
          ),
        ),
      },
    ],
    ["M3: a denial", "accept", { m3: "04" }],
    ["M3: another kind", "accept", { m3: flip(good.m3, 0) }],
    ["M3: another ephemeral key", "accept", { m3: flip(good.m3, 1) }],
    ["M3: another payload", "accept", { m3: flip(good.m3, 53) }],
    ["M3: an ephemeral key of zeros", "accept", { m3: `03${"00".repeat(32)}${good.m3.slice(66)}` }],
    ["M3: a byte short", "accept", { m3: good.m3.slice(0, -2) }],
    ["M4: a flipped bit", "confirm", { m4: flip(good.m4, 200) }],
    ["M4: a share that was not committed to", "confirm", { m4: sealConfirm({ share: new Uint8Array(32) }) }],
    ["M4: a name with a line break", "confirm", { m4: sealConfirm({ name: "ben\n" }) }],
    ["M4: another frame type", "confirm", { m4: sealConfirm({}, FRAME.note) }],
    ["M4: no proof", "confirm", { m4: sealConfirm({ proof: undefined }) }],
    ["M4: a proof of 63 bytes", "confirm", { m4: sealConfirm({ proof: proof.slice(1) }) }],
    [
      "M4: a proof with a flipped bit",
      "confirm",
      { m4: sealConfirm({ proof: unhex(flip(toHex(proof), 9)) }) },
    ],
    [
      "M4: a proof for another handshake",
      "confirm",
      { m4: sealConfirm({ proof: signer.prove(otherHash, guestBox) }) },
    ],
    ["M4: a proof for another box", "confirm", { m4: sealConfirm({ proof: signer.prove(hash, otherBox) }) }],
    ["M4: another box than was proved", "confirm", { m4: sealConfirm({ box: otherBox }) }],
    [
      "M4: a proof for another room",
      "confirm",
      { m4: sealConfirm({ proof: elsewhere.prove(hash, guestBox) }) },
    ],
    ["M4: a proof by another key", "confirm", { m4: sealConfirm({ proof: other.prove(hash, guestBox) }) }],
    [
      "M4: somebody else's key and box with their proof",
      "confirm",
      { m4: sealConfirm({ key: cid.key, box: cid.box, proof: cid.proof }) },
    ],
    [
      "M4: a proof whose S is L higher",
      "confirm",
      {
        m4: sealConfirm({ proof: concat(proof.slice(0, 32), writeNumber(readNumber(proof.slice(32)) + L)) }),
      },
    ],
    [
      "M4: a key of small order, under which anything is signed",
      "confirm",
      { m4: sealConfirm({ key: neutral, proof: concat(neutral, new Uint8Array(32)) }) },
    ],
    [
      "M4: the same key in a second encoding",
      "confirm",
      {
        m4: sealConfirm({
          key: Uint8Array.of(0xee, ...new Uint8Array(30).fill(255), 0x7f),
          proof: concat(neutral, new Uint8Array(32)),
        }),
      },
    ],
    [
      "M4: a box of low order",
      "confirm",
      { m4: sealConfirm({ box: weakBox, proof: signer.prove(hash, weakBox) }) },
    ],
    ["M4: M5 sent back", "confirm", { m4: good.m5 }],
    ["M5: a flipped bit", "welcome", { m5: flip(good.m5, 900) }],
    ["M5: M4 sent back", "welcome", { m5: good.m4 }],
    ["M5: another frame type", "welcome", { m5: sealWelcome([{ type: FRAME.data, payload: welcome }]) }],
    ["M5: a roster without proof", "welcome", { m5: hostOf({ proof: undefined }) }],
    [
      "M5: a roster without the host",
      "welcome",
      { m5: sealWelcome([{ type: FRAME.welcome, payload: welcomeWith([cid]) }]) },
    ],
    ["M5: another box of the host than was proved", "welcome", { m5: hostOf({ box: otherBox }) }],
    [
      "M5: a handshake of the host's",
      "welcome",
      { m5: hostOf(provedRecord(roomId, hostKeys, { name: "ana", hash: otherHash, box: hostBox })) },
    ],
    [
      "M5: a member with the proof of another",
      "welcome",
      { m5: rosterWith({ ...cid, proof: hostRecord.proof }) },
    ],
    [
      "M5: a member with another box than was proved",
      "welcome",
      { m5: rosterWith({ ...cid, box: hostBox }) },
    ],
    [
      "M5: a member that names another handshake than it proved",
      "welcome",
      { m5: rosterWith({ ...cid, hash }) },
    ],
    [
      "M5: a member without a handshake",
      "welcome",
      { m5: rosterWith(provedRecord(roomId, otherKeys, { name: "cid", hash: NO_HASH, box: otherBox })) },
    ],
    [
      "M5: a member with a key of small order",
      "welcome",
      {
        m5: rosterWith({
          ...cid,
          key: neutral,
          id: memberIdOf(nodePrimitives, neutral),
          proof: concat(neutral, new Uint8Array(32)),
        }),
      },
    ],
    [
      "M5: the second record instead of the first",
      "welcome",
      {
        m5: sealWelcome([1, 2].map(() => ({ type: FRAME.welcome, payload: welcome }))),
      },
    ],
  ];
  return {
    layer: "handshake",
    scenarios: [
      { name: "worked example", expect: "ok", ...good, handshakeHash, resumeId, safetyCode: code },
      {
        name: "a roster of two",
        expect: "ok",
        ...good,
        m5: rosterWith(cid),
      },
      ...bad.map(([name, expect, change]) => ({ name, expect, ...good, ...change })),
    ],
  };
}

function makeRecords(): VectorFile {
  const primitives = seededPrimitives("vectors: record");
  const secret = primitives.random(32);
  const note = (value: number) => ({ type: FRAME.note, payload: Uint8Array.of(value) });
  const layer = () =>
    new RecordLayer(nodePrimitives, { send: secret.slice(), receive: new Uint8Array(32) }, 0);
  const first = layer();
  const three = [1, 2, 3].flatMap((value) => first.seal(note(value), 0)).map(toHex);
  const [one = "", two = "", last = ""] = three;
  const second = layer();
  const epochs = [...second.seal(note(1), 0), ...second.seal(note(2), 15 * 60_000)].map(toHex);
  const third = layer();
  const closed = [...third.seal(note(1), 0), ...third.sealClose(1, 0)].map(toHex);
  const fourth = layer();
  const crafted = (count: number) =>
    [
      ...fourth.seal(note(1), 0),
      ...fourth.seal({ type: FRAME.close, payload: concat(u64be(count), Uint8Array.of(1)) }, 0),
    ].map(toHex);
  /** A first record of a form that no record layer would seal. */
  const raw = (type: number, length: number, rest: string): string[] => {
    const padded = new Uint8Array(256 - 17);
    padded.set(concat(Uint8Array.of(type), u32be(length), ascii(rest)));
    const nonce = concat(ascii("tmc1"), new Uint8Array(20));
    const sealed = nodePrimitives.secretboxSeal(controlKey(nodePrimitives, secret), nonce, padded);
    return [`10${toHex(sealed)}`];
  };
  const frames = (...values: number[]) =>
    values.map((value) => ({ type: 0x14, payload: toHex(Uint8Array.of(value)) }));
  const key = toHex(secret);
  const bad: Record<string, string[]> = {
    "the first bit of the kind flipped": [flip(one, 0, 0x80), two],
    "a bit of the tag flipped": [flip(one, 1), two],
    "the last bit flipped": [one, flip(two, 255)],
    reordered: [two, one],
    replayed: [one, one],
    "one missing": [one, last],
    "cut to no bucket": [one.slice(0, -2)],
    empty: [""],
    "grown to the next bucket": [one + "00".repeat(768)],
    "an epoch without its announcement": [epochs[0] ?? "", epochs[2] ?? ""],
    "a record of the old epoch after its end": [epochs[0] ?? "", epochs[1] ?? "", two],
    "an end that names one record more": crafted(2),
    "an end whose predecessor is missing": closed.slice(1),
    "padding that is not zero": raw(FRAME.note, 1, "12"),
    "a length beyond the record": raw(FRAME.note, 256, "1"),
    "a new epoch that says something": raw(FRAME.rekey, 1, "1"),
  };
  const fifth = layer();
  const chunk = Uint8Array.from({ length: 256 - BULK_OVERHEAD_BYTES }, (_, at) => at);
  const open = { stream: 2, bytes: ascii("bytes of a service"), isSealed: false };
  const mixed = [
    ...sealChunk(fifth, { stream: 1, bytes: chunk, isSealed: true }, 0),
    ...fifth.seal(note(1), 0),
    ...sealChunk(fifth, open, 0),
    ...sealChunk(fifth, { ...open, bytes: new Uint8Array(0) }, 0),
    ...fifth.sealClose(1, 0),
  ].map(toHex);
  const [bulk = "", , opened = ""] = mixed;
  const asOpen = (text: string): string => `12${text.slice(2)}`;
  const asBulk = (text: string): string => `11${text.slice(2)}`;
  const sixth = layer();
  const bulkEpochs = [
    ...sealChunk(sixth, open, 0),
    ...sealChunk(sixth, { stream: 1, bytes: chunk, isSealed: true }, 15 * 60_000),
    ...sealChunk(sixth, open, 15 * 60_000),
  ].map(toHex);
  /** A first open bulk message of a form that no record layer would seal. */
  const rawOpen = (length: number, rest: string): string[] => {
    const plain = new Uint8Array(256 - 17);
    plain.set(concat(u32be(1), u32be(length), ascii(rest)));
    const key = bulkKey(nodePrimitives, secret);
    const sealed = nodePrimitives.chachaSeal(key, new Uint8Array(12), plain, Uint8Array.of(0x12));
    return [`12${toHex(sealed)}`];
  };
  Object.assign(bad, {
    "a bulk message with a bit of its header flipped": [flip(bulk, 1)],
    "a bulk message with a bit of its chunk flipped": [flip(bulk, 200)],
    "a bulk message that says it is an open one": [asOpen(bulk)],
    "a bulk message cut to no bucket": [bulk.slice(0, -2)],
    "a bulk message replayed": [bulk, bulk],
    "a record that overtook a bulk message": [mixed[1] ?? "", opened],
    "an open bulk message before the one that goes ahead of it": [opened],
    "an open bulk message with its last bit flipped": [bulk, mixed[1] ?? "", flip(opened, 255)],
    "an open bulk message that says it is a sealed one": [bulk, mixed[1] ?? "", asBulk(opened)],
    "an open bulk message whose padding is not zero": rawOpen(1, "12"),
    "an open bulk message with a length beyond it": rawOpen(256, "1"),
    "a bulk message of the new epoch without its announcement": [bulkEpochs[0] ?? "", bulkEpochs[2] ?? ""],
    "an end that does not count the bulk message before it": [bulk, closed[1] ?? ""],
  });
  return {
    layer: "record",
    scenarios: [
      {
        name: "records and both kinds of bulk messages",
        expect: "ok",
        secret: key,
        records: mixed.slice(0, 4),
        frames: frames(1),
        chunks: [
          { stream: 1, bytes: toHex(chunk), isSealed: true },
          { ...open, bytes: toHex(open.bytes) },
          { ...open, bytes: "" },
        ],
      },
      { name: "an end behind bulk messages", expect: "ok", secret: key, records: mixed },
      { name: "a new epoch before a bulk message", expect: "ok", secret: key, records: bulkEpochs },
      { name: "three in a row", expect: "ok", secret: key, records: three, frames: frames(1, 2, 3) },
      { name: "a new epoch", expect: "ok", secret: key, records: epochs, frames: frames(1, 2) },
      { name: "an authenticated end", expect: "ok", secret: key, records: closed },
      ...Object.entries(bad).map(([name, records]) => ({
        name,
        expect: "record" as const,
        secret: key,
        records,
      })),
      { name: "under another key", expect: "record", secret: toHex(primitives.random(32)), records: three },
    ],
  };
}

/** Numbers ahead of a member's frame in DATA. */
function dataOf(number: number, acknowledged: number, frame: string): string {
  return toHex(concat(u64be(number), u64be(acknowledged))) + frame;
}

function rawFrame(header: string, body = ""): string {
  const json = encodeUtf8(header);
  return toHex(concat(Uint8Array.of(json.length >> 8, json.length & 255), json, encodeUtf8(body)));
}

function makeFrames(): VectorFile {
  const zeros = (length: number): string => toBase64url(new Uint8Array(length));
  const say = `{"t":"say","n":1,"prev":"${zeros(32)}","view":{"seq":0,"chain":"${zeros(32)}"},"sig":"${zeros(64)}"}`;
  const TO = `"to":["${zeros(8)}"]`;
  const primitives = seededPrimitives("vectors: frame");
  const KEY = toBase64url(primitives.generateSigningKeyPair().publicKey);
  const BOX = toBase64url(primitives.generateDhKeyPair().publicKey);
  const SEAL = `"seal":{"key":"${BOX}","commitment":"${zeros(32)}","wraps":["${zeros(48)}"]}`;
  const own = '{"t":"own","seq":1,"ts":0,"n":1}';
  const open = `{"t":"open","stream":1,"service":"files","who":"${zeros(8)}","credit":1}`;
  const warning = (ms: number): string =>
    `{"t":"event","seq":1,"ts":0,"event":{"kind":"idle-warning","endsInMs":${ms}}}`;
  const confirmAs = (name: string): string =>
    `{"share":"${zeros(32)}","name":"${name}","key":"${KEY}","box":"${BOX}","proof":"${zeros(64)}","received":0}`;
  const confirm = confirmAs("ben");
  const joined = `{"t":"event","seq":1,"ts":0,"event":{"kind":"joined","member":{"id":"${zeros(8)}","name":"ben","key":"${KEY}","box":"${BOX}","hash":"${zeros(32)}","proof":"${zeros(64)}"}}}`;
  const joinedAs = (role: string): string => joined.replace(/\}\}\}$/, `,"role":${role}}}}`);
  const withKey = (bytes: string): string => toBase64url(unhex(bytes));
  const [ZERO, ONE] = ["00".repeat(32), `01${"00".repeat(31)}`];
  /** p − 1 and what follows, little-endian. */
  const aroundP = (low: string, high = "7f"): string => `${low}${"ff".repeat(30)}${high}`;
  const weakKeys: [string, string][] = [
    ["zero", ZERO],
    ["zero with a sign", `${"00".repeat(31)}80`],
    ["one", ONE],
    ["one with a sign", `01${"00".repeat(30)}80`],
    ["minus one", aroundP("ec")],
    ["minus one with a sign", aroundP("ec", "ff")],
    ["order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"],
    ["order 8 with a sign", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"],
    ["the other order 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"],
    ["p", aroundP("ed")],
    ["p and one", aroundP("ee")],
    ["p and three, which is of no small order", aroundP("f0")],
    ["the largest number", aroundP("ff", "ff")],
  ];
  const weakBoxes: [string, string][] = [
    ["zero", ZERO],
    ["one", ONE],
    ["minus one", aroundP("ec")],
    ["order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"],
    ["the other order 8", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"],
    ["zero with its last bit set", `${"00".repeat(31)}80`],
    ["nine with its last bit set", `09${"00".repeat(30)}80`],
    ["p", aroundP("ed")],
    ["p and nine", aroundP("f6")],
  ];
  const ended = '{"t":"event","seq":1,"ts":0,"event":{"kind":"ended","cause":"closed"}}';
  const returned = ended.replace('"ended","cause":"closed"', '"returned"');
  const ok: [string, (typeof DECODERS)[number], string][] = [
    ["a message", "member", rawFrame(say, "hello")],
    ["keys in another order", "member", rawFrame(`{"n":1,${say.slice(1).replace('"n":1,', "")}`, "hello")],
    ["a message to one member", "member", rawFrame(say.replace('"n":1', `"n":1,${TO},${SEAL}`), "\u0000")],
    ["a place", "host", rawFrame(own)],
    [
      "a message to others",
      "host",
      rawFrame(
        `{"t":"event","seq":1,"ts":0,"event":{"kind":"withheld","from":"${zeros(8)}",${say.slice(11, -1)},${TO},"digests":{"seal":"${zeros(32)}","body":"${zeros(32)}"}}}`,
      ),
    ],
    ["the end", "host", rawFrame(ended)],
    ["an arrival", "host", rawFrame(joined)],
    ["the arrival of an observer", "host", rawFrame(joinedAs('"observer"'))],
    ["the arrival of an observer who sees the past", "host", rawFrame(joinedAs('"observer-history"'))],
    [
      "the end of an observer's time",
      "host",
      rawFrame(ended.replace('"ended","cause":"closed"', `"left","id":"${zeros(8)}","cause":"expired"`)),
    ],
    ["a confirmation", "confirm", rawFrame(confirm)],
    [
      "a confirmation with the base point for a box",
      "confirm",
      rawFrame(confirm.replace(BOX, withKey(`09${"00".repeat(31)}`))),
    ],
    [
      "a confirmation with the key after minus one in its last letters",
      "confirm",
      rawFrame(confirm.replace(KEY, withKey(`ec${"fe".repeat(30)}7f`))),
    ],
    ["a leave", "member", rawFrame('{"t":"leave"}')],
    ["a warning five minutes ahead", "host", rawFrame(warning(300_000))],
    ["a return", "host", rawFrame(returned)],
    ["a name with a letter that is none yet", "confirm", rawFrame(confirmAs("\u{a7f1}am \u{378}"))],
    ...NEEDED_NAMES.map((name): (typeof ok)[number] => [
      `a name with a joiner or selector where it is needed: ${name}`,
      "confirm",
      rawFrame(confirmAs(name)),
    ]),
    ["a name of escapes that nothing else can write", "confirm", rawFrame(confirmAs('\\"\\\\'))],
    ["an empty presence", "host-note", rawFrame('{"members":[]}')],
    ["a reading note", "member-note", rawFrame('{"read":3,"active":true}')],
    ["a pause", "member-note", rawFrame('{"read":3,"active":true,"oversight":{"state":"paused"}}')],
    ["budgets", "member-note", rawFrame(`{"read":3,"active":true,"oversight":{"state":"held",${BUDGETS}}}`)],
    [
      "how a member is bounded",
      "host-note",
      rawFrame(
        `{"members":[{"id":"${zeros(8)}","connected":true,"heardAgoMs":0,"read":0,"oversight":{"state":"free",${BUDGETS}}}]}`,
      ),
    ],
    ["a person's words", "member", rawFrame(say.replace('"n":1', '"n":1,"author":"human"'), "hello")],
    ["a stream that is asked for", "stream", rawFrame(open, "what the service is asked")],
    ["a stream that is asked for without a word", "stream", rawFrame(open)],
    ["an answer", "stream", rawFrame('{"t":"accept","stream":1,"credit":0}', "the answer")],
    ["more credit", "stream", rawFrame('{"t":"credit","stream":4294967295,"bytes":1}')],
    ["the end of one direction", "stream", rawFrame('{"t":"end","stream":2}')],
    ["a refusal of the service's own", "stream", rawFrame('{"t":"reset","stream":2,"code":"no-such-table"}')],
    ["a first frame with its number", "data", dataOf(1, 0, rawFrame('{"t":"leave"}'))],
    ["a first message with its number", "data", dataOf(1, 0, rawFrame(say, "hello"))],
  ];
  const bad: [string, (typeof DECODERS)[number], string][] = [
    ["no bytes at all", "host", ""],
    ["a header longer than the frame", "host", rawFrame(own).slice(0, -2)],
    ["no JSON", "host", rawFrame("own")],
    ["an unknown type", "host", rawFrame('{"t":"exec"}')],
    ["an unknown key", "host", rawFrame('{"t":"own","seq":1,"ts":0,"n":1,"x":1}')],
    ["a missing key", "host", rawFrame('{"t":"own","seq":1,"ts":0}')],
    ["a place of zero", "host", rawFrame(own.replace('"seq":1', '"seq":0'))],
    ["a number that is no integer", "host", rawFrame(own.replace('"n":1', '"n":1.5'))],
    ["a number beyond 2^53", "host", rawFrame(own.replace('"n":1', '"n":9007199254740992'))],
    ["a number with a fraction of nothing", "host", rawFrame(own.replace('"n":1', '"n":1.0'))],
    ["a number with an exponent", "host", rawFrame(own.replace('"n":1', '"n":1e0'))],
    ["a zero with a sign", "host", rawFrame(own.replace('"ts":0', '"ts":-0'))],
    ["a number that is rounded to one", "host", rawFrame(own.replace('"n":1', '"n":9007199254740991.4'))],
    ["a key twice", "host", rawFrame(own.replace('"n":1', '"n":1,"n":1'))],
    ["white space", "host", rawFrame(own.replace(",", ", "))],
    ["a byte order mark", "host", rawFrame(`\ufeff${own}`)],
    ["an escape that nothing needs", "member", rawFrame('{"t":"le\\u0061ve"}')],
    ["a slash that is escaped", "confirm", rawFrame(confirmAs("a\\/b"))],
    ["a return with a cause", "host", rawFrame(ended.replace('"ended"', '"returned"'))],
    ["a warning six minutes ahead", "host", rawFrame(warning(360_000))],
    ["a name with white space behind", "confirm", rawFrame(confirmAs("ben\u3000"))],
    ...NEEDLESS_NAMES.map(([what, name]): (typeof bad)[number] => [
      `a name with ${what}`,
      "confirm",
      rawFrame(confirmAs(name)),
    ]),
    [
      "a message of white space of every kind",
      "member",
      rawFrame(say, "\u00a0\u1680\u2003\u2029\u3000\ufeff\n"),
    ],
    ["an unknown cause", "host", rawFrame(ended.replace("closed", "bored"))],
    ["a body on a frame without one", "host", rawFrame(ended, "and more")],
    ["a member's frame to a member", "host", rawFrame(say, "hello")],
    ["a host's frame to the host", "member", rawFrame(own)],
    ["a message without text", "member", rawFrame(say)],
    ["a message of blanks", "member", rawFrame(say, " \n ")],
    ["a message with an escape sequence", "member", rawFrame(say, "\u001b]0;x\u0007")],
    ["a hash of 31 bytes", "member", rawFrame(say.replace(zeros(32), zeros(31)), "hello")],
    [
      "a hash with trailing bits",
      "member",
      rawFrame(say.replace(zeros(32), `${zeros(32).slice(0, -1)}B`), "hello"),
    ],
    ["a recipient without its seal", "member", rawFrame(say.replace('"n":1', `"n":1,${TO}`), "hello")],
    ["a seal without a recipient", "member", rawFrame(say.replace('"n":1', `"n":1,${SEAL}`), "hello")],
    [
      "a recipient named twice",
      "member",
      rawFrame(
        say.replace(
          '"n":1',
          `"n":1,"to":["${zeros(8)}","${zeros(8)}"],${SEAL.replace("]", `,"${zeros(48)}"]`)}`,
        ),
        "hello",
      ),
    ],
    ["an unknown author", "member", rawFrame(say.replace('"n":1', '"n":1,"author":"agent"'), "hello")],
    [
      "an unknown state of an agent",
      "member-note",
      rawFrame('{"read":3,"active":true,"oversight":{"state":"asleep"}}'),
    ],
    [
      "budgets without files",
      "member-note",
      rawFrame(
        `{"read":3,"active":true,"oversight":{"state":"free",${BUDGETS.replace(/"files":\{[^}]*\},/, "")}}}`,
      ),
    ],
    ["an unknown intent", "member", rawFrame(say.replace('"n":1', '"n":1,"intent":"command"'), "hello")],
    ["a name that turns the line around", "confirm", rawFrame(confirm.replace("ben", "a\u202eb"))],
    ["a name with a line break", "confirm", rawFrame(confirm.replace("ben", "a\\nb"))],
    [
      "a presence of a nameless id",
      "host-note",
      rawFrame('{"members":[{"id":"","connected":true,"heardAgoMs":0,"read":0}]}'),
    ],
    ["a confirmation without proof", "confirm", rawFrame(confirm.replace(/"proof":"[^"]*",/, ""))],
    ["an arrival in a role that there is not", "host", rawFrame(joinedAs('"host"'))],
    ["an arrival in no role, but said so", "host", rawFrame(joinedAs("null"))],
    [
      "a role in a confirmation",
      "confirm",
      rawFrame(confirm.replace('"received"', '"role":"observer","received"')),
    ],
    ["an arrival without proof", "host", rawFrame(joined.replace(/,"proof":"[^"]*"/, ""))],
    ["an arrival without a handshake", "host", rawFrame(joined.replace(/"hash":"[^"]*",/, ""))],
    ...weakKeys.flatMap(([what, bytes]): typeof ok => [
      [
        `a confirmation with the signing key ${what}`,
        "confirm",
        rawFrame(confirm.replace(KEY, withKey(bytes))),
      ],
      [`an arrival with the signing key ${what}`, "host", rawFrame(joined.replace(KEY, withKey(bytes)))],
    ]),
    ...weakBoxes.flatMap(([what, bytes]): typeof ok => [
      [`a confirmation with the box ${what}`, "confirm", rawFrame(confirm.replace(BOX, withKey(bytes)))],
      [`an arrival with the box ${what}`, "host", rawFrame(joined.replace(BOX, withKey(bytes)))],
    ]),
    [
      "a seal with a key of low order",
      "member",
      rawFrame(say.replace('"n":1', `"n":1,${TO},${SEAL.replace(BOX, zeros(32))}`), "\u0000"),
    ],
    ["a note with a body", "member-note", rawFrame('{"read":3,"active":true}', "x")],
    ["a stream of a service in capitals", "stream", rawFrame(open.replace("files", "Files"))],
    ["a stream of a service without a name", "stream", rawFrame(open.replace("files", ""))],
    ["a stream of a service of 33 letters", "stream", rawFrame(open.replace("files", "f".repeat(33)))],
    ["a stream without credit", "stream", rawFrame(open.replace('"credit":1', '"credit":0'))],
    ["a stream of number 0", "stream", rawFrame(open.replace('"stream":1', '"stream":0'))],
    ["a stream of more than 32 bits", "stream", rawFrame('{"t":"end","stream":4294967296}')],
    ["a request of 4,097 bytes", "stream", rawFrame(open, "x".repeat(4_097))],
    [
      "an answer of 4,097 bytes",
      "stream",
      rawFrame('{"t":"accept","stream":1,"credit":0}', "x".repeat(4_097)),
    ],
    ["credit of nothing", "stream", rawFrame('{"t":"credit","stream":1,"bytes":0}')],
    ["credit with a body", "stream", rawFrame('{"t":"credit","stream":1,"bytes":1}', "x")],
    ["an end with a body", "stream", rawFrame('{"t":"end","stream":2}', "x")],
    ["a refusal in a sentence", "stream", rawFrame('{"t":"reset","stream":2,"code":"not today"}')],
    ["a refusal without a code", "stream", rawFrame('{"t":"reset","stream":2}')],
    ["numbers without a frame", "data", dataOf(1, 0, "")],
    ["half the numbers", "data", dataOf(1, 0, "").slice(0, -2)],
    ["a first frame that is the second", "data", dataOf(2, 0, rawFrame('{"t":"leave"}'))],
    ["an acknowledgement of what was never sent", "data", dataOf(1, 1, rawFrame('{"t":"leave"}'))],
    ["a number above 2^53", "data", `0020000000000001${dataOf(1, 0, rawFrame('{"t":"leave"}')).slice(16)}`],
    [
      "a stream number between numbers and frame",
      "data",
      dataOf(1, 0, `00000000${rawFrame('{"t":"leave"}')}`),
    ],
  ];
  const scenario =
    (expect: "ok" | "frame") =>
    ([name, decoder, payload]: (typeof ok)[number]) => ({ name, expect, decoder, payload });
  return { layer: "frame", scenarios: [...ok.map(scenario("ok")), ...bad.map(scenario("frame"))] };
}

function makeOrders(): VectorFile {
  const primitives = seededPrimitives("vectors: order");
  const room = roomIdFrom(primitives.random(16));
  const keys = ["host", "ben", "cid"].map(() => primitives.generateSigningKeyPair());
  const [host, ben, cid] = keys.map((pair) => new SigningChain(nodePrimitives, pair, room));
  if (host === undefined || ben === undefined || cid === undefined) throw new Error("no signers");
  const [hostBox, box, otherBox] = ["host", "members", "another"].map(
    () => primitives.generateDhKeyPair().publicKey,
  );
  if (hostBox === undefined || box === undefined || otherBox === undefined) throw new Error("no boxes");
  const hostRecord: MemberRecord = {
    id: host.id,
    name: "ana",
    key: host.publicKey,
    box: hostBox,
    hash: NO_HASH,
    proof: host.prove(NO_HASH, hostBox),
  };
  const order = RoomOrder.genesis(nodePrimitives, room, hostRecord);
  const bodyOf = (text: string): Bytes => encodeUtf8(text);
  const event = (seq: number, one: RoomEvent, text = "", ts = 1_700_000_000_000 + seq): string =>
    toHex(codec.encodeHostFrame({ t: "event", seq, ts, event: one }, bodyOf(text)));
  const take = (seq: number, one: RoomEvent, text = ""): string => {
    const ts = 1_700_000_000_000 + seq;
    if (one.kind === "chat") order.appendChat(seq, ts, one, order.verify(one, bodyOf(text)));
    else if (one.kind === "withheld") order.appendChat(seq, ts, one, order.verifyWithheld(one));
    else order.appendSystem(seq, ts, one);
    return event(seq, one, text);
  };
  /** The hash of a member's handshake is that of its name here. */
  const joined = (signer: SigningChain, name: string, change: Partial<MemberRecord> = {}): RoomEvent => {
    const hash = change.hash ?? nodePrimitives.sha256(encodeUtf8(name));
    const { id, publicKey: key } = signer;
    const member = { id, name, key, box, hash, proof: signer.prove(hash, box), ...change };
    return { kind: "joined", member };
  };
  const said = (signer: SigningChain, text: string, view = order.view): ChatEvent => ({
    kind: "chat",
    from: signer.id,
    ...signer.sign({ body: bodyOf(text), view }).fields,
  });
  const viewAt0 = order.view;
  const j1 = take(1, joined(ben, "ben"));
  const viewAt1 = order.view;
  const j2 = take(2, joined(cid, "cid"));
  const viewAt2 = order.view;
  const first = said(ben, "one");
  const c3 = take(3, first, "one");
  const second: ChatEvent = {
    kind: "chat",
    from: ben.id,
    ...ben.sign({ body: bodyOf("two"), view: order.view, author: "human" }).fields,
  };
  const { author: _human, ...secondOfAgent } = second;
  const c4 = take(4, second, "two");
  const reply = said(cid, "three");
  const c5 = take(5, reply, "three");
  const left = take(6, { kind: "left", id: ben.id, cause: "left" });
  const chain = toHex(order.view.chain);
  const elsewhere = { seq: viewAt2.seq, chain: new Uint8Array(32) };
  const forged = said(host, "forged", elsewhere);
  const common = {
    room,
    host: {
      name: "ana",
      key: toHex(host.publicKey),
      box: toHex(hostBox),
      proof: toHex(hostRecord.proof),
    },
  };
  const danKeys = primitives.generateSigningKeyPair();
  const dan = new SigningChain(nodePrimitives, danKeys, room);
  const elsewhereDan = new SigningChain(nodePrimitives, { ...danKeys, sign: () => new Uint8Array(64) }, room);
  /** The record of somebody who only reads along; its proof is for that. */
  const observing = (signer: SigningChain, name: string, change: Partial<MemberRecord> = {}): RoomEvent => {
    const hash = nodePrimitives.sha256(encodeUtf8(name));
    const role = change.role ?? "observer";
    return joined(signer, name, { hash, role, proof: signer.prove(hash, box, role), ...change });
  };
  /** A message to one whom it is sealed to, as others get it. */
  const forOne = (to: MemberRecord["id"]): string => {
    if (keys[2] === undefined) throw new Error("no signer");
    const seal = { key: box, commitment: box, wraps: [new Uint8Array(48)] };
    const sealed = bodyOf("sealed");
    const message = { body: sealed, view: viewAt2, to: [to], seal };
    const { seal: _, ...fields } = new SigningChain(nodePrimitives, keys[2], room).sign(message).fields;
    const digests = digestsOf(nodePrimitives, seal, sealed);
    return event(4, { kind: "withheld", from: cid.id, ...fields, to: [to], digests });
  };
  /** A first message of cid with this view, as if there were no other. */
  const cidAt = (view: typeof order.view): string => {
    if (keys[2] === undefined) throw new Error("no signer");
    return event(3, said(new SigningChain(nodePrimitives, keys[2], room), "three", view), "three");
  };
  /** A first message of ben to cid, as everybody else gets it. */
  const withheld = (): string => {
    if (keys[1] === undefined) throw new Error("no signer");
    const seal = { key: box, commitment: box, wraps: [new Uint8Array(48)] };
    const sealed = bodyOf("sealed");
    const message = { body: sealed, view: viewAt2, to: [cid.id], seal };
    const { seal: _, ...fields } = new SigningChain(nodePrimitives, keys[1], room).sign(message).fields;
    const digests = digestsOf(nodePrimitives, seal, sealed);
    return event(3, { kind: "withheld", from: ben.id, ...fields, to: [cid.id], digests });
  };
  /** A first message of cid that answers this place. */
  const answering = (replyTo: number): string => {
    if (keys[2] === undefined) throw new Error("no signer");
    const { fields } = new SigningChain(nodePrimitives, keys[2], room).sign({
      body: bodyOf("three"),
      view: viewAt2,
      replyTo,
    });
    return event(3, { kind: "chat", from: cid.id, ...fields }, "three");
  };
  // By its text this id is the first of the room, by its bytes the last.
  let dee = host;
  while (!/^[0-9]/.test(dee.id))
    dee = new SigningChain(nodePrimitives, primitives.generateSigningKeyPair(), room);
  const keyOf = (at: number) => {
    const pair = keys[at];
    if (pair === undefined) throw new Error("no signer");
    return pair;
  };
  const observers = Array.from(
    { length: 5 },
    () => new SigningChain(nodePrimitives, primitives.generateSigningKeyPair(), room),
  );
  const repository = { name: "shop", branch: "main", head: "ab".repeat(20), dirty: true };
  const whole = (name: string, frames: string[]) => {
    const chain = toHex(replay(replicaFor(common), frames).view.chain);
    return { name, expect: "ok" as const, ...common, frames, chain };
  };
  const back = event(9, { kind: "returned" });
  /** A first message of ben behind that return, with this view. */
  const benAfter = (view: typeof order.view): string =>
    event(10, said(new SigningChain(nodePrimitives, keyOf(1), room), "one", view), "one");
  const viewAt9 = replay(replicaFor(common), [j1, back]).view;
  const bad: [string, Expectation, string[]][] = [
    ["a return to a place that something has", "order", [j1, j2, event(2, { kind: "returned" })]],
    ["a place skipped after a return", "order", [j1, back, event(11, joined(cid, "cid"))]],
    [
      "a view of a place that a return has skipped",
      "equivocation",
      [j1, back, benAfter({ seq: 5, chain: viewAt9.chain })],
    ],
    [
      "a view of a return that another member was told at another place",
      "equivocation",
      [
        j1,
        event(8, { kind: "returned" }),
        event(9, { kind: "idle-warning", endsInMs: 1 }),
        benAfter(viewAt9),
      ],
    ],
    ["a sender nobody knows", "order", [event(1, joined(cid, "cid")), event(2, first, "one")]],
    ["another sender than who signed", "order", [j1, j2, event(3, { ...first, from: cid.id }, "one")]],
    ["another text than was signed", "order", [j1, j2, event(3, first, "won")]],
    ["another count than was signed", "order", [j1, j2, event(3, { ...first, n: 2 }, "one")]],
    ["a person's words as an agent's", "order", [j1, j2, c3, event(4, secondOfAgent, "two")]],
    ["an agent's words as a person's", "order", [j1, j2, event(3, { ...first, author: "human" }, "one")]],
    ["a first message withheld", "order", [j1, j2, event(3, second, "two")]],
    ["a message repeated", "order", [j1, j2, c3, event(4, first, "one")]],
    ["a view from before its sender came", "order", [j1, j2, cidAt(viewAt0)]],
    ["a number skipped", "order", [j1, j2, event(4, first, "one")]],
    ["a number repeated", "order", [j1, event(1, joined(cid, "cid"))]],
    ["a time that goes back", "order", [j1, event(2, joined(cid, "cid"), "", 1_700_000_000_000)]],
    ["an answer to what has not been said", "order", [j1, j2, answering(3)]],
    ["a name that is taken in capitals", "order", [j1, event(2, joined(cid, "BEN"))]],
    ["a member with the name of the program", "order", [event(1, joined(ben, "Tunnel"))]],
    ["a member twice", "order", [j1, event(2, joined(ben, "ben"))]],
    [
      "an observer with the proof of a member",
      "order",
      [
        j1,
        event(2, observing(dan, "dan", { proof: dan.prove(nodePrimitives.sha256(encodeUtf8("dan")), box) })),
      ],
    ],
    [
      "a member with the proof of an observer",
      "order",
      [j1, event(2, observing(dan, "dan", { role: undefined }))],
    ],
    [
      "an observer in another role than it proves",
      "order",
      [
        j1,
        event(
          2,
          observing(dan, "dan", {
            role: "observer-history",
            proof: dan.prove(nodePrimitives.sha256(encodeUtf8("dan")), box, "observer"),
          }),
        ),
      ],
    ],
    ["an observer with a name of 17 letters", "order", [j1, event(2, observing(dan, "d".repeat(17)))]],
    ["an observer with a work context", "order", [j1, event(2, observing(dan, "dan", { workContext: {} }))]],
    [
      "a message of an observer",
      "order",
      [
        event(1, observing(ben, "ben")),
        event(2, said(new SigningChain(nodePrimitives, keyOf(1), room), "one", viewAt0), "one"),
      ],
    ],
    ["a message for an observer", "order", [j1, j2, event(3, observing(dan, "dan")), forOne(dan.id)]],
    [
      "a fifth observer",
      "order",
      observers.slice(0, 5).map((one, at) => event(at + 1, observing(one, `eye ${at}`))),
    ],
    ["a member under an id that is not its own", "order", [event(1, joined(ben, "cid", { id: cid.id }))]],
    [
      "words of somebody who has left",
      "order",
      [j1, j2, event(3, { kind: "left", id: ben.id, cause: "lost" }), event(4, first, "one")],
    ],
    ["a member whose proof is one of zeros", "order", [j1, event(2, joined(elsewhereDan, "dan"))]],
    [
      "a member with the proof of another",
      "order",
      [j1, event(2, joined(dan, "dan", { proof: ben.prove(NO_HASH, box) }))],
    ],
    [
      "a member with another box than was proved",
      "order",
      [j1, event(2, joined(dan, "dan", { box: otherBox }))],
    ],
    [
      "a member that names another handshake than it proved",
      "order",
      [j1, event(2, joined(dan, "dan", { hash: box, proof: dan.prove(otherBox, box) }))],
    ],
    [
      "a member without a handshake, as the host has none",
      "order",
      [j1, event(2, joined(dan, "dan", { hash: NO_HASH }))],
    ],
    [
      "a member that comes back without a resume",
      "order",
      [j1, j2, event(3, { kind: "left", id: ben.id, cause: "lost" }), event(4, joined(ben, "ben"))],
    ],
    [
      "a member that comes back with another box",
      "order",
      [
        j1,
        j2,
        event(3, { kind: "left", id: ben.id, cause: "left" }),
        event(
          4,
          joined(ben, "ben", {
            box: otherBox,
            proof: ben.prove(nodePrimitives.sha256(encodeUtf8("ben")), otherBox),
          }),
        ),
      ],
    ],
    [
      "the host as one that joins",
      "order",
      [j1, event(2, { kind: "joined", member: { ...hostRecord, name: "another" } })],
    ],
    ["a host that leaves", "order", [j1, event(2, { kind: "left", id: host.id, cause: "left" })]],
    [
      "a box that another member was told differently",
      "equivocation",
      [
        j1,
        event(
          2,
          joined(cid, "cid", {
            box: otherBox,
            proof: cid.prove(nodePrimitives.sha256(encodeUtf8("cid")), otherBox),
          }),
        ),
        event(3, first, "one"),
      ],
    ],
    ["a sender that was told another order", "equivocation", [j1, j2, event(3, forged, "forged")]],
    ["a sender that was told more", "equivocation", [j1, j2, c3, event(4, reply, "three")]],
    [
      "a name that another member was told differently",
      "equivocation",
      [j1, event(2, joined(cid, "sid")), event(3, first, "one")],
    ],
  ];
  return {
    layer: "order",
    scenarios: [
      { name: "a whole room", expect: "ok", ...common, frames: [j1, j2, c3, c4, c5, left], chain },
      whole("a message said before its sender had seen itself come", [j1, j2, cidAt(viewAt1)]),
      whole("a message to others", [j1, j2, withheld()]),
      whole("an answer to the last place", [j1, j2, answering(2)]),
      whole("a return that skips places, and a message that has seen it", [j1, back, benAfter(viewAt9)]),
      whole("a return to the next place, and one after it", [
        j1,
        event(2, { kind: "returned" }),
        event(3, { kind: "returned" }),
        event(4, joined(cid, "cid")),
      ]),
      whole("names that some versions of Unicode take for one", [
        event(1, joined(ben, "\u{a7f1}am")),
        event(2, joined(cid, "sam")),
        event(3, joined(dee, "ＳＡＭ"), "", 1_700_000_000_002),
      ]),
      whole("observers beside members, one of whom has no more time", [
        j1,
        event(2, observing(dan, "d".repeat(16))),
        event(3, { kind: "left", id: dan.id, cause: "expired" }),
        ...observers
          .slice(0, 4)
          .map((one, at) =>
            event(at + 4, observing(one, `eye ${at}`, at === 0 ? { role: "observer-history" } : {})),
          ),
      ]),
      whole("members with work contexts, and an id with a digit in front", [
        event(
          1,
          joined(ben, "ben", { workContext: { repository, client: { name: "an agent", version: "1.2" } } }),
        ),
        event(2, joined(cid, "cid", { workContext: { repository: { name: "shop", dirty: false } } })),
        event(3, joined(dee, "dée", { workContext: {} })),
        event(4, { kind: "idle-warning", endsInMs: 300_000 }),
        event(5, { kind: "ended", cause: "idle" }),
      ]),
      ...bad.map(([name, expect, frames]) => ({ name, expect, ...common, frames })),
    ],
  };
}

function makeSeals(): VectorFile {
  const primitives = seededPrimitives("vectors: seal");
  const room = roomIdFrom(primitives.random(16));
  const from = memberIdFrom(primitives.random(8));
  const secrets = [1, 2].map(() => primitives.random(32));
  const boxes = secrets.map((secret) => dhKeyPairFrom(secret).publicKey);
  const text = "for two of them: ✓";
  const { seal, body } = sealTo(primitives, { room, from, n: 7 }, boxes, encodeUtf8(text));
  const good = {
    room: String(room),
    from: String(from),
    n: 7,
    secret: toHex(secrets[1] ?? body),
    index: 1,
    key: toHex(seal.key),
    commitment: toHex(seal.commitment),
    wraps: seal.wraps.map(toHex),
    body: toHex(body),
    text,
  };
  const first = { ...good, secret: toHex(secrets[0] ?? body), index: 0 };
  const [one = "", two = ""] = good.wraps;
  const bad: [string, Partial<typeof good>][] = [
    ["in another room", { room: roomIdFrom(primitives.random(16)) }],
    ["under another name", { from: memberIdFrom(primitives.random(8)) }],
    ["in another message of the same sender", { n: 8 }],
    ["for another place", { index: 0 }],
    ["with another private key", { secret: toHex(primitives.random(32)) }],
    ["with wraps that changed places", { wraps: [two, one] }],
    ["with another ephemeral key", { key: toHex(primitives.generateDhKeyPair().publicKey) }],
    ["with an ephemeral key of low order", { key: "00".repeat(32) }],
    ["with another commitment", { commitment: flip(good.commitment, 3) }],
    ["with a bit of its wrap flipped", { wraps: [one, flip(two, 20)] }],
    ["with a bit of its body flipped", { body: flip(good.body, 20) }],
  ];
  return {
    layer: "seal",
    scenarios: [
      { name: "a message to two, as the second of them opens it", expect: "ok", ...good },
      { name: "a message to two, as the first of them opens it", expect: "ok", ...first },
      ...bad.map(([name, change]) => ({ name, expect: "seal" as const, ...good, ...change })),
    ],
  };
}

function makeFiles(): VectorFile {
  const primitives = seededPrimitives("vectors: file");
  const [id, key, salt] = [primitives.random(16), primitives.random(32), primitives.random(32)];
  const content = encodeUtf8("first part, and the second one");
  const parts = [content.subarray(0, 11), content.subarray(11)];
  /** The chunks of one stream; `finals` says of each whether it is marked as the last. */
  const chunksOf = (pieces: readonly Bytes[], finals: readonly boolean[], offer = { id, key }, by = salt) => {
    const cipher = new ChunkCipher(nodePrimitives, offer, by);
    let offset = 0;
    return pieces.map((piece, at) => {
      const head = { offset, final: finals[at] === true };
      offset += piece.length;
      return toHex(chunkOfFile({ ...head, ...cipher.seal(piece, head) }).bytes);
    });
  };
  const chunks = chunksOf(parts, [false, true]);
  const [one = "", two = ""] = chunks;
  const good = {
    id: toHex(id),
    key: toHex(key),
    salt: toHex(salt),
    size: content.length,
    chunks,
    content: toHex(content),
  };
  const empty = { ...good, size: 0, content: "", chunks: chunksOf([new Uint8Array(0)], [true]) };
  const bad: [string, Partial<typeof good>][] = [
    ["of another file", { id: toHex(primitives.random(16)) }],
    ["under another key", { key: toHex(primitives.random(32)) }],
    ["with the salt of another stream", { salt: toHex(primitives.random(32)) }],
    ["in another order", { chunks: [two, one] }],
    ["without its first chunk", { chunks: [two] }],
    ["without its last chunk", { chunks: [one] }],
    ["with a chunk twice", { chunks: [one, one, two] }],
    ["with a bit of its content flipped", { chunks: [one, flip(two, 30)] }],
    ["with another flag", { chunks: [flip(one, 0), two] }],
    ["with a flag that nobody knows", { chunks: [flip(one, 0, 2), two] }],
    ["with another offset", { chunks: [one, flip(two, 8)] }],
    ["with an end that is not marked", { chunks: chunksOf(parts, [false, false]) }],
    ["with an end before its size", { chunks: chunksOf(parts.slice(0, 1), [true]) }],
    ["with more than its size", { size: content.length - 1 }],
    ["with a chunk of nothing inside", { chunks: chunksOf([new Uint8Array(0), content], [false, true]) }],
    [
      "with its second chunk sealed as a first one",
      { chunks: [one, ...chunksOf([parts[1] ?? content], [true])] },
    ],
  ];
  return {
    layer: "file",
    scenarios: [
      { name: "a file of two chunks", expect: "ok", ...good },
      { name: "an empty file", expect: "ok", ...empty },
      ...bad.map(([name, change]) => ({
        name: `a file ${name}`,
        expect: "file" as const,
        ...good,
        ...change,
      })),
    ],
  };
}

function makeServices(): VectorFile {
  const primitives = seededPrimitives("vectors: service");
  const [id, key, salt, response] = [16, 32, 32, 32].map((length) => primitives.random(length));
  const [taker, owner] = [memberIdFrom(primitives.random(8)), memberIdFrom(primitives.random(8))];
  if (id === undefined || key === undefined || salt === undefined || response === undefined)
    throw new Error("no bytes");
  const offer = encodeServiceOffer({
    id,
    key,
    service: "http",
    name: "the API",
    port: 3_000,
    readOnly: true,
  });
  const origin = "http://127.83.12.9:3000";
  const asks = (change: { key?: Bytes; ask?: "knock"; taker?: typeof taker; service?: Bytes } = {}): string =>
    toHex(
      encodePortRequest(
        nodePrimitives,
        { key: change.key ?? key },
        { taker: change.taker ?? taker, owner },
        { ask: change.ask ?? "connect", service: change.service ?? id, salt, origin },
      ),
    );
  const chunks = (way: Way, pieces: readonly Bytes[], isEnded = true, salts = [salt, response] as const) => {
    const sealer = new ConnectionSealer(nodePrimitives, { offer: { id, key }, salts }, way);
    return pieces.map((piece, at) => toHex(sealer.seal(piece, isEnded && at === pieces.length - 1).bytes));
  };
  const words = ["GET / HTTP/1.1\r\n\r\n", "and more", ""].map(encodeUtf8);
  const toOwner = chunks("to-owner", words);
  const [one = "", two = "", last = ""] = toOwner;
  const good = {
    offer,
    taker,
    owner,
    request: asks(),
    response: toHex(response),
    toOwner,
    toTaker: chunks("to-taker", [encodeUtf8("hello")]),
    content: { toOwner: toHex(concat(...words)), toTaker: toHex(encodeUtf8("hello")) },
  };
  const changed = (change: object): string => JSON.stringify({ ...(JSON.parse(offer) as object), ...change });
  const bad: [string, Partial<typeof good>][] = [
    ["of an offer with an address", { offer: changed({ host: "127.0.0.1" }) }],
    ["of an offer without a kind", { offer: changed({ service: "ftp" }) }],
    ["of an offer with a name of two lines", { offer: changed({ name: "a\nb" }) }],
    ["of an offer with port 0", { offer: changed({ port: 0 }) }],
    ["of an offer with a life of two days", { offer: changed({ lifeMs: 172_800_000 }) }],
    ["of an offer with false in place of nothing", { offer: changed({ readOnly: false }) }],
    ["of an offer with white space in its text", { offer: offer.replace(",", ", ") }],
    ["that is a knock", { request: asks({ ask: "knock" }) }],
    ["of one that cannot read the offer", { request: asks({ key: primitives.random(32) }) }],
    ["of another member", { request: asks({ taker: owner }) }],
    ["to another service", { request: asks({ service: primitives.random(16) }) }],
    ["whose request is too short", { request: good.request.slice(0, 2 * 80) }],
    ["whose origin was changed", { request: flip(good.request, 90) }],
    ["with another salt of the owner", { response: toHex(primitives.random(32)) }],
    ["with a salt that is too short", { response: good.response.slice(2) }],
    ["with its ways changed over", { toOwner: good.toTaker, toTaker: toOwner }],
    ["with chunks in another order", { toOwner: [two, one, last] }],
    ["with a chunk left out", { toOwner: [one, last] }],
    ["with a chunk twice", { toOwner: [one, one, two, last] }],
    ["without its end", { toOwner: [one, two] }],
    ["with something behind its end", { toOwner: [...toOwner, last] }],
    ["with an empty chunk inside", { toOwner: chunks("to-owner", ["", "x"].map(encodeUtf8)) }],
    ["with a bit flipped", { toTaker: good.toTaker.map((chunk) => flip(chunk, 40)) }],
    ["with an end made of what was none", { toOwner: [one, flip(two, 0)] }],
  ];
  return {
    layer: "service",
    scenarios: [
      { name: "a connection to a service", expect: "ok", ...good },
      ...bad.map(([name, change]) => ({
        name: `a connection ${name}`,
        expect: "service" as const,
        ...good,
        ...change,
      })),
    ],
  };
}

/** Every generated file by its name in test/vectors, as it is to be stored. */
export function makeVectors(): Record<string, string> {
  const files = {
    "link.json": makeLinks(),
    "handshake.json": makeHandshakes(),
    "record.json": makeRecords(),
    "frame.json": makeFrames(),
    "order.json": makeOrders(),
    "signature.json": { layer: "signature", scenarios: signatureScenarios() },
    "seal.json": makeSeals(),
    "file.json": makeFiles(),
    "service.json": makeServices(),
    "sign-off.json": { layer: "sign-off", scenarios: signOffScenarios() },
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, file]) => [
      name,
      `${JSON.stringify(vectorFile.parse(file), null, 2)}\n`,
    ]),
  );
}
