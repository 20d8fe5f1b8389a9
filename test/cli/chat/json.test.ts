import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { parseJsonCommand } from "../../../src/cli/chat/json/input.ts";
import { errorFields } from "../../../src/cli/chat/json/view.ts";
import { errorText } from "../../../src/cli/chat/terminal/wording.ts";
import { SLASH_COMMANDS } from "../../../src/cli/chat/slash.ts";
import { ERRORS, TunnelError, type ErrorCode } from "../../../src/errors/tunnel-error.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { endSides, joinRequest, openRequest, startSide, type Side } from "./support.ts";

const page = readFileSync(new URL("../../../docs/CLI.md", import.meta.url), "utf8");
const invitesSchema = z.array(z.looseObject({ joinLink: z.string(), inviteId: z.string() })).min(1);

afterEach(endSides);

async function twoPrograms(clock: Clock): Promise<{ ana: Side; ben: Side; link: string }> {
  const ana = startSide({ ...openRequest, json: true }, { clock });
  const [invite] = invitesSchema.parse((await ana.event("opened"))["invites"]);
  const link = invite?.joinLink ?? "";
  const ben = startSide({ ...joinRequest(undefined), json: true }, { clock });
  ben.write(link);
  await ben.event("joined");
  await ana.event("system", ({ what }) => what === "joined");
  return { ana, ben, link };
}

describe("two programs", () => {
  it("talk both ways, with everything that belongs to a message", async () => {
    const { ana, ben } = await twoPrograms(new FakeClock());
    ana.write({ say: "which page size?", intent: "request", ref: 1 });
    expect(await ana.event("sent")).toEqual({ event: "sent", ref: 1, seq: 2 });
    const asked = await ben.event("message");
    expect(asked).toMatchObject({ seq: 2, fromName: "ana", text: "which page size?", intent: "request" });
    ben.write({ say: "50", intent: "inform", replyTo: 2, to: ["ANA"], ref: "x" });
    expect(await ben.event("sent")).toEqual({ event: "sent", ref: "x", seq: 3 });
    expect(await ana.event("message")).toMatchObject({ seq: 3, text: "50", replyTo: 2, to: ["ana"] });
    expect(await ana.event("read")).toEqual({ event: "read", byName: "ben", seq: 2 });
    await ana.event("presence", ({ members }) => JSON.stringify(members).includes('"readSeq":3'));
  });

  it("are told what is wrong with a line, by its number, and nothing stops", async () => {
    const { ana, ben } = await twoPrograms(new FakeClock());
    const wrong: [line: string, detail: RegExp, ref?: string][] = [
      ["hello", /the line is not JSON$/],
      ["[1]", /must be an object with one of say, invite,/],
      ['{"shout":"x"}', /must be an object with one of say/],
      ['{"say":1}', /: say: must be a text$/],
      [
        '{"say":"x","too":["ana"]}',
        /: too: there is no such argument, did you mean to\? Accepted are say, to,/,
      ],
      ['{"say":"x","intent":"order"}', /: intent: /],
      ['{"say":"","ref":"r"}', /it is empty$/, "r"],
      ['{"say":"x","to":["dora"],"ref":"r"}', /nobody else in the tunnel has this name: dora$/, "r"],
      ['{"say":"x","replyTo":99,"ref":"r"}', /replyTo names a message that is not in this tunnel/, "r"],
      ['{"invite":1,"ref":"r"}', /only the host of a tunnel can do this$/, "r"],
      ['{"close":false}', /: close: /],
    ];
    for (const [line] of wrong) ben.write(line);
    ben.write({ say: "still here" });
    expect(await ana.event("message")).toMatchObject({ text: "still here" });
    const errors = ben
      .events()
      .filter(({ event }) => event === "error")
      .toSorted((a, b) => Number(a["line"]) - Number(b["line"]));
    // The first line was the link.
    expect(errors.map(({ line }) => line)).toEqual(wrong.map((_, index) => index + 2));
    for (const [index, [line, detail, ref]] of wrong.entries()) {
      expect(errors[index], line).toMatchObject({ message: expect.stringMatching(detail) });
      expect(errors[index]?.["next"]).toMatch(/^[A-Z]/);
      expect(errors[index]?.["ref"]).toBe(ref);
    }
  });

  it("the host's can invite, revoke, remove, and ask for the state", async () => {
    const clock = new FakeClock();
    const { ana, ben } = await twoPrograms(clock);
    ana.write({ invite: 2, ref: "i" });
    const made = invitesSchema.parse((await ana.event("invites"))["invites"]);
    expect(made).toHaveLength(2);
    ana.write({ revoke: made[0]?.inviteId, ref: "v" });
    const status = await ana.event("status", ({ ref }) => ref === "v");
    expect(status["pendingInvites"]).toMatchObject([{ inviteId: made[1]?.inviteId }]);
    expect(JSON.stringify(status)).not.toContain("#1.");
    ana.write({ revoke: "nothing", ref: "w" });
    expect(await ana.event("error")).toMatchObject({ code: "invite-unknown", ref: "w" });
    const codes = z
      .array(z.object({ name: z.string(), safetyCode: z.string() }))
      .parse(status["safetyCodes"]);
    expect(codes).toEqual([{ name: "ben", safetyCode: (await ben.event("joined"))["safetyCode"] }]);
    ana.write({ remove: "ben" });
    expect(await ben.event("ended")).toEqual({ event: "ended", cause: "removed", undelivered: 0 });
    expect(await ben.code).toBe(1);
    expect(await ana.event("system", ({ what }) => what === "left")).toMatchObject({ cause: "removed" });
    ana.write({ close: true });
    expect(await ana.code).toBe(0);
    expect(ana.events().at(-1)).toEqual({ event: "ended", cause: "closed-here", undelivered: 0 });
  });

  it("one whose input ends leaves when what it said is confirmed", async () => {
    const { ana, ben } = await twoPrograms(new FakeClock());
    for (let n = 0; n < 50; n += 1) ben.write({ say: `line ${n}`, ref: n });
    ben.end();
    expect(await ben.code).toBe(0);
    expect(ben.events().filter(({ event }) => event === "sent")).toHaveLength(50);
    await ana.event("message", ({ text }) => text === "line 49");
    await ana.event("system", ({ what }) => what === "left");
  });

  it("one without a link in its input is refused as one with bad arguments", async () => {
    const ben = startSide({ ...joinRequest(undefined), json: true }, { clock: new FakeClock() });
    ben.end();
    expect(await ben.code).toBe(2);
    expect(await ben.event("error")).toMatchObject({ code: "link-malformed" });
    expect(ben.stderr()).toBe("");
  });
});

