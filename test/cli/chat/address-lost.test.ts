import { describe, expect, it } from "vitest";
import { jsonLines } from "../../../src/cli/chat/json/view.ts";
import type { ChatEvent } from "../../../src/cli/chat/conversation/events.ts";
import { PeopleView } from "../../../src/cli/chat/terminal/people-view.ts";
import { paintFor } from "../../../src/cli/io/output.ts";
import { TunnelError, type ErrorCode } from "../../../src/errors/tunnel-error.ts";
import { entryView } from "../../../src/view/entries.ts";
import { systemClock } from "../../../src/runtime/clock.ts";

function lost(code: ErrorCode): ChatEvent {
  const notice = {
    kind: "notice",
    seq: 0,
    ts: 0,
    notice: "address-lost",
    error: new TunnelError(code),
  } as const;
  return { type: "entry", entry: entryView(notice, 0) };
}

/** What a person reads of it. */
function shown(event: ChatEvent): string {
  const printed: string[] = [];
  const view = new PeopleView({
    clock: systemClock,
    paint: paintFor(false),
    columns: () => undefined,
    print: (text) => void printed.push(text),
    status: () => undefined,
  });
  view.show(event);
  return printed.join("\n");
}

describe("a person or a program whose tunnel has lost its address", () => {
  it("is told to wait where another try may be enough, and never to open the tunnel again", () => {
    for (const text of [shown(lost("cloudflared-exited")), ...jsonLines(lost("cloudflared-exited"))]) {
      expect(text).toContain("cloudflared ended unexpectedly");
      expect(text).toContain("Wait: a new address is tried again and again by itself");
      expect(text).not.toMatch(/Open the tunnel again|tunnel_/);
    }
  });

  it("is told what to mend first where no try can succeed before that", () => {
    for (const text of [shown(lost("cloudflared-missing")), ...jsonLines(lost("cloudflared-missing"))]) {
      expect(text).toContain("Mend what is named");
      expect(text).not.toMatch(/your human|tunnel_/);
    }
  });
});
