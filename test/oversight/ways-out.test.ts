import { noServices } from "../../src/services/tunnels/lazy-services.ts";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { Conversation } from "../../src/cli/chat/conversation/conversation.ts";
import type { Config } from "../../src/cli/settings.ts";
import { OutboundFilter, type OutboundText } from "../../src/oversight/filter/filter.ts";
import { OUTBOUND, type Outbound } from "../../src/oversight/filter/verdict.ts";
import type { Shareable } from "../../src/session/files/local-files.ts";
import { offerFile } from "../../src/session/files/requests.ts";
import type { TextScanner } from "../../src/session/saying/judging.ts";
import type { Session, Sessions } from "../../src/session/sessions.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { rejection } from "../support/rejection.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";
import { GIT_ENV, Repository } from "../support/files/temp-repository.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";
import { Choices, FORMS } from "./filter/corpus.ts";
import { must } from "../../src/errors/must.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { signOffView } from "../../src/view/signing/sign-off.ts";
import { signByHand } from "../../src/watch/sign-by-hand.ts";

/** Each way on which something leaves this machine for the others leads through the filter (H19). */

const SCRIPT = new URL("../../dist/scanning.cjs", import.meta.url);
const WATCH = { path: "watch" } as const;
const filter = new OutboundFilter(systemClock, SCRIPT);
const SECRET = FORMS.find(({ name }) => name === "GitHub classic")?.make(new Choices("ways out")) ?? "";
const folder = temporaryFolders();
const all: Sessions[] = [];
/** The places that the rows of these tests have led through. */
const covered = new Set<Outbound>();

afterEach(async () => {
  await Promise.all(all.splice(0).map((one) => one.shutDown()));
});
afterAll(() => filter.close());

/** The real filter, and what it was given. */
function watched() {
  const seen: OutboundText[] = [];
  const scanner: TextScanner = {
    scanTexts(texts, before) {
      seen.push(...texts);
      return filter.scanTexts(texts, before);
    },
    openContent: (where, size) => filter.openContent(where, size),
  };
  return { scanner, seen };
}

function side(config: Partial<Config> = {}, cwd = folder(), scanner: TextScanner = filter): Sessions {
  const sessions = sessionsOn(systemClock, config, {}, { cwd, env: GIT_ENV, scanner });
  all.push(sessions);
  return sessions;
}

async function scene(config: Partial<Config> = {}, cwd = folder()) {
  const [ana, ben] = [side(config, cwd), side()];
  const { hosting, invites } = await ana.host(hostRequest());
  const guest = await ben.join(joinRequest(invites[0]?.joinLink));
  return { ana, ben, hosting, guest, cwd };
}

type Scene = Awaited<ReturnType<typeof scene>>;

const until = (what: string, test: () => boolean) =>
  expect.poll(test, { message: what, timeout: 8_000 }).toBe(true);

/** A chat in which a program or a person is the author. */
function chat({ ana, hosting }: Scene, author: "human" | undefined): Conversation {
  const { localFiles } = ana;
  const checkedText = (text: string) => ({ text, removed: 0 });
  return new Conversation({
    tunnel: hosting,
    clock: systemClock,
    checkedText,
    localFiles,
    services: noServices(),
    author,
    show: () => undefined,
  });
}

function offered(tunnel: Session, content: Promise<Shareable>, note?: string): Promise<unknown> {
  return offerFile(tunnel, { note, to: undefined, content: () => content });
}

const read = { signal: new AbortController().signal, onProgress: () => undefined };

function put(cwd: string, name: string, text: string): string {
  writeFileSync(path.join(cwd, name), text);
  return name;
}

function repository(cwd: string, before: string, after: string): string {
  const made = new Repository(cwd);
  made.put("a.txt", before);
  made.git("add", "--all");
  made.git("commit", "--quiet", "-m", "first");
  made.put("a.txt", after);
  return cwd;
}

/** A folder of this name, which is given to the patches that are made in it. */
function folderNamed(name: string): string {
  const made = path.join(folder(), name);
  mkdirSync(made);
  return made;
}

interface Way {
  readonly way: string;
  readonly where: Outbound;
  readonly config?: Partial<Config>;
  readonly cwd?: () => string;
  readonly act: (scene: Scene) => Promise<unknown>;
}

