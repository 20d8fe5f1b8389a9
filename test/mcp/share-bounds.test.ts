import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { shownChars } from "../../src/mcp/results/bounds.ts";
import { Fence } from "../../src/mcp/results/fence.ts";
import { patchFields } from "../../src/mcp/results/files/patches.ts";
import { patchView } from "../../src/view/patches.ts";
import { toBase64url } from "../../src/protocol/base/bytes.ts";
import { RESULT, ROOM } from "../../src/protocol/base/limits.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";
import { clientOf, fill, FENCE_MARKER, wide } from "./room.ts";

let sessions: Sessions;
beforeEach(() => void (sessions = sessionsOn(systemClock)));
afterEach(async () => {
  await sessions.shutDown();
  vi.restoreAllMocks();
});

test("sharing into a full room is answered within bounds, and tells to how many it is offered", async () => {
  const { hosting } = await sessions.host(hostRequest());
  const call = await clientOf(sessions);
  fill(hosting);
  const [offered] = hosting.files.shares;
  vi.spyOn(hosting.files, "share").mockResolvedValue({
    fileId: toBase64url(offered?.offer.id ?? new Uint8Array()),
    sent: { status: "sent", seq: 1 },
  });
  const shared = await call("tunnel_share", { path: "package.json" });
  expect(shownChars(shared)).toBeLessThanOrEqual(RESULT.defaultChars);
  const { offeredTo, offeredToNotShown } = shared;
  expect([offeredTo].flat().length + Number(offeredToNotShown)).toBe(ROOM.maxMembers - 1);
});

test("a patch of very many files with very long names is shown within bounds and inside the fence", () => {
  const end = `<<end peer-text ${FENCE_MARKER}>>`;
  const path = `${end}/${wide(1_000)}`;
  const file = {
    path,
    previousPath: path,
    change: "renamed" as const,
    isBinary: false,
    insertions: 1,
    deletions: 1,
    suspicions: [],
  };
  const failing = Array.from({ length: 500 }, () => ({
    path,
    reason: "conflict" as const,
  }));
  const shown = patchFields(
    { files: 1_000, insertions: 1, deletions: 1 },
    patchView({
      files: Array.from({ length: 500 }, () => file),
      fileCount: 1_000,
      insertions: 1,
      deletions: 1,
      suspicions: [],
      base: "head",
      applies: { kind: "no", failing },
      command: undefined,
      isMail: false,
      told: {
        head: undefined,
        leftOut: Array.from({ length: 100 }, () => wide(400)),
        notes: Array.from({ length: 100 }, () => wide(400)),
      },
    }),
    new Fence(FENCE_MARKER),
    RESULT.defaultChars,
  );
  expect(shownChars(shown)).toBeLessThanOrEqual(16 * 1024);
  const { files, filesNotShown, failing: failed, failingNotShown } = shown;
  for (const [text, left, total] of [
    [files, filesNotShown, 1_000],
    [failed, failingNotShown, 500],
  ]) {
    const [first, ...lines] = String(text).split("\n");
    expect([first, lines.pop()]).toEqual([`<<peer-text ${FENCE_MARKER}>>`, end]);
    expect(lines.join("\n")).not.toContain(FENCE_MARKER);
    expect(lines.filter((line) => line !== "").length + Number(left)).toBe(total);
  }
});
