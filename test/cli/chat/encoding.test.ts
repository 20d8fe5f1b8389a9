import { afterEach, describe, expect, it } from "vitest";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { endSides, joinRequest, linkOf, openRequest, startSide, type Side } from "./support.ts";

afterEach(endSides);

const BOM = Buffer.from("\ufeff");

/** A person, and a script that joins by the link in its first line, behind a byte order mark. */
async function personAndScript(json: boolean): Promise<{ ana: Side; script: Side }> {
  const clock = new FakeClock();
  const ana = startSide(openRequest, { clock });
  const script = startSide({ ...joinRequest(undefined, "script"), json }, { clock, plain: true });
  script.writeBytes(Buffer.concat([BOM, Buffer.from(`${await linkOf(ana)}\n`)]));
  await ana.seen(/script has joined/);
  return { ana, script };
}

describe("input of a program that is not UTF-8", () => {
  it("is an error with its line and place, and what comes after it is carried out", async () => {
    const { ana, script } = await personAndScript(true);
    script.writeBytes(Buffer.from('{"say":"caf\u00e9"}\n', "latin1"));
    script.writeBytes(Buffer.from('{"say":"café"}\n'));
    expect(await script.event("error")).toMatchObject({
      code: "input-invalid",
      line: 2,
      message: expect.stringMatching(/the line is not UTF-8: byte 0xE9 at position 11$/),
    });
    await ana.seen(/script: café$/);
    expect(ana.terminal.raw).not.toContain("\ufffd");
  });

  it("keeps a character that arrives in two pieces", async () => {
    const { ana, script } = await personAndScript(true);
    const bytes = Buffer.from('{"say":"a😀b"}\n');
    script.writeBytes(bytes.subarray(0, 11));
    script.writeBytes(bytes.subarray(11));
    await ana.seen(/script: a😀b$/);
  });

  it("as UTF-16 is named as that", async () => {
    const script = startSide({ ...joinRequest(undefined), json: true }, { clock: new FakeClock() });
    script.writeBytes(Buffer.from("\ufeffws://x/t/y\n", "utf16le"));
    expect(await script.code).toBe(2);
    expect(script.events()).toMatchObject([
      {
        event: "error",
        code: "link-malformed",
        message: expect.stringMatching(/the line is UTF-16, not UTF-8$/),
      },
    ]);
  });
});

describe("lines from a pipe", () => {
  it("that are not UTF-8 are an error, and nothing of them is said", async () => {
    const { ana, script } = await personAndScript(false);
    script.writeBytes(Buffer.from("na\u00efve\n", "latin1"));
    script.writeBytes(Buffer.from("naïve\n"));
    await script.seen(/the line is not UTF-8: byte 0xEF at position 2 \(input-invalid\)$/);
    await ana.seen(/script: naïve$/);
    expect(ana.terminal.raw).not.toContain("\ufffd");
  });

  it("lose their colours, which is told to people and programs; other controls are refused by place", async () => {
    const { ana, script } = await personAndScript(false);
    script.write("\u001b[31mfailed\u001b[0m: 2 tests");
    await ana.seen(/script: failed: 2 tests$/);
    await script.seen(/\* Sent without its colours: removed 2 control sequences$/);
    script.write("\u001b[2Kx");
    await script.seen(/it contains U\+001B at position 0 \(text-invalid\)$/);
    const program = (await personAndScript(true)).script;
    program.write({ say: "\u001b[1mx\u001b[m", ref: 1 });
    expect(await program.event("sent")).toMatchObject({ ref: 1, removed: "2 control sequences" });
  });
});
