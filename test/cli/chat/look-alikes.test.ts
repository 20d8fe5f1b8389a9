import { expect, it } from "vitest";
import { paintFor } from "../../../src/cli/io/output.ts";
import { whoLines } from "../../../src/cli/chat/terminal/overview.ts";
import { PeopleView } from "../../../src/cli/chat/terminal/people-view.ts";
import { memberIdFrom } from "../../../src/protocol/base/ids.ts";
import type { EntryView } from "../../../src/view/entries.ts";
import { memberView } from "../../../src/view/members.ts";
import { presence } from "../../mcp/room.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";

const id = memberIdFrom(new Uint8Array(8).fill(9));

it("[T5] a name that looks like another one stands beside its id, wherever a person reads it", () => {
  const shown: string[] = [];
  const view = new PeopleView({
    clock: new FakeClock(),
    paint: paintFor(false),
    columns: () => undefined,
    print: (text) => shown.push(text),
    status: () => undefined,
  });
  const at = { seq: 1, ts: "2026-01-01T00:00:00.000Z" };
  const entry = (lookAlike: true | undefined): EntryView => {
    const marks = { intent: undefined, replyTo: undefined, to: undefined, beforeYou: undefined };
    return { kind: "chat", ...at, from: id, fromName: "sam", lookAlike, ...marks, text: "hello" };
  };
  const left = { event: "left", member: id, memberName: "sam", lookAlike: true, cause: "left" } as const;
  const event = { type: "entry", shortId: undefined, safetyCode: undefined } as const;
  view.show({ ...event, entry: entry(undefined) });
  view.show({ ...event, entry: entry(true) });
  view.show({ ...event, entry: { kind: "system", ...at, beforeYou: undefined, event: left } });
  expect(shown.map((line) => line.replace(/^\d\d:\d\d /, ""))).toEqual([
    "sam: hello",
    `sam [${id}]: hello`,
    expect.stringContaining(`sam [${id}] `),
  ]);
  const line = (more: object): string => whoLines([memberView(presence(1, more))], 1).join();
  expect(line({})).not.toContain("looks like");
  expect(line({ lookAlike: true })).toContain("a name that looks like another one here");
});
