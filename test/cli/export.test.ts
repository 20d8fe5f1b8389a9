import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { exportTranscript, type ExportRequest } from "../../src/cli/transcript/export.ts";
import { ACTIONS } from "../../src/control/actions.ts";
import { Endpoint } from "../../src/control/endpoint.ts";
import { answerQuestions } from "../../src/control/questions.ts";
import { toBase64url } from "../../src/protocol/base/bytes.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { parseTranscript } from "../../src/session/transcript/document.ts";
import { verifyTranscript } from "../../src/session/transcript/verify.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { MemorySource } from "../support/files/file-ends.ts";
import { until } from "../support/processes.ts";
import { recorder } from "./support.ts";

const { platform } = process;

let root: string;
let host: Sessions;
let guest: Sessions;
let endpoint: Endpoint;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "tunnel-export-")));
  host = sessionsOn(systemClock);
  guest = sessionsOn(systemClock);
  endpoint = new Endpoint({
    begins: guest.onNews,
    clock: systemClock,
    accept: answerQuestions({ sessions: guest, clock: systemClock, actions: ACTIONS }),
    kind: "ask",
    identity: { session: undefined, folder: root },
    folders: [join(root, "control")],
    platform,
    pid: process.pid,
  });
});
afterEach(async () => {
  await Promise.all([host.shutDown(), guest.shutDown()]);
  await endpoint.close();
  rmSync(root, { recursive: true, force: true });
});

/** A tunnel of the server that is asked, in which the peer has said something and offered a file. */
async function talked(goal = "align the API") {
  const { hosting, invites } = await host.host(hostRequest(goal));
  const joined = await guest.join(joinRequest(invites[0]?.joinLink));
  await until("the endpoint is open", () => endpoint.state === "open");
  await hosting.say({ text: "which page size?" });
  await hosting.files.share(new MemorySource(new Uint8Array(9)), { name: "a.csv" });
  await until("both have come", () => joined.inbox.unread === 2);
  return { hosting, joined, id: joined.tunnelId };
}

async function run(request: Partial<ExportRequest> = {}, folders = [join(root, "control")], folder = root) {
  const output = recorder();
  const code = await exportTranscript({
    folders,
    platform,
    identity: { session: undefined, folder },
    request: { file: undefined, tunnelId: undefined, out: undefined, format: undefined, ...request },
    clock: systemClock,
    output,
    cwd: root,
  });
  return { code, out: output.stdout(), err: output.stderr() };
}

describe("the transcript of a running tunnel", () => {
  test("is shown as Markdown, checked, and nothing of it counts as read", async () => {
    const { joined, id } = await talked();
    const { code, out, err } = await run();
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("**Checked: it is as it was exported");
    expect(out).toContain("> which page size?");
    expect(out).toContain("> offers the file a.csv\n> 9 bytes");
    expect([joined.inbox.unread, joined.inbox.read]).toEqual([2, joined.inbox.lastSeq - 2]);
    expect((await run({ tunnelId: id })).out.split("\n").slice(7)).toEqual(out.split("\n").slice(7));
  });

  test("as JSON it verifies, and holds no key of a file and no link", async () => {
    const { joined } = await talked();
    const { code, out } = await run({ format: "json" });
    expect(code).toBe(0);
    expect(verifyTranscript(nodePrimitives, parseTranscript(out))).toMatchObject({ ok: true });
    const keys = joined.files.offered.map(({ entry }) => toBase64url(entry.offer.key));
    expect(keys).toHaveLength(1);
    for (const key of keys) expect(out).not.toContain(key);
    expect(out).not.toContain("#1.");
  });

  test("is there after the tunnel has ended, as long as its server runs", async () => {
    const { hosting, joined } = await talked();
    await hosting.close();
    await until("it has ended", () => joined.end !== undefined);
    expect((await run()).out).toContain("the host closed it");
  });

  test("is written as a new file for its owner alone, and never over another", async () => {
    await talked();
    const saved = await run({ out: "talk.json" });
    const file = join(root, "talk.json");
    expect(saved).toEqual({ code: 0, out: `Saved as ${file}\n`, err: "" });
    if (platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
    // What was written is shown again without a server.
    expect((await run({ file }, [])).out).toContain("> which page size?");
    await expect(run({ out: "talk.json", format: "markdown" })).rejects.toMatchObject({
      code: "transcript-not-saved",
    });
    expect(parseTranscript(readFileSync(file, "utf8"))).toMatchObject({ goal: "align the API" });
    expect((await run({ out: "talk.md" })).code).toBe(0);
    expect(readFileSync(join(root, "talk.md"), "utf8")).toContain("# Transcript of a tunnel");
    for (const out of ["CLAUDE.md", "none/talk.md", ".bashrc"]) {
      await expect(run({ out }), out).rejects.toMatchObject({ code: "transcript-not-saved" });
      expect(existsSync(join(root, out))).toBe(false);
    }
  });

  test("of several open tunnels must be named", async () => {
    const [one, two] = [await talked("first"), await talked("second")];
    const { code, out, err } = await run();
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(`which one is meant: ${one.id}, ${two.id}\n  Run it again with --tunnel`);
    expect((await run({ tunnelId: one.id })).out).toContain("- Goal: `first`");
    await expect(run({ tunnelId: "none" })).rejects.toMatchObject({ code: "tunnel-unknown" });
  });

  test("in which nothing has happened yet has no entries, and says so", async () => {
    const { hosting } = await guest.host(hostRequest());
    await until("the endpoint is open", () => endpoint.state === "open");
    expect((await run({ tunnelId: hosting.tunnelId })).out).toContain("- Entries: none\n");
  });

  test("is not given to whoever asks in another folder, unless they name the tunnel", async () => {
    const { id } = await talked();
    const folders = [join(root, "control")];
    await expect(run({}, folders, tmpdir())).rejects.toMatchObject({ code: "server-ambiguous", detail: id });
    expect((await run({ tunnelId: id }, folders, tmpdir())).code).toBe(0);
  });

  test("needs a server of this user", async () => {
    await expect(run()).rejects.toMatchObject({ code: "no-server" });
  });
});

test("a saved one that was touched is shown as what it is, also as JSON", async () => {
  await talked();
  const file = join(root, "talk.json");
  await run({ out: "talk.json" });
  writeFileSync(file, readFileSync(file, "utf8").replace("which page", "what page"));
  for (const format of ["json", "markdown"] as const) {
    const { code, err } = await run({ file, format }, []);
    expect([format, code, err]).toEqual([format, 1, expect.stringContaining("is not verified")]);
  }
});

describe("a file that is no transcript", () => {
  test("may have millions of entries and is refused at once", async () => {
    const file = join(root, "big.json");
    writeFileSync(file, `{"entries":[${"{},".repeat(2_000_000)}{}]}`);
    await expect(run({ file }, [])).rejects.toMatchObject({
      code: "transcript-invalid",
      detail: "it has too many entries",
    });
  });

  test("is a folder, a device or a pipe, which may never end, and is not read", async () => {
    await expect(run({ file: root }, [])).rejects.toMatchObject({ detail: "it is a folder" });
    if (platform === "win32") return;
    await expect(run({ file: "/dev/zero" }, [])).rejects.toMatchObject({ detail: "it is no file" });
  });
});
