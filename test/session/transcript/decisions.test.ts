import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/runtime/clock.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import type { Sessions } from "../../../src/session/sessions.ts";
import {
  parseTranscript,
  toJson,
  type TranscriptDocument,
} from "../../../src/session/transcript/document.ts";
import { exportTranscript } from "../../../src/session/transcript/export.ts";
import { toMarkdown } from "../../../src/session/transcript/markdown.ts";
import { verifyTranscript } from "../../../src/session/transcript/verify.ts";
import { hostRequest, joinRequest, sessionsOn } from "../support.ts";

const WATCH = { path: "watch" } as const;
const SECRET = "the words that were shown";
const all: Sessions[] = [];

afterEach(async () => {
  await Promise.all(all.splice(0).map((one) => one.shutDown()));
});

/** A transcript of one whose person approved a message, refused one with a reason, and paused. */
async function transcript(): Promise<TranscriptDocument> {
  const [ana, ben] = [sessionsOn(systemClock, { gates: ["hold-out"] }), sessionsOn(systemClock)];
  all.push(ana, ben);
  const { hosting, invites } = await ana.host(hostRequest());
  await ben.join(joinRequest(invites[0]?.joinLink));
  for (const verdict of ["approve", "refuse"] as const) {
    await hosting.say({ text: `${SECRET} ${verdict}` });
    const [ask] = ana.overseer.asks.waiting;
    if (ask === undefined) throw new Error("nothing waits");
    ana.overseer.asks.decide(ask.id, ask.digest, { verdict }, WATCH);
  }
  hosting.oversight.pause(WATCH);
  hosting.oversight.resume(WATCH);
  return exportTranscript(nodePrimitives, hosting, { now: Date.now() });
}

const problemsOf = (document: TranscriptDocument) => verifyTranscript(nodePrimitives, document).problems;

describe("[J6] a transcript (H18)", () => {
  it("has what a person was asked and decided, by digest and path, and is verified with it", async () => {
    const document = parseTranscript(toJson(await transcript()));
    const verdict = verifyTranscript(nodePrimitives, document);
    expect(verdict).toMatchObject({ ok: true, problems: [] });
    const { records = [] } = document.audit ?? {};
    expect(
      records.map((one) => (one.kind === "decided" ? [one.ask, one.outcome, one.by] : one.kind)),
    ).toEqual(["asked", [1, "approved", "watch"], "asked", [2, "refused", "watch"], "mode", "mode"]);
    expect(JSON.stringify(document.audit)).not.toContain(SECRET);
    const text = toMarkdown(document);
    expect(text).toContain("2 was refused in tunnel-mcp watch");
    expect(text).toContain("the human paused it in tunnel-mcp watch");
  });

  it("is found out when a decision was altered, taken out or put in", async () => {
    const document = await transcript();
    const { audit } = document;
    if (audit === undefined) throw new Error("no audit");
    const { records } = audit;
    const altered = (change: (typeof records)[number][]): TranscriptDocument => ({
      ...document,
      audit: { ...audit, records: change },
    });
    const isExported = (one: TranscriptDocument) => verifyTranscript(nodePrimitives, one).isAsExported;
    expect(isExported(altered(records.slice(1)))).toBe(false);
    expect(isExported({ ...document, audit: undefined })).toBe(false);
    expect(problemsOf(altered(records.slice(1)))).toEqual(["something was decided that nobody had asked"]);
    expect(
      problemsOf(
        altered(
          records.map((one) =>
            "digest" in one && one.kind === "decided" ? { ...one, digest: "0".repeat(64) } : one,
          ),
        ),
      ),
    ).toEqual(["something else was decided than was asked"]);
    expect(problemsOf(altered([...records, ...records.slice(1, 2)]))).toContain(
      "something was decided twice",
    );
    expect(problemsOf(altered([...records].reverse())).length).toBeGreaterThan(0);
  });

  it("without a decision has nothing of it", async () => {
    const sessions = sessionsOn(systemClock);
    all.push(sessions);
    const { hosting } = await sessions.host(hostRequest());
    const document = exportTranscript(nodePrimitives, hosting, { now: Date.now() });
    expect(Object.keys(document)).not.toContain("audit");
    expect(toMarkdown(document)).not.toContain("human decided");
  });
});
