import { expect, test } from "vitest";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { inviteIdFrom } from "../../src/protocol/base/ids.ts";
import type { ChatEntry, SystemEvent } from "../../src/protocol/room/log.ts";
import type { NoticeEntry } from "../../src/session/notices/notice.ts";
import { entryView } from "../../src/view/entries.ts";
import { offer } from "../mcp/room.ts";
import { memberIdFromText } from "../session/support.ts";

const NOW = Date.UTC(2026, 10, 21, 10);
const ben = memberIdFromText("ben-id");
const placed = { seq: 4, ts: NOW - 9_000 };
const shownPlaced = { seq: 4, ts: "2026-11-21T09:59:51.000Z" };

const said: ChatEntry = {
  kind: "chat",
  ...placed,
  from: ben,
  fromName: "Ben",
  own: false,
  intent: "inform",
  replyTo: 3,
  to: ["Ana"],
  text: "50",
};
const shownSaid = {
  ...shownPlaced,
  from: ben,
  fromName: "Ben",
  intent: "inform",
  replyTo: 3,
  to: ["Ana"],
  beforeYou: undefined,
};

test("words are shown as they were said, with their place in the room", () => {
  expect(entryView(said, NOW)).toEqual({ kind: "chat", ...shownSaid, text: "50" });
  expect(entryView({ ...said, past: true }, NOW)).toMatchObject({ beforeYou: true });
});

test("an offer is a file and a note; its key is shown nowhere", () => {
  const { text: _text, ...entry } = said;
  const view = entryView({ ...entry, kind: "file", offer: { ...offer(1), name: "a.csv" } }, NOW);
  expect(view).toMatchObject({
    kind: "file",
    ...shownSaid,
    file: { name: "a.csv", size: 2 ** 40, sha256: "0".repeat(64) },
  });
  expect(JSON.stringify(view)).not.toContain("key");
});

test.each<[string, SystemEvent, object]>([
  [
    "who joined, and where they work",
    { event: "joined", member: ben, name: "Ben", workContext: { client: { name: "c", version: "1" } } },
    { event: "joined", member: ben, memberName: "Ben", workContext: { client: "c 1" } },
  ],
  [
    "who left, and why",
    { event: "left", member: ben, name: "Ben", cause: "lost" },
    { event: "left", member: ben, memberName: "Ben", cause: "lost" },
  ],
  [
    "that it ends soon",
    { event: "idle-warning", endsInMs: 300_400 },
    { event: "idle-warning", endsInSec: 300 },
  ],
  [
    "that the host is back",
    { event: "returned", member: ben, name: "Ben" },
    { event: "returned", member: ben, memberName: "Ben" },
  ],
  ["why it ended", { event: "ended", cause: "idle" }, { event: "ended", cause: "idle" }],
])("a change of the room tells %s", (_what, event, shown) => {
  expect(entryView({ kind: "system", ...placed, ...event }, NOW)).toMatchObject({
    kind: "system",
    ...shownPlaced,
    event: shown,
  });
});

test("of the invites in a notice only those are shown that still work", () => {
  const [dead, fresh] = [inviteIdFrom(new Uint8Array(16)), inviteIdFrom(new Uint8Array(16).fill(1))];
  const invites = [
    { replaces: dead, inviteId: dead, joinLink: "wss://gone", expiresAt: NOW },
    { replaces: dead, inviteId: fresh, joinLink: "wss://here", expiresAt: NOW + 60_000 },
  ];
  const entry: NoticeEntry = { kind: "notice", ...placed, notice: "invites-reissued", invites };
  expect(entryView(entry, NOW)).toMatchObject({
    kind: "notice",
    ...shownPlaced,
    event: {
      notice: "invites-reissued",
      invites: [{ replaces: dead, inviteId: fresh, joinLink: "wss://here", expiresInSec: 60 }],
    },
  });
  expect(JSON.stringify(entryView(entry, NOW))).not.toContain("wss://gone");
});

test("a file that could not be received has its error and the path that it was to have", () => {
  const error = new TunnelError("file-corrupt");
  const file = { fileId: "f", name: "a.csv", target: "out/a.csv", size: 3 };
  const entry: NoticeEntry = { kind: "notice", ...placed, notice: "file-failed", file, error };
  expect(entryView(entry, NOW)).toEqual({
    kind: "notice",
    ...shownPlaced,
    event: {
      notice: "file-failed",
      file: { fileId: "f", name: "a.csv", savePath: "out/a.csv", size: 3 },
      error: {
        code: "file-corrupt",
        message: error.message,
        next: error.next,
        retryable: error.retryable,
      },
    },
  });
});
