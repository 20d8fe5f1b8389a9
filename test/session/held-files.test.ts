import { renameSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Config } from "../../src/cli/settings.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { Finding, NotScanned } from "../../src/oversight/filter/verdict.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { offerFile } from "../../src/session/files/requests.ts";
import type { TextScanner } from "../../src/session/saying/judging.ts";
import type { Session, Sessions } from "../../src/session/sessions.ts";
import { rejectedWith } from "../support/rejection.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";
import { hashedOnly, hostRequest, joinRequest, NOTHING_FOUND, sessionsOn } from "./support.ts";

const WATCH = { path: "watch" } as const;
const folder = temporaryFolders();
const all: Sessions[] = [];

afterEach(async () => {
  await Promise.all(all.splice(0).map((one) => one.shutDown()));
});

const FOUND: Finding = {
  rule: "a password",
  where: "file",
  line: 1,
  column: 1,
  disguise: "plain",
  isCertain: true,
};

/** A filter that says this of each content; the hash is true. */
function saying(found: "secret" | NotScanned | "failure" | "clear"): TextScanner {
  return {
    ...NOTHING_FOUND,
    openContent: () => {
      const scan = hashedOnly();
      const end = async () => {
        const { digest } = await scan.end();
        if (found === "failure") throw new TunnelError("scan-failed");
        if (found === "clear") return { kind: "clear", digest } as const;
        if (found === "secret") return { kind: "found", findings: [FOUND], hasMore: false, digest } as const;
        return { kind: "not-scanned", reason: found, digest } as const;
      };
      return { ...scan, end };
    },
  };
}

function side(config: Partial<Config> = {}, scanner: TextScanner = NOTHING_FOUND): Sessions {
  const sessions = sessionsOn(systemClock, config, {}, { cwd: folder(), scanner });
  all.push(sessions);
  return sessions;
}

async function scene(config: Partial<Config> = {}, scanner?: TextScanner) {
  const [ana, ben] = [side(config, scanner), side()];
  const { hosting, invites } = await ana.host(hostRequest());
  const guest = await ben.join(joinRequest(invites[0]?.joinLink));
  const put = (name: string, content = "hello"): string => {
    const file = path.join(ana.localFiles.cwd, name);
    writeFileSync(file, content);
    return file;
  };
  return { ana, ben, hosting, guest, put };
}

const read = { signal: new AbortController().signal, onProgress: () => undefined };

function share(sessions: Sessions, tunnel: Session, file: string, note?: string, author?: "human") {
  const content = () => sessions.localFiles.share(file, read);
  return offerFile(tunnel, { note, to: undefined, author, content });
}

function decide(sessions: Sessions, verdict: "approve" | "refuse"): void {
  const [ask] = sessions.overseer.asks.waiting;
  if (ask === undefined) throw new Error("nothing waits");
  sessions.overseer.asks.decide(ask.id, ask.digest, { verdict }, WATCH);
}

const until = (what: string, test: () => boolean) =>
  expect.poll(test, { message: what, timeout: 8_000 }).toBe(true);

const noticesOf = ({ inbox }: Session) =>
  inbox.take("look", 50).entries.flatMap(({ entry }) => (entry.kind === "notice" ? [entry] : []));

/** Another name in the same folder leads there. */
async function fetched(ben: Sessions, guest: Session, fileId: string): Promise<string> {
  const target = path.join(ben.localFiles.cwd, "got");
  const { offer, from } = guest.files.find(fileId).entry;
  const download = await guest.files.receive(fileId, target, () =>
    ben.localFiles.sink({ savePath: target, overwrite: false }, offer, from),
  );
  await download.over;
  return download.state.name === "failed" ? download.state.error.code : download.state.name;
}