const HELD: readonly Way[] = [
  { way: "a message", where: "message", act: ({ hosting }) => hosting.say({ text: `x ${SECRET}` }) },
  {
    way: "a sealed message",
    where: "message",
    act: ({ hosting, guest }) => hosting.say({ text: SECRET, to: [guest.self] }),
  },
  {
    way: "a proposed outcome",
    where: "message",
    act: ({ hosting }) => hosting.signing.propose(`done, with ${SECRET}`, undefined),
  },
  {
    way: "a person's reason not to sign an outcome",
    where: "message",
    act: async ({ hosting, guest }) => {
      await guest.signing.propose("done", undefined);
      await until("it has come", () => hosting.signing.isOpen);
      const view = must(signOffView(hosting), "a proposal");
      const said = { verdict: "not-done", reason: `${SECRET} is in it` } as const;
      return hosting.signing.state({ ...signByHand(nodePrimitives, view, said), ...said }, { path: "watch" });
    },
  },
  {
    way: "a person's words",
    where: "message",
    act: ({ hosting }) => hosting.say({ text: SECRET, author: "human" }),
  },
  {
    way: "a line of a chat for programs",
    where: "message",
    act: (made) => chat(made, undefined).say({ text: SECRET }),
  },
  {
    way: "a line that a person types in a chat",
    where: "message",
    act: (made) => chat(made, "human").say({ text: SECRET }),
  },
  {
    way: "a text that a person has put in place of another",
    where: "message",
    config: { gates: ["hold-out"] },
    async act({ ana, hosting }) {
      await hosting.say({ text: "plain" });
      const [ask] = ana.overseer.asks.waiting;
      if (ask === undefined) throw new Error("nothing is held");
      ana.overseer.asks.decide(ask.id, ask.digest, { verdict: "edit", text: SECRET }, WATCH);
    },
  },
  {
    way: "a name of a file",
    where: "file-name",
    act: ({ ana, hosting, cwd }) =>
      offered(hosting, ana.localFiles.share(put(cwd, `${SECRET}.txt`, "x"), read)),
  },
  {
    way: "a note",
    where: "note",
    act: ({ ana, hosting, cwd }) =>
      offered(hosting, ana.localFiles.share(put(cwd, "a.txt", "x"), read), `see ${SECRET}`),
  },
  {
    way: "a file",
    where: "file",
    act: ({ ana, hosting, cwd }) => offered(hosting, ana.localFiles.share(put(cwd, "a.txt", SECRET), read)),
  },
  {
    way: "a file that a person shares in a chat",
    where: "file",
    act: (made) => chat(made, "human").transfers.share({ path: put(made.cwd, "a.txt", SECRET) }),
  },
  {
    way: "a text that was pasted as a file",
    where: "file",
    act: (made) => chat(made, "human").transfers.shareText("pasted.txt", `a\n${SECRET}`),
  },
  {
    way: "a patch that adds it",
    where: "patch",
    cwd: () => repository(folder(), "one\n", `one\n${SECRET}\n`),
    act: ({ ana, hosting }) => offered(hosting, ana.localFiles.patch(undefined, read.signal)),
  },
  {
    way: "a patch that takes it out",
    where: "patch",
    cwd: () => repository(folder(), `one\n${SECRET}\n`, "one\n"),
    act: ({ ana, hosting }) => offered(hosting, ana.localFiles.patch(undefined, read.signal)),
  },
  {
    way: "the lines around a change",
    where: "patch",
    cwd: () => repository(folder(), `a\nb\n${SECRET}\nc\n`, `a\nb\n${SECRET}\nd\n`),
    act: ({ ana, hosting }) => offered(hosting, ana.localFiles.patch(undefined, read.signal)),
  },
  {
    way: "the name of a patch",
    where: "file-name",
    cwd: () => repository(folderNamed(SECRET), "a\n", "b\n"),
    act: ({ ana, hosting }) => offered(hosting, ana.localFiles.patch(undefined, read.signal)),
  },
];

describe("a secret waits for a person on its way out in", () => {
  it.each(HELD)("$way", async ({ where, config, cwd, act }) => {
    const made = await scene(config, cwd?.());
    const { ana, guest } = made;
    const isAsked = () => ana.overseer.asks.waiting.some(({ gates }) => gates.includes("secret"));
    await act(made);
    await until("a person is asked", isAsked);
    const ask = ana.overseer.asks.waiting.find(({ gates }) => gates.includes("secret"));
    expect(ask?.subject).toMatchObject({ findings: [{ where }] });
    covered.add(where);
    expect(JSON.stringify(ask)).not.toContain(SECRET);
    expect([...guest.inbox.said()].filter(({ own }) => !own)).toEqual([]);
    expect(guest.files.offered).toEqual([]);
  });

  it("whatever a guest says", async () => {
    const { ben, guest, hosting } = await scene();
    expect(await guest.say({ text: SECRET })).toMatchObject({ why: { gates: ["secret"] } });
    const name = put(ben.localFiles.cwd, "a.txt", SECRET);
    expect(await offered(guest, ben.localFiles.share(name, read))).toMatchObject({
      sent: { status: "held" },
    });
    expect(ben.overseer.asks.waiting).toHaveLength(2);
    expect(hosting.files.offered).toEqual([]);
  });
});

