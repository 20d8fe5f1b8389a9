import { expect, test } from "vitest";
import type { WorkContext } from "../../src/protocol/room/work-context.ts";
import { memberView, sameCodeView } from "../../src/view/members.ts";
import { presence } from "../mcp/room.ts";

const HEAD = "0123456789abcdef0123456789abcdef01234567";
const SHOP: WorkContext = { repository: { name: "shop", branch: "main", head: HEAD, dirty: false } };
const of = (repository: Partial<NonNullable<WorkContext["repository"]>>): WorkContext => ({
  repository: { name: "shop", dirty: false, ...repository },
});

test("a work context is shown shortly, and only what it holds", () => {
  const client = { name: "claude-code", version: "2.1.0" };
  const workContext = { workContext: { ...SHOP, client } };
  const shown = (more: object): unknown => JSON.parse(JSON.stringify(memberView(presence(1, more))));
  expect(shown(workContext)).toMatchObject({
    workContext: {
      repository: "shop",
      branch: "main",
      head: HEAD.slice(0, 12),
      dirty: false,
      client: "claude-code 2.1.0",
    },
  });
  expect(shown({ workContext: { client } })).toHaveProperty("workContext", { client: "claude-code 2.1.0" });
  expect(shown({ workContext: undefined })).not.toHaveProperty("workContext");
});

test.each([
  [undefined, undefined],
  [60_000, undefined],
  [-60_000, undefined],
  [60_500, 61],
  [-7_200_400, -7_200],
])("a clock that differs by %s ms is shown where that is more than a minute", (clockSkewMs, shown) => {
  expect(memberView(presence(1, { clockSkewMs })).clockSkewSec).toBe(shown);
});

test.each<[string, WorkContext | undefined, WorkContext | undefined, unknown]>([
  ["the same", SHOP, SHOP, { repository: true, head: true, dirtyHere: false, dirtyAtHost: false }],
  [
    "another commit, and changes at the host",
    SHOP,
    of({ head: "f".repeat(40), dirty: true }),
    { repository: true, head: false, dirtyHere: false, dirtyAtHost: true },
  ],
  [
    "a commit that two names lead to",
    SHOP,
    of({ name: "fork", head: HEAD }),
    { repository: false, head: true, dirtyHere: false, dirtyAtHost: false },
  ],
  [
    "a repository without a commit",
    of({ dirty: true }),
    SHOP,
    { repository: true, head: undefined, dirtyHere: true, dirtyAtHost: false },
  ],
  ["a host that tells nothing", SHOP, undefined, undefined],
  ["a side that is in no repository", { client: { name: "c", version: "1" } }, SHOP, undefined],
])("whether both look at the same code: %s", (_what, own, host, same) => {
  expect(sameCodeView(own, host)).toEqual(same);
});