describe("an offer that waits for a person", () => {
  it("is told to nobody and listed nowhere, and goes once they let it", async () => {
    const { ana, ben, hosting, guest, put } = await scene();
    const held = await share(ana, hosting, put(".env"), "look");
    expect(held).toMatchObject({
      sent: { status: "held", askId: 1, why: { gates: ["sensitive-file"] } },
      offeredTo: [],
    });
    expect(ana.overseer.asks.waiting).toMatchObject([
      {
        gates: ["sensitive-file"],
        subject: {
          kind: "file",
          name: ".env",
          path: path.join(ana.localFiles.cwd, ".env"),
          bytes: 5,
          contentHash: held.sha256,
          note: "look",
          reasons: ["environment file"],
        },
      },
    ]);
    expect([hosting.files.shares, guest.files.offered]).toEqual([[], []]);
    expect(() => hosting.files.find(held.fileId)).toThrow(expect.objectContaining({ code: "file-own" }));
    decide(ana, "approve");
    await until("it is offered", () => guest.files.offered.length === 1);
    expect(hosting.files.shares).toHaveLength(1);
    expect(await fetched(ben, guest, held.fileId)).toBe("done");
    await until("the agent is told", () => hosting.inbox.unread > 0);
    expect(noticesOf(hosting)).toMatchObject([
      { notice: "decided", askId: 1, outcome: "approved", sent: { status: "sent" } },
    ]);
  });

  it("has one ask for everything about it", async () => {
    const { ana, hosting } = await scene({}, saying("secret"));
    const outside = path.join(folder(), ".env");
    writeFileSync(outside, "hello");
    expect(await share(ana, hosting, outside)).toMatchObject({
      sent: { why: { gates: ["outside-roots", "sensitive-file", "secret"] } },
    });
    expect(ana.overseer.asks.waiting).toHaveLength(1);
  });

  it.each(["refuse", "expire", "end"] as const)("is gone after %s", async (how) => {
    const { ana, hosting, guest, put } = await scene();
    const { fileId } = await share(ana, hosting, put(".env"));
    const [ask] = ana.overseer.asks.waiting;
    if (how === "refuse") decide(ana, "refuse");
    if (how === "expire") ana.overseer.asks.withdraw(ask?.id ?? 0, "gone");
    if (how === "end") await hosting.close();
    expect(await hosting.files.isUnchanged(fileId)).toBe(false);
    expect(hosting.files.shares).toEqual([]);
    expect(guest.files.offered).toEqual([]);
    if (how !== "refuse") return;
    expect(noticesOf(hosting)).toMatchObject([{ notice: "decided", askId: 1, outcome: "refused" }]);
    // A no to one offer is no answer to another.
    expect(await share(ana, hosting, put(".env"))).toMatchObject({ sent: { status: "held", askId: 2 } });
  });

  it("is asked about once, however often the agent repeats it (H17)", async () => {
    const { ana, hosting, put } = await scene();
    const file = put(".env");
    const first = await share(ana, hosting, file, "look");
    for (let time = 0; time < 40; time += 1)
      expect(await share(ana, hosting, file, "look")).toMatchObject({
        fileId: first.fileId,
        sent: first.sent,
      });
    expect(ana.overseer.asks.waiting).toHaveLength(1);
    await share(ana, hosting, file, "other words");
    put(".env", "other bytes");
    await share(ana, hosting, file, "look");
    expect(ana.overseer.asks.waiting).toHaveLength(3);
  });

  it("P12: is dropped when the file was replaced before it was let go, and the agent is told why", async () => {
    for (const [change, code] of [
      [(file: string) => writeFileSync(file, "other"), "share-changed"],
      [
        (file: string) => {
          writeFileSync(`${file}.new`, "hello");
          renameSync(`${file}.new`, file);
        },
        "share-changed",
      ],
      [(file: string) => unlinkSync(file), "share-gone"],
    ] as const) {
      const { ana, hosting, guest, put } = await scene();
      const file = put(".env");
      const { fileId } = await share(ana, hosting, file);
      await hosting.say({ text: "behind it" });
      change(file);
      decide(ana, "approve");
      await until("what waited behind it has come", () => [...guest.inbox.said()].length === 1);
      expect(guest.files.offered).toEqual([]);
      expect(await hosting.files.isUnchanged(fileId)).toBe(false);
      expect(noticesOf(hosting)).toMatchObject([
        { notice: "decided", askId: 1, outcome: "approved", error: { code } },
        { notice: "decided", outcome: "released" },
      ]);
    }
  });

  it("P12: is served to nobody when the file was replaced after it was let go", async () => {
    const { ana, ben, hosting, guest, put } = await scene();
    const file = put(".env");
    const { fileId } = await share(ana, hosting, file);
    decide(ana, "approve");
    await until("it is offered", () => guest.files.offered.length === 1);
    put(".env", "other");
    expect(await fetched(ben, guest, fileId)).toBe("file-changed");
  });
});

