import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { toBase64url } from "../../src/protocol/base/bytes.ts";
import type { Finding } from "../../src/oversight/filter/verdict.ts";
import { encodeServiceOffer } from "../../src/protocol/services/offer.ts";
import { fetchFile, offerFile } from "../../src/session/files/requests.ts";
import type { Shareable } from "../../src/session/files/local-files.ts";
import type { TextScanner } from "../../src/session/saying/judging.ts";
import type { Session, Sessions } from "../../src/session/sessions.ts";
import { auditOf, problemsOf } from "../../src/session/transcript/decisions.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";
import { until } from "../support/processes.ts";
import { again, Machine, read } from "./returning-support.ts";
import { hashedOnly, hostRequest, joinRequest, NOTHING_FOUND } from "./support.ts";

/** What a side had under way when its process ended, and what its person had decided. */

const BY = { path: "watch" } as const;
const folder = temporaryFolders();
let machine: Machine;
let cwd = "";
beforeEach(() => {
  machine = new Machine();
  cwd = folder();
});

/** A filter that finds a secret in each file. */
const SECRETS: TextScanner = {
  ...NOTHING_FOUND,
  openContent: () => {
    const scan = hashedOnly();
    const finding: Finding = {
      rule: "a password",
      where: "file",
      line: 1,
      column: 1,
      disguise: "plain",
      isCertain: true,
    };
    const end = async () => {
      const { digest } = await scan.end();
      return { kind: "found", findings: [finding], hasMore: false, digest } as const;
    };
    return { ...scan, end };
  },
};

const host = (more: Parameters<Machine["process"]>[0] = {}): Sessions => machine.process({ cwd, ...more });

/** The process of the host ends, and the next one has its tunnel. */
async function next(hosts: Sessions, { tunnelId }: Session, more = {}) {
  await hosts.shutDown();
  const process = host(more);
  return { process, back: await process.resume(again(tunnelId)) };
}

/** The only thing about which this side's person is asked. */
async function theAsk({ overseer }: Sessions) {
  await until("it is asked", () => overseer.asks.waiting.length === 1);
  const [ask] = overseer.asks.waiting;
  if (ask === undefined) throw new Error("nobody is asked");
  return ask;
}

async function letGo(process: Sessions): Promise<void> {
  const ask = await theAsk(process);
  process.overseer.asks.decide(ask.id, ask.digest, { verdict: "approve" }, BY);
}

const entriesOf = ({ inbox }: Session) => inbox.reread(0, 200).entries.map(({ entry }) => entry);

/** The last words about what was held. */
const decidedOf = (session: Session) =>
  entriesOf(session).flatMap((entry) =>
    entry.kind === "notice" && entry.notice === "decided"
      ? [{ askId: entry.askId, outcome: entry.outcome, code: entry.error?.code }]
      : [],
  );

const offersTo = (session: Session) =>
  entriesOf(session).flatMap((entry) => (entry.kind === "file" ? [entry] : []));

function offer(session: Session, content: () => Promise<Shareable>) {
  return offerFile(session, { note: undefined, to: undefined, content });
}

const sharing = { signal: new AbortController().signal, onProgress: () => undefined };

/** The guest fetches it: its text. */
async function fetched(guests: Sessions, guest: Session, fileId: string): Promise<string> {
  const target = path.join(folder(), "here");
  const found = { fileId, savePath: target, overwrite: false };
  const { download } = await fetchFile(guest.files, guests.localFiles, found);
  await download.over;
  if (download.state.name === "failed") throw download.state.error;
  return readFileSync(target, "utf8");
}

/** A guest may save wherever this test has a folder. */
const there = (): Sessions =>
  machine.process({ side: "there", config: { saveRoots: [path.dirname(cwd)] }, cwd: folder() });

const SERVICE = toBase64url(new Uint8Array(16).fill(1));

/** It waits for the host's person. */
async function offerService(hosting: Session): Promise<void> {
  const facts = { service: "http", name: "docs", most: 1 } as const;
  const text = encodeServiceOffer({ id: new Uint8Array(16).fill(1), key: new Uint8Array(32), ...facts });
  const judgement = { ...facts, target: "http://127.0.0.1:1", maxConnections: 1 };
  const leaves = (): void =>
    hosting.keptServices.begins({ side: "offered", serviceId: SERVICE, name: "docs" });
  const service = { judgement, leaves, dropped: () => undefined };
  expect(await hosting.say({ text, what: "file" }, { service })).toMatchObject({ status: "held" });
}

