import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { safetyCode } from "../src/protocol/handshake/safety-code.ts";
import { nodePrimitives } from "../src/runtime/primitives.ts";
import { safetyCode as independentCode } from "./independent/safety.ts";
import {
  EXPECTATIONS,
  makeVectors,
  runHandshake,
  runVectors,
  vectorFile,
  type VectorFile,
} from "./support/vectors.ts";

const folder = new URL("./vectors/", import.meta.url);
/** noise.json is the work of others and has its own test. */
const names = readdirSync(folder).filter((name) => name.endsWith(".json") && name !== "noise.json");
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");
/** Throws for a file of another form, so an unknown `expect` fails the run. */
const parse = (name: string): VectorFile => vectorFile.parse(JSON.parse(read(name)));

const RULES: Record<VectorFile["layer"], string> = {
  link: "[L1] [L2] [K11] [Q1]",
  handshake: "[H1] [H2] [H5] [H7] [H10] [H11] [H12] [H13] [H14] [K5] [O2]",
  record: "[R2] [R3] [R4] [R5] [R6] [R7] [R8]",
  frame: "[F1] [F2] [F3] [F4] [S1] [Q2] [T1] [T2] [K10] [K11]",
  order: "[O1] [O2] [O3] [O4] [O5] [O6] [O11] [O12] [H13] [Q1] [Q2] [Q4]",
  signature: "[K10]",
  seal: "[K8]",
  file: "[B2] [B3] [B4] [K9]",
  service: "[X1] [X3] [X4] [K12]",
  "sign-off": "[Z1] [Z2] [Z3] [Z4] [Z5] [Z7]",
};

describe("vectors", () => {
  for (const name of names) {
    const file = parse(name);
    for (const { name: scenario, expect: expected, outcome } of runVectors(file)) {
      it(`${RULES[file.layer]} ${name}: ${scenario} → ${expected}`, () => {
        expect(outcome).toBe(expected);
      });
    }
  }

  it("are what the generator makes, and nothing else", () => {
    const made = makeVectors();
    expect(names.toSorted()).toEqual(Object.keys(made).toSorted());
    for (const name of names) expect(read(name), name).toBe(made[name]);
  });

  it("mostly fail, name every layer, and have names of their own", () => {
    const all = names.flatMap((name) => parse(name).scenarios.map((one) => ({ file: name, ...one })));
    const failing = all.filter((one) => one.expect !== "ok");
    expect(failing.length / all.length).toBeGreaterThan(0.75);
    expect(new Set(all.map((one) => one.expect))).toEqual(new Set(EXPECTATIONS));
    expect(new Set(all.map((one) => `${one.file} ${one.name}`)).size).toBe(all.length);
  });

  it("[N1] safety codes are those of the independent decoder, whatever they show", () => {
    const shown = new Set<string>();
    for (let seed = 0; seed < 200; seed += 1) {
      const [hash, share] = [new Uint8Array(32).fill(seed), new Uint8Array(32).fill(255 - seed)];
      const code = safetyCode(nodePrimitives, hash, share);
      expect(code).toBe(independentCode(hash, share));
      for (const sign of code.split(" ").slice(0, 7)) shown.add(sign);
    }
    expect(shown.size).toBe(64);
  });

  it("refuse an expectation that nobody knows", () => {
    const file: unknown = JSON.parse(read("link.json").replace('"expect": "link"', '"expect": "lnk"'));
    expect(vectorFile.safeParse(file).success).toBe(false);
  });

  it("[H1] [H2] [H7] [K2] [K3] the worked example of the specification is the first handshake vector", () => {
    const file = parse("handshake.json");
    const example = file.layer === "handshake" ? file.scenarios[0] : undefined;
    if (example === undefined) throw new Error("no worked example");
    const { layer, trace } = runHandshake(example);
    expect(layer).toBe("ok");
    expect([trace["m2"], trace["m3"]]).toEqual([example.m2, example.m3]);
    const specification = readFileSync(new URL("../docs/PROTOCOL.md", import.meta.url), "utf8");
    const section = specification.slice(specification.indexOf("## 14."), specification.indexOf("## 15."));
    const shown = section.replaceAll(/\s/g, "");
    const { name: _, expect: __, m4, m5, ...inputs } = example;
    const { handshakeHash, resumeId, safetyCode: code } = inputs;
    expect({ handshakeHash, resumeId, code }).toEqual({
      handshakeHash: trace["handshakeHash"],
      resumeId: trace["resumeId"],
      code: trace["safetyCode"],
    });
    const stated = Object.entries({ ...inputs, ...trace });
    expect(stated.length).toBeGreaterThan(18);
    for (const [field, value = ""] of stated)
      expect(shown.includes(value.replaceAll(/\s/g, "")), field).toBe(true);
    for (const long of [m4, m5]) expect(shown.includes(long.slice(0, 64)), "a record").toBe(true);
  });
});
