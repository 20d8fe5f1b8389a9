import type { TranscriptLimit, TranscriptSource } from "../../src/session/transcript/export.ts";
import { exportTranscript } from "../../src/session/transcript/export.ts";
import {
  parseTranscript,
  toJson,
  transcriptHash,
  type TranscriptDocument,
} from "../../src/session/transcript/document.ts";
import type { Primitives } from "../../src/protocol/base/primitives.ts";
import { nodePrimitives, World, type Guest } from "./wire.ts";

/** Transcripts of rooms on an in-memory wire. */

export const LINK = `wss://calm-red-fox.example/t/${"r".repeat(22)}#1.${"k".repeat(43)}.${"h".repeat(43)}`;

function sourceOf(world: World, who: Guest | "host"): TranscriptSource {
  const entries = who === "host" ? world.hostEntries : who.entries;
  const attestation = who === "host" ? world.room.attestation : who.member.attestation;
  const said = () => entries.filter((entry) => entry.kind !== "system");
  return { goal: "align the API", attestation, inbox: { said } };
}

/** `primitives` are those of the world. */
export function transcriptOf(
  world: World,
  who: Guest | "host",
  limit?: TranscriptLimit,
  primitives: Primitives = nodePrimitives,
): TranscriptDocument {
  const options = { now: world.now, ...(limit === undefined ? {} : { limit }) };
  return exportTranscript(primitives, sourceOf(world, who), options);
}

/** The document again, under a signature of whoever exported it: what a dishonest exporter would hand out. */
export function resigned(
  world: World,
  who: Guest | "host",
  document: TranscriptDocument,
): TranscriptDocument {
  const { attestation } = sourceOf(world, who);
  const signature = attestation?.attest(transcriptHash(nodePrimitives, document)) ?? document.signature;
  return { ...document, signature };
}

/** As somebody else reads it from a file. */
export const reread = (document: TranscriptDocument): TranscriptDocument => parseTranscript(toJson(document));

export interface Scene {
  readonly world: World;
  readonly ben: Guest;
  readonly cid: Guest;
}

/** A room of three in which everything happens that a transcript can hold. */
export function conversation(): Scene {
  const world = new World();
  const ben = world.pair("ben");
  const say = (who: Guest | "host", text: string, marks: object = {}): void => {
    world.advance(1_000);
    if (who === "host") world.room.say({ text, ...marks }, world.now);
    else who.member.say({ text, ...marks }, world.now);
    world.settle();
  };
  say("host", "Which shape has GET /orders?", { intent: "request" });
  say(ben, "An object with a cursor.", { intent: "inform", replyTo: 2 });
  const cid = world.pair("cid");
  say(cid, `I came by ${LINK} just now`);
  say(ben, "for ana alone", { to: [world.room.self] });
  say("host", "for ben alone", { to: [ben.member.self] });
  say(cid, "Agreed.", { intent: "ack", replyTo: 3 });
  say("host", "Then we are done.");
  cid.member.leave(world.now);
  world.settle();
  return { world, ben, cid };
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Every way to change one thing: each value, each key left out, each item left out or doubled. */
export function* mutations(value: Json, path = ""): Generator<readonly [path: string, changed: Json]> {
  if (typeof value === "string") yield [path, value === "" ? "x" : other(value)];
  else if (typeof value === "number")
    for (const changed of [value + 1, 0, Number.MAX_SAFE_INTEGER].filter((one) => one !== value))
      yield [path, changed];
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      yield [`${path}[-${index}]`, value.toSpliced(index, 1)];
      yield [`${path}[+${index}]`, value.toSpliced(index, 0, item)];
      for (const [at, changed] of mutations(item, `${path}[${index}]`))
        yield [at, value.with(index, changed)];
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      const { [key]: _, ...rest } = value;
      yield [`${path}.-${key}`, rest];
      for (const [at, changed] of mutations(item, `${path}.${key}`)) yield [at, { ...value, [key]: changed }];
    }
  }
}

/** The same length and kind of text, with another first letter. */
function other(text: string): string {
  return `${text.startsWith("A") ? "B" : "A"}${text.slice(1)}`;
}
