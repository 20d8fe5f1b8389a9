/**
 * A second decoder, written from docs/PROTOCOL.md and from nothing else, runs every vector. So the vectors say what the
 * document says, and not what one implementation happens to do. Nothing here may import from src/ or test/support/.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { EMPTY, fromHex, hex } from "./bytes.ts";
import { Initiator, noiseNonce, Responder } from "./noise.ts";
import { aeadOpen, x25519Public } from "./primitives.ts";
import { SIGNS } from "./safety.ts";
import { bytes, handshake, LAYERS, pairing, refusal } from "./scenarios.ts";

const RULES: ReadonlyMap<string, string> = new Map([
  ["link", "[C2] [L1] [L2] [K11] [Q1]"],
  ["handshake", "[H1] [H2] [H5] [H7] [H10] [H11] [H12] [H13] [H14] [K1] [K2] [K4] [K5] [O2]"],
  ["record", "[C1] [R2] [R3] [R4] [R5] [R6] [R7] [R8] [K6]"],
  ["frame", "[F1] [F2] [F3] [F4] [S1] [Q2] [T1] [T2] [K10] [K11]"],
  ["order", "[O1] [O2] [O3] [O4] [O5] [O6] [O11] [H13] [Q1] [Q2] [Q4]"],
  ["signature", "[K10]"],
  ["seal", "[K8]"],
  ["file", "[B2] [B3] [B4] [K9]"],
  ["service", "[X1] [X3] [X4] [K12]"],
  ["sign-off", "[Z1] [Z2] [Z3] [Z4] [Z5] [Z7]"],
]);

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");
const specification = read("../../docs/PROTOCOL.md");
/** Section `number` of the document. */
const section = (number: number): string =>
  specification.slice(
    specification.indexOf(`\n## ${number}. `),
    specification.indexOf(`\n## ${number + 1}. `),
  );

const vectors = new URL("../vectors/", import.meta.url);
/** Published by others, in a form of its own. */
const NOISE = "noise.json";
const files = readdirSync(vectors).filter((name) => name.endsWith(".json") && name !== NOISE);

const scenarioFile = z.strictObject({
  layer: z.string(),
  scenarios: z.array(z.looseObject({ name: z.string(), expect: z.string() })).min(1),
});
const scenariosOf = (name: string) => scenarioFile.parse(JSON.parse(read(`../vectors/${name}`)));

describe("the independent decoder", () => {
  for (const file of files) {
    const { layer, scenarios } = scenariosOf(file);
    for (const { name, expect: expected, ...scenario } of scenarios)
      it(`${RULES.get(layer)} ${file}: ${name} → ${expected}`, () => {
        expect(LAYERS.get(layer)?.(scenario)).toBe(expected);
      });
  }

  it("knows every layer that has vectors, and no other", () => {
    expect(files.map((file) => scenariosOf(file).layer).toSorted()).toEqual([...LAYERS.keys()].toSorted());
  });

  it("[H1] [H2] [H7] [K2] [K3] [N1] makes the worked example of the specification from its random values", () => {
    const { name: _, expect: __, ...example } = scenariosOf("handshake.json").scenarios[0] ?? {};
    const whole = handshake.parse(example);
    const made: Record<string, string> = {};
    expect(refusal(pairing(whole, made))).toBeUndefined();
    expect([made["m2"], made["m3"]]).toEqual([hex(whole.m2), hex(whole.m3)]);
    const { handshakeHash, resumeId, safetyCode } = whole;
    expect(made).toMatchObject({ handshakeHash, resumeId, safetyCode });
    const shown = section(14).replaceAll(/\s/g, "");
    expect(Object.keys(made)).toHaveLength(12);
    for (const [field, value] of Object.entries(made))
      expect(shown.includes(value.replaceAll(/\s/g, "")), field).toBe(true);
  });

  it("[N1] has the 64 signs of the specification", () => {
    const [, shown = ""] = /```\n([^`]*)```/.exec(section(10)) ?? [];
    expect(SIGNS).toEqual(shown.trim().split(/\s+/));
    expect(new Set(SIGNS).size).toBe(64);
    for (const sign of SIGNS) expect(Array.from(sign), sign).toHaveLength(1);
  });

  it("[H7] [K4] reads and writes what another implementation of the pattern did", () => {
    const message = z.strictObject({ payload: bytes, ciphertext: z.string() });
    const published = z
      .object({
        prologue: bytes,
        psk: bytes,
        initiatorEphemeral: bytes,
        responderStatic: bytes,
        responderEphemeral: bytes,
        handshakeHash: z.string(),
        messages: z.tuple([message, message, message, message]),
      })
      .parse(JSON.parse(read(`../vectors/${NOISE}`)));
    const { prologue, psk, initiatorEphemeral, responderStatic, responderEphemeral } = published;
    const [one, two, three, four] = published.messages;
    const responder = new Responder(prologue, {
      psk,
      ephemeral: responderEphemeral,
      static: responderStatic,
    });
    const initiator = new Initiator(prologue, {
      psk,
      ephemeral: initiatorEphemeral,
      responder: x25519Public(responderStatic),
    });
    const first = initiator.write(one.payload);
    expect(hex(first)).toBe(one.ciphertext);
    expect(hex(responder.read(first))).toBe(hex(one.payload));
    const second = responder.write(two.payload);
    expect(hex(second.message)).toBe(two.ciphertext);
    const { payload, split } = initiator.read(second.message);
    expect(hex(payload)).toBe(hex(two.payload));
    expect(split).toEqual(second.split);
    expect(hex(split.hash)).toBe(published.handshakeHash);
    const keys = [split.initiatorToResponder, split.responderToInitiator];
    for (const [at, { payload, ciphertext }] of [three, four].entries()) {
      const opened = aeadOpen(keys[at] ?? EMPTY, noiseNonce(0), fromHex(ciphertext), EMPTY);
      expect(opened).toEqual(payload);
    }
  });

  it("imports nothing of what it checks", () => {
    const here = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".ts"));
    const imported = here.flatMap((name) =>
      Array.from(
        read(name).matchAll(/\b(?:from|import|require)\s*\(?\s*["'`]([^"'`]+)["'`]/g),
        (match) => match[1],
      ),
    );
    const outside = imported.filter((specifier) => !here.includes(specifier?.replace("./", "") ?? ""));
    expect(new Set(outside)).toEqual(
      new Set([
        "@scure/bip39/wordlists/english.js",
        "node:crypto",
        "node:fs",
        "tweetnacl",
        "vitest",
        "ws",
        "zod",
      ]),
    );
  });
});
