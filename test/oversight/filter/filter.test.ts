import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { OutboundFilter, tailOf } from "../../../src/oversight/filter/filter.ts";
import { FILTER, OUTBOUND, type Outbound, type Verdict } from "../../../src/oversight/filter/verdict.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { rejectedWith } from "../../support/rejection.ts";
import { Choices, FORMS, positives } from "./corpus.ts";

const SCRIPT = new URL("../../../dist/scanning.cjs", import.meta.url);

const filter = new OutboundFilter(systemClock, SCRIPT);
afterAll(() => filter.close());

const others: OutboundFilter[] = [];
afterEach(async () => {
  await Promise.all(others.splice(0).map((one) => one.close()));
});

const say = (text: string, where: Outbound = "message"): Promise<Verdict> =>
  filter.scanTexts([{ where, text }]);

async function scan(content: Buffer, where: Outbound = "file", piece = 1024 * 1024): Promise<Verdict> {
  const going = filter.openContent(where, content.length);
  const buffer = Buffer.alloc(piece);
  for (let at = 0; at < content.length; at += piece) {
    const length = content.copy(buffer, 0, at);
    await going.write(buffer.subarray(0, length));
    // The caller reads into the same memory again.
    buffer.fill(0);
  }
  return await going.end();
}

function made(name: string, seed = name): string {
  const form = FORMS.find((one) => one.name === name);
  if (form === undefined) throw new Error(`no form is called ${name}`);
  return form.make(new Choices(seed));
}

describe("texts", () => {
  test("H19: of every kind go through one function", async () => {
    const secret = made("GitHub classic");
    for (const where of OUTBOUND) {
      const verdict = await say(`here: ${secret}`, where);
      expect(verdict).toMatchObject({ kind: "found", findings: [{ where, rule: "a GitHub token" }] });
      expect((await say("nothing in here", where)).kind).toBe("clear");
    }
  });

  test("H19: of one act have one verdict", async () => {
    const texts = [
      { where: "file-name", text: "notes.txt" },
      { where: "note", text: `see ${made("Stripe")}` },
      { where: "message", text: `and ${made("npm")}` },
    ] as const;
    expect(await filter.scanTexts(texts)).toMatchObject({
      kind: "found",
      findings: [{ where: "note" }, { where: "message", isCertain: true }],
      hasMore: false,
    });
  });

  test("H20: have the rules of the second engine applied as well", async () => {
    expect(await say(`token: ${made("Vault")}`)).toMatchObject({
      kind: "found",
      findings: [{ rule: "a credential (hashicorp-vault)", line: 1, column: 8 }],
    });
  });

  test("H20: cannot switch the second engine off by a comment", async () => {
    expect((await say(`// secretlint-disable\n${made("Linear")} // secretlint-disable-line`)).kind).toBe(
      "found",
    );
  });

  test("H20: that are long are looked through to the end", async () => {
    const text = `${"lorem ipsum\n".repeat(5_000)}${made("Azure")}\n`;
    expect(await say(text)).toMatchObject({ kind: "found", findings: [{ line: 5_001 }] });
  });

  test("H20: are joined with what was said before", async () => {
    const secret = made("GitHub classic");
    const before = tailOf(`the first part is ${secret.slice(0, 20)}`);
    const texts = [{ where: "message", text: secret.slice(20) }] as const;
    expect(await filter.scanTexts(texts, before)).toMatchObject({ kind: "found", findings: [{ line: 1 }] });
    expect((await filter.scanTexts(texts)).kind).toBe("clear");
  });

  test("keep their order, also where the first one takes longer", async () => {
    const order: string[] = [];
    await Promise.all([
      say("x ".repeat(30_000)).then(() => order.push("long")),
      say(`slow ${made("Docker")}`).then(() => order.push("second engine")),
      say("quick").then(() => order.push("short")),
    ]);
    expect(order).toEqual(["long", "second engine", "short"]);
  });

  test("that are too long together are not scanned, and say so", async () => {
    expect(await say("a".repeat(FILTER.maxTextBytes + 1))).toMatchObject({
      kind: "not-scanned",
      reason: "too-large",
    });
  });
});

describe("a verdict", () => {
  test("H21: has nothing of the value in it, in no form of the corpus", async () => {
    for (const { secret, text } of positives("values", 2)) {
      const told = JSON.stringify(await say(text));
      // Its end is random; its beginning may be a word that the rule has in it, too.
      const random = secret.trimEnd().slice(-24);
      for (let at = 0; at + 6 <= random.length; at += 1) expect(told).not.toContain(random.slice(at, at + 6));
    }
  });

  test("H22: names exactly the bytes it is about", async () => {
    const content = Buffer.from(`key: ${made("Google")}\n`);
    const verdict = await scan(content, "file", 7);
    expect(verdict).toMatchObject({
      kind: "found",
      digest: createHash("sha256").update(content).digest("hex"),
    });
    const one = await say("some text");
    expect((await say("some text")).digest).toBe(one.digest);
    expect((await say("some text.")).digest).not.toBe(one.digest);
    expect((await say("some text", "note")).digest).not.toBe(one.digest);
    // Two texts are not one.
    const two = await filter.scanTexts([
      { where: "message", text: "some" },
      { where: "message", text: " text" },
    ]);
    expect(two.digest).not.toBe(one.digest);
  });

  test("lists the first findings in order, and says that there are more", async () => {
    const lines = Array.from({ length: 50 }, (_, index) => made("GitHub classic", `${index}`));
    const verdict = await scan(Buffer.from(lines.join("\n")));
    if (verdict.kind !== "found") throw new Error(`it is ${verdict.kind}`);
    expect(verdict.findings.map(({ line }) => line)).toEqual(
      Array.from({ length: FILTER.maxFindings }, (_, index) => index + 1),
    );
    expect(verdict.hasMore).toBe(true);
  });

  test("names line and column in characters, whatever letters stand before", async () => {
    const verdict = await say(`eins\nzwei\nÜbergröße 🔑 ${made("GitHub classic")}`);
    expect(verdict).toMatchObject({
      findings: [{ line: 3, column: 13, disguise: "plain", isCertain: true }],
    });
  });
});

