import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { processTable } from "../../../src/children/identity.ts";
import type { ResumeRequest } from "../../../src/cli/chat/chat.ts";
import { kept } from "../../../src/cli/chat/kept.ts";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { nodePrimitives as primitives } from "../../../src/runtime/primitives.ts";
import { compacted } from "../../../src/session/keeping/compaction.ts";
import { keptTunnels } from "../../../src/session/resumable.ts";
import type { Sessions } from "../../../src/session/sessions.ts";
import { nodeDisk } from "../../../src/session/stays/node-disk.ts";
import { Stays } from "../../../src/session/stays/stays.ts";
import { until } from "../../support/processes.ts";
import { rejectedWith } from "../../support/rejection.ts";
import { joinRequest, sessionsOn } from "../../session/support.ts";
import { recorder } from "../support.ts";
import { endSides, startSide, type Side } from "./support.ts";

/** A person's chat ends by itself, or by its person, and goes on in another one. */

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "kept-"));
});
afterEach(async () => {
  await endSides();
  rmSync(root, { recursive: true, force: true });
});

const stays = (folder = path.join(root, "here")): Stays =>
  new Stays({
    disk: nodeDisk,
    folders: [folder],
    platform: process.platform,
    clock,
    table: processTable(process.platform, {}),
    primitives,
    keepMs: 600_000,
    compact: (changes, now) => compacted(primitives, changes, now),
    onFailure: (_, error) => expect.fail(error.message),
  });

const sessions = (folder?: string): Sessions =>
  sessionsOn(clock, { keepMinutes: 10 }, {}, { stays: stays(folder) });

const OPEN = {
  kind: "open",
  goal: "align",
  name: "ana",
  invites: 1,
  transport: undefined,
  history: false,
  json: false,
} as const;
const RESUME: ResumeRequest = { kind: "resume", tunnelId: undefined, json: false };

async function opened(): Promise<Side> {
  const side = startSide(OPEN, { clock, sessions: sessions() });
  await side.seen(/^ana>/);
  return side;
}

const folders = (): string[] =>
  existsSync(path.join(root, "here", "stays")) ? readdirSync(path.join(root, "here", "stays")) : [];

describe("a person's chat", () => {
  it("is kept when its terminal is gone, and goes on in another one", async () => {
    const first = await opened();
    const [link] = first.sessions.open.flatMap((one) => (one.role === "host" ? one.invite(1) : []));
    const guests = sessionsOn(clock);
    const guest = await guests.join(joinRequest(link?.joinLink ?? ""));
    await first.seen(/has joined/);
    first.terminal.type("said before\r");
    await first.seen(/said before/);
    await until("it has come", () => guest.inbox.unread > 0);
    await guest.say({ text: "and answered" });
    await first.seen(/and answered/);
    first.end();
    expect(await first.code).toBe(1);
    expect(folders()).toHaveLength(1);
    await guest.say({ text: "meanwhile" }).catch(() => undefined);

    const next = startSide(RESUME, { clock, sessions: sessions() });
    await next.seen(/^You are back in the tunnel as ana\.$/);
    await next.seen(/^What you had seen last:$/);
    await next.seen(/ana \(you\): said before$/);
    await next.seen(/meanwhile$/);
    expect(next.terminal.rows.filter((row) => row.endsWith("and answered"))).toHaveLength(1);
    next.terminal.type("/quit\r");
    await next.code;
    await until("nothing is left", () => folders().length === 0);
    await guests.shutDown();
  });

  it("leaves nothing when its person leaves", async () => {
    const side = await opened();
    side.terminal.type("\u0003");
    expect(await side.code).toBe(0);
    await until("nothing is left", () => folders().length === 0);
  });

  /** A host who is leaving, while a message of theirs waits for a guest whose program has ended. */
  async function waitingForSomebody(): Promise<Side> {
    const side = await opened();
    const [link] = side.sessions.open.flatMap((one) => (one.role === "host" ? one.invite(1) : []));
    const guests = sessions(path.join(root, "there"));
    await guests.join(joinRequest(link?.joinLink ?? ""));
    await side.seen(/has joined/);
    await guests.shutDown();
    await side.seen(/is not connected/);
    side.terminal.type("are you there?\r");
    await side.seen(/Not delivered yet/);
    for (const row of [/Ctrl-C again to end it/, /^Leaving/]) {
      side.terminal.type("\u0003");
      await side.seen(row);
    }
    return side;
  }

  it("leaves nothing when its person leaves at once, without waiting for somebody who is away", async () => {
    const side = await waitingForSomebody();
    side.terminal.type("\u0003");
    await until("it is over", () => side.exits.length > 0);
    expect([side.exits, folders()]).toEqual([[130], []]);
  });

  it("leaves nothing when its terminal goes while its person is leaving", async () => {
    const side = await waitingForSomebody();
    side.end();
    expect(await side.code).toBe(1);
    await until("nothing is left", () => folders().length === 0);
  });

  it("has nothing to go on with where nothing was left, and asks which where there are several", async () => {
    const nothing = startSide(RESUME, { clock, sessions: sessions() });
    expect(await nothing.code).toBe(1);
    expect(nothing.stderr()).toContain("(nothing-kept)");
    for (let count = 0; count < 2; count += 1) {
      const side = await opened();
      side.end();
      await side.code;
    }
    const several = startSide(RESUME, { clock, sessions: sessions() });
    expect(await several.code).toBe(1);
    expect(several.stderr()).toContain("(stays-ambiguous)");
    for (const id of folders()) expect(several.stderr()).toContain(id);
    const chosen = startSide({ ...RESUME, tunnelId: folders()[1] }, { clock, sessions: sessions() });
    await chosen.seen(/^You are back in the tunnel as ana\.$/);
    chosen.terminal.type("/quit\r");
    expect(await chosen.code).toBe(0);
  });
});

describe("the list of kept tunnels", () => {
  const look = () => keptTunnels(stays(), { primitives, clock });
  const request = { kind: "kept", forget: false, tunnelId: undefined, json: false } as const;

  it("shows each with the ways to go on, and is told which ones go on", async () => {
    const side = await opened();
    side.end();
    await side.code;
    const [tunnelId = ""] = folders();
    const output = recorder();
    const forget = () => stays().forget();
    const options = { look: look(), forget, clock, output, columns: 80 };
    await kept({ ...options, request });
    expect(output.stdout()).toContain(`or you type tunnel-mcp resume ${tunnelId}`);
    expect(output.stdout()).toContain("you host it, with nobody yet");
    expect(await look()(new Set([tunnelId]))).toEqual([]);
    expect(await rejectedWith(kept({ ...options, request: { ...request, tunnelId: "none" } }))).toBe(
      "tunnel-unknown",
    );
    await kept({ ...options, request: { ...request, forget: true } });
    expect(output.stdout()).toContain("1 tunnel is forgotten: nothing of it is left on this disk.\n");
    expect(folders()).toEqual([]);
  });
});