describe("what waits for a person is asked about again, under its number", () => {
  it("a proposal, which is proposed then, and is no plain message", async () => {
    const hosts = host();
    const { hosting, guest } = await machine.pair(hosts);
    hosting.signing.demand();
    hosting.oversight.hold("out", BY);
    expect(await hosting.signing.propose("all is done", undefined)).toMatchObject({ status: "held" });
    const { id, digest } = await theAsk(hosts);
    const { process, back } = await next(hosts, hosting);
    expect(back.signing.isDemanded).toBe(true);
    expect(await theAsk(process)).toMatchObject({ id, digest });
    await letGo(process);
    await until("it stands", () => guest.signing.standing !== undefined);
    expect(entriesOf(guest).map(({ kind }) => kind)).toContain("proposal");
    expect(entriesOf(guest).map(({ kind }) => kind)).not.toContain("chat");
    await until("its agent is told", () => decidedOf(back).length === 1);
    expect(decidedOf(back)).toEqual([{ askId: id, outcome: "approved", code: undefined }]);
  });

  it.each(["file", "text from memory"] as const)("the offer of a %s, which keeps its id", async (kind) => {
    const hosts = host({ scanner: SECRETS });
    const guests = there();
    const { hosting, guest } = await machine.pair(hosts, guests);
    writeFileSync(path.join(cwd, "a.txt"), "hello");
    const { fileId, sent } = await offer(hosting, () =>
      kind === "file" ? hosts.localFiles.share("a.txt", sharing) : hosts.localFiles.text("a.txt", "hello"),
    );
    expect(sent).toMatchObject({ status: "held" });
    const { id, digest } = await theAsk(hosts);
    const { process, back } = await next(hosts, hosting, { scanner: SECRETS });
    expect(await theAsk(process)).toMatchObject({ id, digest, subject: { kind: "file", name: "a.txt" } });
    expect(back.files.shares).toEqual([]);
    await letGo(process);
    await until("it is offered", () => offersTo(guest).length === 1);
    expect(await fetched(guests, guest, fileId)).toBe("hello");
    // And once more: it is an offer like any other by now.
    const third = await next(process, back, { scanner: SECRETS });
    await until("the guest is back", () => third.back.presence().every(({ connected }) => connected));
    expect(await fetched(guests, guest, fileId)).toBe("hello");
    expect(third.process.overseer.asks.waiting).toEqual([]);
  });

  it("links for observers, as often as they were not made", async () => {
    const hosts = host();
    const { hosting } = await machine.pair(hosts);
    const observing = { history: false, minutes: 5 };
    expect(hosting.askForObserverLinks(1, observing)).toMatchObject({ status: "held" });
    const { id } = await theAsk(hosts);
    const second = await next(hosts, hosting);
    expect((await theAsk(second.process)).id).toBe(id);
    await letGo(second.process);
    const { back } = second;
    if (back.role !== "host") throw new Error("it is the host's");
    const made = back.askForObserverLinks(1, observing);
    expect(made).toMatchObject([{ inviteId: expect.any(String) }]);
    const third = await next(second.process, back);
    expect(third.process.overseer.asks.waiting).toEqual([]);
    if (third.back.role !== "host") throw new Error("it is the host's");
    // One yes is for one time.
    expect(third.back.askForObserverLinks(1, observing)).toMatchObject({ status: "held" });
  });

  it("somebody who wants to come in, and goes on trying", async () => {
    const config = { gates: ["new-member"] as const };
    const hosts = host({ config });
    const { hosting, invites } = await hosts.host(hostRequest());
    const joining = there().join(joinRequest(invites[0]?.joinLink));
    const { id } = await theAsk(hosts);
    const { process, back } = await next(hosts, hosting, { config });
    expect((await theAsk(process)).id).toBe(id);
    expect(back.presence()).toHaveLength(1);
    await letGo(process);
    expect((await joining).goal).toBe(back.goal);
  });

  it("a message of a member that this side's person has still to let in: the end of the process withholds nothing", async () => {
    const hosts = host();
    const { hosting, guest } = await machine.pair(hosts);
    hosting.oversight.hold("in", BY);
    await guest.say({ text: "may it hear this?" });
    const { id } = await theAsk(hosts);
    const { process, back } = await next(hosts, hosting);
    expect((await theAsk(process)).id).toBe(id);
    expect(read(back)).toEqual([]);
    await letGo(process);
    expect(read(back)).toEqual(["may it hear this?"]);
  });
});

