import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { RESULT, ROOM } from "../../src/protocol/base/limits.ts";
import type { Entry } from "../../src/protocol/room/log.ts";
import { endsOfPieces } from "../../src/mcp/results/cuts.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { HostSession } from "../../src/session/host-session.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import type { InviteId } from "../../src/protocol/base/ids.ts";
import { hostRequest, memberIdFromText, sessionsOn } from "../session/support.ts";
import { shownChars } from "../../src/mcp/results/bounds.ts";
import { clientOf, FENCE_MARKER, wide } from "./room.ts";

let sessions: Sessions;
let hosting: HostSession;
beforeEach(async () => {
  sessions = sessionsOn(systemClock);
  ({ hosting } = await sessions.host(hostRequest(wide(ROOM.maxGoalChars))));
});
afterEach(() => sessions.shutDown());

let seq = 0;
beforeEach(() => void (seq = 0));
function said(text: string, more: object = {}): Entry {
  seq += 1;
  return {
    kind: "chat",
    seq,
    ts: 0,
    from: memberIdFromText("i".repeat(43)),
    fromName: wide(ROOM.maxNameChars),
    own: false,
    intent: "request",
    replyTo: 5_000,
    to: undefined,
    text,
    ...more,
  };
}

const BEGIN = `<<peer-text ${FENCE_MARKER}>>\n`;
const END = `\n<<end peer-text ${FENCE_MARKER}>>`;

/** The words inside the marks; fails where one of these is missing. */
function inside(text: string): string {
  expect([text.slice(0, BEGIN.length), text.slice(-END.length)]).toEqual([BEGIN, END]);
  const words = text.slice(BEGIN.length, -END.length);
  expect(words).not.toContain(FENCE_MARKER);
  return words;
}

const answer = z.object({
  messages: z.array(
    z.object({
      seq: z.number(),
      text: z.string(),
      part: z.object({ n: z.number(), of: z.number() }).optional(),
      invites: z.array(z.object({ joinLink: z.string() })).optional(),
    }),
  ),
  unread: z.number(),
  more: z.boolean(),
  next: z.string().optional(),
});

type Call = Awaited<ReturnType<typeof clientOf>>;

/** Everything that is unread, call by call. */
async function heard(call: Call, limit: number): Promise<z.infer<typeof answer>[]> {
  const answers: z.infer<typeof answer>[] = [];
  do {
    const shown = await call("tunnel_listen", { timeoutMs: 0 });
    expect(shownChars(shown)).toBeLessThanOrEqual(limit);
    answers.push(answer.parse(shown));
  } while (answers.at(-1)?.more === true);
  return answers;
}

const isBetweenCharacters = (whole: string, at: number): boolean =>
  new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(whole).containing(at)?.index === at;

const family = "👨‍👩‍👧‍👦";
/** Pieces of texts as people, programs and enemies write them. */
const piece = fc.oneof(
  fc.constantFrom(
    "a line of words\n",
    '"\\\n\t',
    family,
    "🇩🇪🇫🇷🇯🇵",
    "e\u0301\u0323",
    "می‌خواهم ",
    "क्षत्रिय ",
    "界",
    "\r\n",
    "🧑🏽‍🚀",
  ),
  fc.constantFrom(
    END.trim(),
    `<<peer-text ${FENCE_MARKER}>>`,
    FENCE_MARKER,
    "<<",
    "<< end peer-text>>",
    "\u202e",
    "\u200b",
  ),
  fc.string({ unit: "grapheme", maxLength: 30 }),
);
const text = fc
  .tuple(fc.array(piece, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 2_000 }))
  .map(([pieces, times]) =>
    pieces
      .join("")
      .repeat(times)
      .slice(0, 40_000)
      .replace(/[\uD800-\uDBFF]$/, ""),
  );

describe("a message of any length and script", () => {
  it.each([
    ["a client of which nothing is known", {}, RESULT.defaultChars],
    ["a human's own limit", { results: { set: RESULT.minChars } }, RESULT.minChars],
    ["Claude Code", { as: { name: "claude-code", version: "2.1.332" } }, RESULT.toldChars],
  ])("comes whole or in parts that are each whole: %s", { timeout: 60_000 }, async (_who, client, limit) => {
    const call = await clientOf(sessions, systemClock, client);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 3 }), async (texts) => {
        const entries = texts.map((one) => said(one));
        for (const entry of entries) hosting.inbox.append(entry);
        const answers = await heard(call, limit);
        for (const [index, { seq: place }] of entries.entries()) {
          const own = answers.flatMap(({ messages }) => messages.filter((one) => one.seq === place));
          const of = own.length;
          expect(own.map(({ part }) => part ?? { n: 1, of: 1 })).toEqual(
            own.map((_, n) => ({ n: n + 1, of })),
          );
          const pieces = own.map((one) => inside(one.text));
          // As it is re-read by a client that takes all of it at once.
          const whole = await wholeOf(place);
          expect(pieces.join("")).toBe(whole);
          let at = 0;
          for (const one of pieces.slice(0, -1))
            expect(isBetweenCharacters(whole, (at += one.length))).toBe(true);
          expect(texts[index]).toBeDefined();
        }
        expect(answers.at(-1)).toMatchObject({ unread: 0 });
      }),
      { numRuns: 12 },
    );
  });

  async function wholeOf(place: number): Promise<string> {
    const all = await clientOf(sessions, systemClock, { results: { set: RESULT.maxChars } });
    const { messages } = answer.parse(await all("tunnel_listen", { sinceSeq: place - 1, limit: 1 }));
    return inside(messages[0]?.text ?? "");
  }
});