describe("a content", () => {
  it("H23: without a verdict is offered to nobody, and nobody can be asked", async () => {
    const { ana, hosting, guest, put } = await scene({}, saying("failure"));
    expect(await rejectedWith(share(ana, hosting, put("a.txt")))).toBe("scan-failed");
    const text = () => ana.localFiles.text("a.txt", "x");
    const pasted = offerFile(hosting, { note: undefined, to: undefined, content: text });
    expect(await rejectedWith(pasted)).toBe("scan-failed");
    expect(ana.overseer.asks.waiting).toEqual([]);
    expect(guest.files.offered).toEqual([]);
  });

  it("that cannot be searched is one gate, which TUNNEL_UNATTENDED opens; it opens no other", async () => {
    const attended = await scene({}, saying("compressed"));
    expect(await share(attended.ana, attended.hosting, attended.put("a.zip"))).toMatchObject({
      sent: { why: { gates: ["not-scanned"] } },
    });
    expect(attended.ana.overseer.asks.waiting[0]?.subject).toMatchObject({ notScanned: "compressed" });
    const unattended = await scene({ unattended: true }, saying("binary"));
    expect(await share(unattended.ana, unattended.hosting, unattended.put("a.png"))).toMatchObject({
      sent: { status: "sent" },
      offeredTo: ["ben"],
    });
    expect(await share(unattended.ana, unattended.hosting, unattended.put(".env"))).toMatchObject({
      sent: { why: { gates: ["sensitive-file"] } },
    });
    const secret = await scene({ unattended: true }, saying("secret"));
    expect(await share(secret.ana, secret.hosting, secret.put("a.txt"))).toMatchObject({
      sent: { why: { gates: ["secret"] } },
    });
  });

  it("with a secret waits also in a file that TUNNEL_SHARE_ALLOW names: that is about its name (H22)", async () => {
    const { ana, hosting, put } = await scene({}, saying("secret"));
    const file = put(".env");
    const allowed = side({ shareAllow: [file] }, saying("secret"));
    const content = () => allowed.localFiles.share(file, read);
    const outside = await offerFile(hosting, { note: undefined, to: undefined, content });
    expect(outside.sent).toMatchObject({ why: { gates: ["outside-roots", "secret"] } });
    expect(ana.overseer.asks.waiting[0]?.subject).not.toHaveProperty("reasons");
  });

  it("that a person shares by hand waits for no mode, and for them where something is found in it", async () => {
    const { ana, hosting, guest, put } = await scene({ gates: ["hold-out"] });
    expect(await share(ana, hosting, put("a.txt"))).toMatchObject({ sent: { why: { gates: ["hold-out"] } } });
    expect(await share(ana, hosting, put("b.txt"), undefined, "human")).toMatchObject({
      sent: { status: "sent" },
    });
    expect(await share(ana, hosting, put(".env"), undefined, "human")).toMatchObject({
      sent: { why: { gates: ["sensitive-file"] } },
    });
    await until("it has come as theirs", () => guest.files.offered.length === 1);
    expect(guest.files.offered[0]?.entry.author).toBe("human");
  });
});