describe("content", () => {
  test("H20: is found in patches, in lines of context as well", async () => {
    const patch = `diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n ${made("AWS key id")}\n-a\n+b\n`;
    expect(await scan(Buffer.from(patch), "patch")).toMatchObject({
      kind: "found",
      findings: [{ where: "patch", line: 5 }],
    });
  });

  test("H20: that is larger than a block is looked through, and several at once", async () => {
    const filler = Buffer.from("const value = compute(input); // ordinary\n".repeat(60_000));
    const contents = ["npm", "SendGrid", "JWT"].map((name) =>
      Buffer.concat([filler, Buffer.from(`${made(name)}\n`), filler]),
    );
    const verdicts = await Promise.all(contents.map((content) => scan(content)));
    expect(verdicts).toMatchObject([1, 2, 3].map(() => ({ kind: "found", findings: [{ line: 60_001 }] })));
  });

  test("that is compressed is not scanned, and says so", async () => {
    for (const magic of [
      "1f8b0800",
      "504b0304",
      "fd377a585a00",
      "28b52ffd",
      "377abcaf271c",
      "255044462d312e37",
    ]) {
      const content = Buffer.concat([Buffer.from(magic, "hex"), new Choices(magic).bytes(5_000)]);
      expect(await scan(content), magic).toMatchObject({ kind: "not-scanned", reason: "compressed" });
    }
  });

  test("that is binary is not scanned, unless something is found in it", async () => {
    const binary = Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0]),
      new Choices("image").bytes(9_000),
    ]);
    expect(await scan(binary)).toMatchObject({ kind: "not-scanned", reason: "binary" });
    const withSecret = Buffer.concat([binary, Buffer.from(`\0${made("Anthropic")}\0`), binary]);
    expect((await scan(withSecret)).kind).toBe("found");
  });

  test("with binary changes of git is not scanned, unless something is found in it", async () => {
    const patch = "diff --git a/i b/i\nGIT binary patch\nliteral 10\nRcmZQzfB-\n\n";
    expect(await scan(Buffer.from(patch), "patch")).toMatchObject({
      kind: "not-scanned",
      reason: "compressed",
    });
    expect((await scan(Buffer.from(`${patch}+${made("npm")}\n`), "patch")).kind).toBe("found");
  });

  test("that is too large is not scanned, whether its size is known or not", async () => {
    const piece = Buffer.alloc(8 * 1024 * 1024, "a line\n");
    for (const size of [FILTER.maxBytes + 1, 0]) {
      const going = filter.openContent("file", size);
      for (let written = 0; written <= FILTER.maxBytes; written += piece.length) await going.write(piece);
      expect(await going.end()).toMatchObject({ kind: "not-scanned", reason: "too-large" });
    }
  }, 120_000);

  test("that is empty is clear", async () => {
    expect(await scan(Buffer.alloc(0))).toMatchObject({ kind: "clear" });
  });
});

describe("H23: without a verdict nothing leaves", () => {
  test("where the thread cannot start", async () => {
    const broken = new OutboundFilter(systemClock, new URL("nowhere.cjs", SCRIPT));
    others.push(broken);
    const going = broken.openContent("file");
    expect(await rejectedWith(going.write(Buffer.from("a")).then(() => going.end()))).toBe("scan-failed");
    expect(await rejectedWith(broken.scanTexts([{ where: "message", text: made("Vault") }]))).toBe(
      "scan-failed",
    );
    // The next text has its verdict all the same.
    expect((await broken.scanTexts([{ where: "message", text: "hello" }])).kind).toBe("clear");
  });

  test("where the thread ends in the middle", async () => {
    const ended = new OutboundFilter(systemClock, SCRIPT);
    others.push(ended);
    const going = ended.openContent("file");
    await going.write(Buffer.from("a"));
    await ended.close();
    expect(await rejectedWith(going.end())).toBe("scan-failed");
    // And another thread is started for the next one.
    const next = ended.openContent("file");
    await next.write(Buffer.from(made("npm")));
    expect((await next.end()).kind).toBe("found");
  });

  test("where the thread says nothing", async () => {
    let fire: (() => void) | undefined;
    const clock = {
      now: () => 0,
      after: (_: number, callback: () => void) => {
        fire = callback;
        return () => undefined;
      },
    };
    // It never answers.
    const silent = new OutboundFilter(clock, new URL("data:text/javascript,setInterval(()=>0,1e6)"));
    others.push(silent);
    const going = silent.openContent("file");
    await going.write(Buffer.from("a"));
    const ending = rejectedWith(going.end());
    fire?.();
    expect(await ending).toBe("scan-failed");
  });

  test("a scan that is dropped leaves the others alone", async () => {
    const dropped = filter.openContent("file");
    await dropped.write(Buffer.from("a"));
    const other = filter.openContent("file");
    dropped.drop();
    await other.write(Buffer.from(made("npm")));
    expect((await other.end()).kind).toBe("found");
  });
});