it("the last word about what waited is told again until its agent has read it", async () => {
  const hosts = host();
  const { hosting } = await machine.pair(hosts);
  hosting.oversight.hold("out", BY);
  await hosting.say({ text: "may I?" });
  const { id, digest } = await theAsk(hosts);
  hosts.overseer.asks.decide(id, digest, { verdict: "refuse", reason: "not now" }, BY);
  const second = await next(hosts, hosting);
  const [told] = entriesOf(second.back).filter(({ kind }) => kind === "notice");
  expect(told).toMatchObject({ notice: "decided", askId: id, outcome: "refused", reason: "not now" });
  read(second.back);
  const third = await next(second.process, second.back);
  expect(decidedOf(third.back)).toEqual([]);
});

describe("what cannot be asked about again is not sent, and its agent is told", () => {
  it("a file that is another one by then", async () => {
    const hosts = host({ scanner: SECRETS });
    const { hosting, guest } = await machine.pair(hosts);
    writeFileSync(path.join(cwd, "a.txt"), "hello");
    await offer(hosting, () => hosts.localFiles.share("a.txt", sharing));
    const { id } = await theAsk(hosts);
    await hosts.shutDown();
    writeFileSync(path.join(cwd, "a.txt"), "other");
    const process = host({ scanner: SECRETS });
    const back = await process.resume(again(hosting.tunnelId));
    await until("its agent is told", () => decidedOf(back).length === 1);
    expect(decidedOf(back)).toEqual([{ askId: id, outcome: "withdrawn", code: "share-changed" }]);
    expect(process.overseer.asks.waiting).toEqual([]);
    expect(offersTo(guest)).toEqual([]);
    expect(back.oversight.audit.open.size).toBe(0);
    // Told once.
    read(back);
    const third = await next(process, back);
    expect(decidedOf(third.back)).toEqual([]);
  });

  it("a file that may not be shared by then", async () => {
    const outside = folder();
    writeFileSync(path.join(outside, "a.txt"), "hello");
    const hosts = host({ scanner: SECRETS, config: { shareRoots: [outside] } });
    const { hosting } = await machine.pair(hosts);
    await offer(hosting, () => hosts.localFiles.share(path.join(outside, "a.txt"), sharing));
    const asked = await theAsk(hosts);
    expect(asked.gates).not.toContain("outside-roots");
    const { process } = await next(hosts, hosting, { scanner: SECRETS });
    // The guards are those of now.
    expect((await theAsk(process)).gates).toContain("outside-roots");
  });

  it("a service, whose target was found by the process that has ended", async () => {
    const hosts = host();
    const { hosting, guest } = await machine.pair(hosts);
    await offerService(hosting);
    const ask = await theAsk(hosts);
    const { process, back } = await next(hosts, hosting);
    expect(decidedOf(back)).toEqual([{ askId: ask.id, outcome: "withdrawn", code: "held-dropped" }]);
    expect(process.overseer.asks.waiting).toEqual([]);
    expect(entriesOf(guest).some(({ kind }) => kind === "service")).toBe(false);
  });
});

describe("services end with their process", () => {
  it("the others hear of the end of an offer, and this side's agent of all", async () => {
    const hosts = host();
    const { hosting, guest } = await machine.pair(hosts);
    await offerService(hosting);
    await letGo(hosts);
    await until("it is offered", () => guest.serviceOffers.open(Date.now()).length === 1);
    const { keptServices } = hosting;
    keptServices.begins({ side: "offered", serviceId: "AAAAAAAAAAAAAAAAAAAAAA", name: "old", until: 1 });
    keptServices.begins({ side: "taken", serviceId: "taken", name: "their docs" });
    keptServices.begins({ side: "taken", serviceId: "over", name: "done" });
    keptServices.over("over");
    const { process, back } = await next(hosts, hosting);
    const told = (session: Session) =>
      entriesOf(session).flatMap((entry) =>
        entry.kind === "notice" && entry.notice === "service-over" ? [[entry.name, entry.why]] : [],
      );
    expect(told(back)).toEqual([
      ["docs", "restarted"],
      ["their docs", "restarted"],
    ]);
    const withdrawn = () =>
      entriesOf(guest).flatMap((entry) => (entry.kind === "withdrawal" ? [toBase64url(entry.service)] : []));
    await until("the guest knows", () => withdrawn().length > 0);
    expect(withdrawn()).toEqual([SERVICE]);
    // Once.
    read(back);
    const third = await next(process, back);
    expect(told(third.back)).toEqual([]);
    await third.back.say({ text: "still here" });
    expect(withdrawn()).toEqual([SERVICE]);
  });

  it("a withdrawal that waits for the end of a pause is never said as words", async () => {
    const hosts = host();
    const { hosting, guest } = await machine.pair(hosts);
    await offerService(hosting);
    await letGo(hosts);
    await until("it is offered", () => guest.serviceOffers.open(Date.now()).length === 1);
    hosting.oversight.pause(BY);
    const second = await next(hosts, hosting);
    const third = await next(second.process, second.back);
    third.back.oversight.resume(BY);
    await until("it has come", () => entriesOf(guest).some(({ kind }) => kind === "withdrawal"));
    expect(entriesOf(guest).filter(({ kind }) => kind === "withdrawal" || kind === "chat")).toHaveLength(1);
  });
});