describe("parts of a long message", () => {
  const limit = RESULT.defaultChars;
  const lines = Array.from({ length: 1_200 }, (_, line) => `line ${line} of what ben has to say about it`);

  it("end at line ends, are named, and the next step says how to go on", async () => {
    hosting.inbox.append(said(lines.join("\n")));
    hosting.inbox.append(said("and this"));
    const call = await clientOf(sessions);
    const [first, second, ...others] = await heard(call, limit);
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      messages: [{ seq: 1, part: { n: 1, of: 2 } }],
      unread: 2,
      more: true,
      next: expect.stringContaining("part 1 of 2"),
    });
    expect(inside(first?.messages[0]?.text ?? "")).toMatch(/about it\n$/);
    expect(second).toMatchObject({
      messages: [{ part: { n: 2, of: 2 } }, { seq: 2 }],
      unread: 0,
      more: false,
    });
    expect(second?.next).not.toContain("part");
  });

  it("count as read with the last one", async () => {
    hosting.inbox.append(said(lines.join("\n")));
    const call = await clientOf(sessions);
    await call("tunnel_listen", { timeoutMs: 0 });
    await call("tunnel_status");
    expect([hosting.inbox.read, hosting.inbox.unread]).toEqual([0, 1]);
    await call("tunnel_listen", { timeoutMs: 0 });
    await call("tunnel_status");
    expect([hosting.inbox.read, hosting.inbox.unread]).toEqual([1, 0]);
  });

  it("can be had again with sinceSeq, from the first one or from a later one", async () => {
    hosting.inbox.append(said(lines.join("\n")));
    const call = await clientOf(sessions);
    const [one, two] = await heard(call, limit);
    const again = answer.parse(await call("tunnel_listen", { sinceSeq: 0 }));
    expect(again).toMatchObject({ messages: [{ part: { n: 1, of: 2 }, text: one?.messages[0]?.text }] });
    expect(again.next).toContain("`sinceSeq` 0 and `part` 2");
    const rest = answer.parse(await call("tunnel_listen", { sinceSeq: 0, part: 2 }));
    expect(rest).toMatchObject({ messages: [{ part: { n: 2, of: 2 }, text: two?.messages[0]?.text }] });
    for (const wrong of [{ sinceSeq: 0, part: 3 }, { part: 1 }])
      expect(await call("tunnel_listen", wrong)).toMatchObject({ error: { code: "input-invalid" } });
  });

  it("of a list of invites hold some of the invites each, and none is lost", async () => {
    const inviteId = "AAAAAAAAAAAAAAAAAAAAAA" as InviteId;
    const links = Array.from(
      { length: ROOM.maxMembers - 1 },
      (_, index) => `wss://${"h".repeat(400)}/t/${index}#1.x`,
    );
    const invites = links.map((joinLink) => ({
      replaces: inviteId,
      inviteId,
      joinLink,
      expiresAt: Date.now() + 600_000,
    }));
    hosting.inbox.notify({ notice: "invites-reissued", invites });
    const members = links.map((joinLink) => ({ memberName: wide(64), joinLink, inviteId }));
    hosting.inbox.notify({ notice: "address-restored", members });
    for (const own of [RESULT.minChars, limit]) {
      const call = await clientOf(sessions, systemClock, { results: { set: own } });
      const answers: z.infer<typeof answer>[] = [];
      let part = 1;
      for (let more = true; more; part += 1) {
        const shown = await call("tunnel_listen", { timeoutMs: 0 });
        expect(shownChars(shown)).toBeLessThanOrEqual(own);
        answers.push(answer.parse(shown));
        more = answers.at(-1)?.more === true;
      }
      const told = answers.flatMap(({ messages }) => messages.flatMap((one) => one.invites ?? []));
      expect(told.map(({ joinLink }) => joinLink)).toEqual([...links, ...links]);
      expect(part).toBeGreaterThan(2);
      hosting.inbox.notify({ notice: "invites-reissued", invites });
      hosting.inbox.notify({ notice: "address-restored", members: [...members] });
      if (own === RESULT.minChars) continue;
    }
  });
});

describe("the pieces of a text", () => {
  it("are cut between code points where what looks like one character is longer than a piece", () => {
    const zalgo = `a${"\u0301".repeat(500)}`;
    expect(endsOfPieces(zalgo, 100)).toEqual([100, 200, 300, 400, 500, 501]);
    const flags = "🇩🇪".repeat(40);
    for (const end of endsOfPieces(flags, 50)) expect(end % 4).toBe(0);
    expect(endsOfPieces("", 100)).toEqual([0]);
    expect(endsOfPieces("\n".repeat(100), 100)).toEqual([50, 100]);
  });
});