describe("a secret stays here, since nobody can be asked yet, in", () => {
  it("the goal", async () => {
    const found = await rejection(side().host(hostRequest(`use ${SECRET}`)));
    expect(found).toMatchObject({ code: "secret-found" });
    expect(String(found)).not.toContain(SECRET);
    covered.add("goal");
  });

  it("the name of a host or a guest, asked for or set", async () => {
    const { invites } = await side().host(hostRequest());
    const link = invites[0]?.joinLink;
    for (const work of [
      side().host({ ...hostRequest(), name: SECRET }),
      side({ name: SECRET }).host({ ...hostRequest(), name: undefined }),
      side().join({ ...joinRequest(link), name: SECRET }),
      side({ name: SECRET }).join({ ...joinRequest(link), name: undefined }),
    ])
      expect(await rejection(work)).toMatchObject({ code: "secret-found" });
    covered.add("member-name");
  });

  it("the work context, which is left out", async () => {
    const cwd = repository(folder(), "a\n", "b\n");
    const { scanner, seen } = watched();
    const { hosting } = await side({ context: true }, cwd, scanner).host(hostRequest());
    expect(hosting.presence()[0]?.workContext).toMatchObject({ repository: { branch: "main" } });
    new Repository(cwd).git("checkout", "--quiet", "-b", SECRET);
    const other = await side({ context: true }, cwd, scanner).host(hostRequest());
    expect(other.hosting.presence()[0]?.workContext).toBeUndefined();
    expect(seen.filter(({ where }) => where === "work-context")).toHaveLength(2);
    covered.add("work-context");
  });
});

/** Places of the code at which something is given to the room, or made for it, and how often each stands there. */
const WAYS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  // The two machines and what is in them: called by the sessions alone.
  // Their `restore` brings back what an earlier process had searched.
  "protocol/guest/guest.ts": { ".say(": 1, ".overseen(": 1, "new Guest(": 1 },
  "protocol/host/room.ts": { "new Room(": 1 },
  "session/host-session.ts": { ".say(": 1, "new Room(": 1 },
  "session/guest-session.ts": { ".say(": 1, "new Guest(": 1 },
  // The one way out: `say` judges, and its `send` posts. What was held in an earlier process is judged again, and what was offered is kept on
  // this disk. A service that ended with an earlier process is withdrawn by its id alone.
  "session/session.ts": { ".say(": 4, ".post(": 1, ".overseen(": 1, "encodeOffer(": 1 },
  // An outcome and a person's answer to one: they call `say` of the session.
  "session/signing-off.ts": { ".say(": 2 },
  "session/files/files.ts": { "encodeOffer(": 1 },
  // The goal, the names and the work context, after they were searched.
  "session/sessions.ts": { "HostSession.open(": 1, "GuestSession.join(": 1, "makeWorkContext(": 1 },
  // These call `say` of a session.
  "watch/obey.ts": { ".say(": 1 },
  "services/owner/owner.ts": { ".say(": 1 },
  "mcp/tools/say.ts": { ".say(": 1 },
  "mcp/tools/close.ts": { ".say(": 1 },
  "cli/chat/conversation/conversation.ts": { ".say(": 1 },
  // These call it of a conversation.
  "cli/chat/program.ts": { ".say(": 1 },
  "cli/chat/person.ts": { ".say(": 2 },
  "cli/chat/slash.ts": { ".say(": 1 },
};

const CALL =
  /(?<!#)(?:(?<=\w)\.(?:say|post|overseen)\(|\bencodeOffer\(|\bmakeWorkContext\(|\bnew (?:Room|Guest)\(|\b(?:HostSession\.open|GuestSession\.join)\()/g;

describe("the code", () => {
  const root = fileURLToPath(new URL("../../src/", import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ name: name.replaceAll("\\", "/"), text: readFileSync(path.join(root, name), "utf8") }));

  it("gives nothing to the room but at the places above: a new one needs a search before it, and a row here", () => {
    const found: Record<string, Record<string, number>> = {};
    for (const { name, text } of files) {
      const lines = text.split("\n").filter((line) => !/^\s*(?:\*|\/[*/]|export function)/.test(line));
      for (const [call] of lines.join("\n").matchAll(CALL)) {
        found[name] ??= {};
        const of = found[name];
        of[call] = (of[call] ?? 0) + 1;
      }
    }
    expect(found).toEqual(WAYS);
  });

  it("searches every kind of place that the filter knows, and each has a test above", () => {
    // Labels of services, and what their MCP servers answer, are searched by those who offer services (test/services).
    const known = OUTBOUND.filter((where) => where !== "service-label" && where !== "tool-result");
    const searched = files
      .filter(({ name }) => !name.startsWith("oversight/"))
      .flatMap(({ text }) => known.filter((where) => text.includes(`"${where}"`)));
    expect([...new Set(searched)].toSorted()).toEqual(known.toSorted());
    expect([...covered].toSorted()).toEqual(known.toSorted());
  });
});