describe("what was made in memory", () => {
  const contents = (): string[] => {
    const [stay = ""] = machine.staysIn("here");
    const where = path.join(machine.root, "here", "stays", stay);
    return readdirSync(where).flatMap((name) => (name.endsWith(".content") ? [path.join(where, name)] : []));
  };

  async function made() {
    const hosts = host();
    const guests = there();
    const pair = await machine.pair(hosts, guests);
    const { fileId } = await offer(pair.hosting, () => hosts.localFiles.text("a.txt", "in memory"));
    await until("it is offered", () => offersTo(pair.guest).length === 1);
    return { ...pair, hosts, guests, fileId };
  }

  it("can be fetched after the return, and is gone with the stay", async () => {
    const { hosts, guests, hosting, guest, fileId } = await made();
    const [file = ""] = contents();
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
    const { back } = await next(hosts, hosting);
    await until("the guest is back", () => back.presence().every(({ connected }) => connected));
    expect(await fetched(guests, guest, fileId)).toBe("in memory");
    await back.close();
    expect(machine.staysIn("here")).toEqual([]);
  });

  it("is not there where its bytes are others by then", async () => {
    const { hosts, guests, hosting, guest, fileId } = await made();
    await hosts.shutDown();
    writeFileSync(contents()[0] ?? "", "tampered!");
    const back = await host().resume(again(hosting.tunnelId));
    await until("the guest is back", () => back.presence().every(({ connected }) => connected));
    await expect(fetched(guests, guest, fileId)).rejects.toMatchObject({ code: "file-changed" });
  });

  it("is forgotten when a person refuses it", async () => {
    const hosts = host({ scanner: SECRETS });
    const { hosting } = await machine.pair(hosts);
    await offer(hosting, () => hosts.localFiles.text("a.txt", "secret"));
    const ask = await theAsk(hosts);
    expect(contents()).toHaveLength(1);
    hosts.overseer.asks.decide(ask.id, ask.digest, { verdict: "refuse" }, BY);
    expect(contents()).toEqual([]);
  });
});

describe("an agent that ends its server gains nothing by it", () => {
  const budgets = { messages: 3, bytes: 1_000_000, files: 100, minutes: 1_000 };

  it("a budget that is spent stays so, and one that a person has renewed is counted from there", async () => {
    const config = { budgets };
    const hosts = host({ config });
    const { hosting } = await machine.pair(hosts);
    for (const text of ["one", "two", "three"]) await hosting.say({ text });
    const held = { reason: "budget", budget: "messages" };
    expect(hosting.oversight.stopped).toEqual(held);
    const second = await next(hosts, hosting, { config });
    expect(second.back.oversight.stopped).toEqual(held);
    second.back.oversight.goOn(BY);
    await second.back.say({ text: "four" });
    const third = await next(second.process, second.back, { config });
    expect(third.back.oversight.stopped).toBeUndefined();
    expect(third.back.oversight.gauges?.messages).toEqual({ used: 1, limit: 3 });
  });

  it("its decisions stand in one trail, with numbers that come once", async () => {
    const hosts = host();
    const { hosting } = await machine.pair(hosts);
    hosting.oversight.hold("out", BY);
    await hosting.say({ text: "one" });
    await letGo(hosts);
    await hosting.say({ text: "two" });
    const { process, back } = await next(hosts, hosting);
    await letGo(process);
    await back.say({ text: "three" });
    await letGo(process);
    await until("all is decided", () => back.oversight.audit.open.size === 0);
    const audit = auditOf(back.oversight.audit);
    if (audit === undefined) throw new Error("there is none");
    expect(problemsOf(audit)).toEqual([]);
    expect(audit.records.map((one) => ("ask" in one ? [one.kind, one.ask] : [one.kind]))).toEqual([
      ["mode"],
      ["asked", 1],
      ["decided", 1],
      ["asked", 2],
      ["decided", 2],
      ["asked", 3],
      ["decided", 3],
    ]);
  });
});
