import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { OutboundFilter } from "../../src/oversight/filter/filter.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { offerFile } from "../../src/session/files/requests.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";
import { GIT_ENV, Repository } from "../support/files/temp-repository.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { Choices, FORMS } from "./filter/corpus.ts";

/** Contents that a search could miss, from the disk to the ask, with the real filter (H20). */

const filter = new OutboundFilter(systemClock, new URL("../../dist/scanning.cjs", import.meta.url));
const SECRET = FORMS.find(({ name }) => name === "GitHub classic")?.make(new Choices("contents")) ?? "";
const MIB = 1024 * 1024;
const folder = temporaryFolders();
const all: Sessions[] = [];

afterEach(async () => {
  await Promise.all(all.splice(0).map((one) => one.shutDown()));
});
afterAll(() => filter.close());

async function scene(cwd = folder()) {
  const [ana, ben] = [0, 1].map(() => {
    const sessions = sessionsOn(systemClock, {}, {}, { cwd, env: GIT_ENV, scanner: filter });
    all.push(sessions);
    return sessions;
  }) as [Sessions, Sessions];
  const { hosting, invites } = await ana.host(hostRequest());
  const guest = await ben.join(joinRequest(invites[0]?.joinLink));
  return { ana, hosting, guest, cwd };
}

type Scene = Awaited<ReturnType<typeof scene>>;

const read = { signal: new AbortController().signal, onProgress: () => undefined };

async function shared({ ana, hosting, cwd }: Scene, name: string, content: Buffer | string) {
  writeFileSync(path.join(cwd, name), content);
  return await offerFile(hosting, {
    note: undefined,
    to: undefined,
    content: () => ana.localFiles.share(name, read),
  });
}

const patched = ({ ana, hosting }: Scene) =>
  offerFile(hosting, {
    note: undefined,
    to: undefined,
    content: () => ana.localFiles.patch(undefined, read.signal),
  });

/** A repository with one committed file, which is as `after` now. */
function changed(before: string | Buffer, after: string | Buffer): string {
  const made = new Repository(folder());
  made.put("a.txt", before);
  made.git("add", "--all");
  made.git("commit", "--quiet", "-m", "first");
  made.put("a.txt", after);
  return made.folder;
}

const lines = (bytes: number): string =>
  "const ordinary = 1;\n".repeat(Math.ceil(bytes / 20)).slice(0, bytes);

describe("a secret is found", () => {
  it.each<[string, string | Buffer]>([
    ["at the end of a large file", `${lines(3 * MIB)}\n${SECRET}\n`],
    ["over the border of two reads", `${lines(MIB - 20)}\n${SECRET}\n`],
    ["over the border of two blocks", `${lines(256 * 1024 - 20)}\n${SECRET}\n`],
    ["in UTF-16", Buffer.from(`\ufeffkey: ${SECRET}`, "utf16le")],
    ["in base64", `data: ${Buffer.from(`x ${SECRET}`).toString("base64")}`],
    ["over the ends of lines", `${SECRET.slice(0, 20)}\\\n${SECRET.slice(20)}`],
    ["between unseen characters", SECRET.split("").join("\u200b")],
    ["in what has the name of a picture", `x ${SECRET}`],
  ])("%s", async (_, content) => {
    const made = await scene();
    expect(await shared(made, "a.png", content)).toMatchObject({ sent: { why: { gates: ["secret"] } } });
    expect(JSON.stringify(made.ana.overseer.asks.waiting)).not.toContain(SECRET);
  });

  it("in the lines around a change, and in what it takes out", async () => {
    for (const after of [`a\n${SECRET}\nc\n`, "a\nb\n"]) {
      const made = await scene(changed(`a\n${SECRET}\nb\n`, after));
      expect(await patched(made)).toMatchObject({ sent: { why: { gates: ["secret"] } } });
    }
  });

  it("in two messages, of which the first has left", async () => {
    const { hosting } = await scene();
    expect(await hosting.say({ text: `begin ${SECRET.slice(0, 18)}` })).toMatchObject({ status: "sent" });
    expect(await hosting.say({ text: SECRET.slice(18) })).toMatchObject({ why: { gates: ["secret"] } });
  });
});

describe("a content that cannot be searched waits as such", () => {
  it.each<[string, Buffer, string]>([
    ["a.zip", Buffer.from([0x50, 0x4b, 3, 4, ...new Uint8Array(60)]), "compressed"],
    ["a.txt", gzipSync(SECRET), "compressed"],
    ["a.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...new Uint8Array(60)]), "binary"],
    ["large.txt", Buffer.alloc(70 * MIB, "text\n"), "too-large"],
  ])("%s", async (name, content, reason) => {
    const made = await scene();
    const held = await shared(made, name, content);
    expect(held).toMatchObject({ sent: { why: { gates: ["not-scanned"] } }, size: content.length });
    expect(made.ana.overseer.asks.waiting).toMatchObject([
      { gates: ["not-scanned"], subject: { notScanned: reason, contentHash: held.sha256 } },
    ]);
  });

  it("a patch with packed changes, wherever in it they stand", async () => {
    const cwd = changed("a\n", "GIT binary patch\nis what it says\n");
    writeFileSync(path.join(cwd, "z.bin"), Buffer.from([0, 1, 2, 0]));
    const made = await scene(cwd);
    expect(await patched(made)).toMatchObject({ sent: { why: { gates: ["not-scanned"] } } });
    expect(made.ana.overseer.asks.waiting[0]?.subject).toMatchObject({ reasons: ["z.bin: binary"] });
  });
});

it("ordinary files and patches go at once", async () => {
  const made = await scene(changed("a\n", "b\n"));
  expect(await shared(made, "plain.ts", lines(2 * MIB))).toMatchObject({ sent: { status: "sent" } });
  expect(await patched(made)).toMatchObject({ sent: { status: "sent" } });
});
