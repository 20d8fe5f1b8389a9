import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { shownChars } from "../../src/mcp/results/bounds.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { RESULT, ROOM, SESSION } from "../../src/protocol/base/limits.ts";
import type { Entry } from "../../src/protocol/room/log.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, memberIdFromText, sessionsOn } from "../session/support.ts";
import { clientOf, LONGEST_CONTEXT, offer, presence, wide } from "./room.ts";

let sessions: Sessions;
let hosting: HostSession;
beforeEach(async () => {
  sessions = sessionsOn(systemClock);
  ({ hosting } = await sessions.host(hostRequest(wide(ROOM.maxGoalChars))));
});
afterEach(() => sessions.shutDown());

const COUNT = SESSION.listenMaxCount;
const said = (seq: number) => ({
  seq,
  ts: 0,
  from: memberIdFromText("i".repeat(43)),
  fromName: wide(ROOM.maxNameChars),
  own: false,
  intent: "request" as const,
  replyTo: 5_000,
  to: undefined,
});
const chat = (seq: number, text: string, more: object = {}): Entry => ({
  kind: "chat",
  ...said(seq),
  text,
  ...more,
});
const everybody = Array.from({ length: ROOM.maxMembers - 1 }, (_, index) => presence(index).name);

const result = z.object({
  messages: z.array(z.unknown()),
  unread: z.number(),
  more: z.boolean(),
});

test.each<[string, (seq: number) => Entry]>([
  ["short ones", (seq) => chat(seq, "x")],
  ["longer ones", (seq) => chat(seq, "x".repeat(Math.floor(RESULT.defaultChars / COUNT)))],
  ["another script", (seq) => chat(seq, "界".repeat(1_000))],
  ["what takes more room as JSON", (seq) => chat(seq, '"\n'.repeat(1_000))],
  ["each to everybody by name", (seq) => chat(seq, "x", { to: everybody })],
  ["files", (seq) => ({ kind: "file", ...said(seq), offer: offer(seq) })],
  [
    "arrivals",
    (seq) => ({
      kind: "system",
      seq,
      ts: 0,
      event: "joined",
      member: memberIdFromText("i".repeat(43)),
      name: wide(ROOM.maxNameChars),
      workContext: LONGEST_CONTEXT,
    }),
  ],
])("what one call of tunnel_listen returns stays small, and nothing is lost: %s", async (_what, make) => {
  for (let seq = 1; seq <= COUNT; seq += 1) hosting.inbox.append(make(seq));
  const call = await clientOf(sessions);
  let heard = 0;
  for (let more = true; more;) {
    const answer = await call("tunnel_listen", {
      timeoutMs: 0,
      limit: COUNT,
    });
    expect(shownChars(answer)).toBeLessThanOrEqual(RESULT.defaultChars);
    const batch = result.parse(answer);
    ({ more } = batch);
    heard += batch.messages.length;
    expect(heard + batch.unread).toBe(COUNT);
  }
  expect(heard).toBe(COUNT);
});

test("what a call of tunnel_listen returns stays small also where it is all notices", async () => {
  const error = new TunnelError("file-hash-mismatch", {
    detail: "d".repeat(200),
  });
  for (let index = 0; index < COUNT; index += 1) {
    const file = {
      fileId: `${index}`,
      name: wide(60),
      target: `/${"p".repeat(1_000)}`,
      size: 1,
    };
    hosting.inbox.notify({ notice: "file-failed", file, error });
  }
  const answer = await (await clientOf(sessions))("tunnel_listen", { timeoutMs: 0, limit: COUNT });
  expect(shownChars(answer)).toBeLessThanOrEqual(RESULT.defaultChars);
  expect(result.parse(answer)).toMatchObject({ more: true });
});

test("one message that fills a result comes alone and whole, with little around it", async () => {
  hosting.inbox.append(chat(1, "x".repeat(35_900)));
  hosting.inbox.append(chat(2, "x"));
  const answer = await (await clientOf(sessions))("tunnel_listen", { timeoutMs: 0 });
  expect(result.parse(answer)).toMatchObject({ messages: [{}], unread: 1 });
  expect(shownChars(answer)).toBeLessThanOrEqual(35_900 + 2_048);
});