function problemOf(line: string): string {
  try {
    parseJsonCommand(line);
    return "";
  } catch (error) {
    return error instanceof TunnelError ? (error.detail ?? "") : "";
  }
}

describe("the page about the command line", () => {
  it("shows commands that are understood, every one of them", () => {
    const shown = [...page.matchAll(/^\| `(\{.*?\})`/gm)].map(([, command = ""]) => command);
    for (const command of shown) expect(parseJsonCommand(command)).toEqual(JSON.parse(command));
    const named = new Set(shown.map((command) => Object.keys(JSON.parse(command) as object)[0]));
    const known = /one of (.*)$/.exec(problemOf("{}"))?.[1]?.split(", ");
    expect(named).toEqual(new Set(known));
  });

  it("lists the events that the code makes, and the slash commands", () => {
    const sources = ["json/view.ts", "json/files.ts", "json/services.ts"].map((name) =>
      readFileSync(new URL(`../../../src/cli/chat/${name}`, import.meta.url), "utf8"),
    );
    const made = new Set(Array.from(sources.join("").matchAll(/event: "([a-z]+)"/g), ([, name]) => name));
    const [, events = ""] = /^### Events$(.*?)^#/ms.exec(page) ?? [];
    const listed = new Set(Array.from(events.matchAll(/^\| `(?!event)([a-z]+)` /gm), ([, name]) => name));
    expect(listed).toEqual(made);
    const slashes = Array.from(page.matchAll(/^\| `(\/.*?)` /gm), ([, name]) => name);
    expect(slashes).toEqual(
      SLASH_COMMANDS.map(({ name, usage }) => `/${name}${usage === undefined ? "" : ` ${usage}`}`),
    );
  });
});

it("an error is shown with its code, and the next step for a person below", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const error = new TunnelError(code, { detail: "this" });
    expect(errorText(error)).toBe(`${error.message} (${code})\n${error.nextForPerson}`);
    expect(errorFields(error)).toEqual({
      code,
      message: error.message,
      next: error.nextForPerson,
      retryable: error.retryable,
    });
  }
});
