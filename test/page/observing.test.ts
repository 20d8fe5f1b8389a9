import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { act, enter, openPage, post, streamOf } from "./support.ts";
import { watchedRoom } from "./observing.ts";

let room: Awaited<ReturnType<typeof watchedRoom>>;
let at: Awaited<ReturnType<typeof openPage>>;

beforeEach(async () => {
  room = await watchedRoom();
  at = await openPage("/nowhere", { observed: room.observed });
});
afterEach(async () => {
  await at.page.close();
  await room.close();
});

const until = (what: string, test: () => boolean) =>
  expect.poll(test, { message: what, timeout: 5_000 }).toBe(true);

async function tab() {
  const token = await enter(at);
  const stream = streamOf(at, token);
  await until("the tunnel is shown", () => stream.events().some(({ t }) => t === "tunnel"));
  const texts = () =>
    stream
      .events()
      .flatMap((event) => (event.t === "entry" && event.entry.kind === "said" ? [event.entry.text] : []));
  const tunnel = () =>
    stream
      .events()
      .flatMap((event) => (event.t === "tunnel" ? [event.tunnel] : []))
      .at(-1);
  return { token, ...stream, texts, tunnel };
}

/** Everything that a page can do, and what none can. */
const COMMANDS: readonly object[] = [
  { do: "say", text: "I" },
  { do: "pause" },
  { do: "resume" },
  { do: "go-on" },
  { do: "hold", mode: "out" },
  { do: "end" },
  { do: "kick", name: "ben" },
  { do: "revoke-invite", invite: "x" },
  { do: "stop-service", service: "x" },
  { do: "stop-exposure", exposure: "x" },
  { do: "decide", ask: 1, digest: "0".repeat(64), decision: { verdict: "approve" } },
  { do: "audit" },
  { do: "earlier", before: 1 },
  { do: "anything" },
];

describe("the page of an observer", () => {
  it("H29: shows the room as it goes on, and says that nothing can be done", async () => {
    const shown = await tab();
    expect(shown.lines.find(({ t }) => t === "begin")).toMatchObject({ observer: true });
    await room.host.say({ text: "after" });
    await until("it is shown", () => shown.texts().includes("after"));
    expect(shown.texts()).toEqual(["after"]);
    const members = shown.tunnel()?.members ?? [];
    expect(members.map(({ isHost, isOwn, isObserver }) => [isHost, isOwn, isObserver])).toContainEqual([
      false,
      true,
      true,
    ]);
    expect(members.some(({ canRemove }) => canRemove)).toBe(false);
    expect(shown.tunnel()?.gauges).toEqual([]);
    expect(new Set(shown.events().map(({ t }) => t))).toEqual(new Set(["tunnel", "entry"]));
    shown.close();
  });

  it.each(COMMANDS)("H29: refuses %j, whatever a tab sends, and nothing comes of it", async (command) => {
    const token = await enter(at);
    const { tunnelId } = room.observer;
    for (const whole of [command, { ...command, tunnelId }]) {
      const body = { server: String(process.pid), command: whole };
      expect(await post(at, "/do", body, token)).toMatchObject({
        status: 403,
        body: JSON.stringify({ ok: false, code: "observer-spoke" }),
      });
      const earlier = await post(at, "/earlier", body, token);
      const isAsked = "do" in whole && whole.do === "earlier" && "tunnelId" in whole;
      expect([earlier.status, JSON.parse(earlier.body)]).toMatchObject([200, { ok: isAsked }]);
    }
    expect(room.observer.end).toBeUndefined();
    expect(room.host.presence()).toHaveLength(3);
  });

  it("H29: keeps a door of its own: without a token nothing is shown, and an address works once", async () => {
    expect((await post(at, "/earlier", {})).status).toBe(401);
    expect((await post(at, "/stream", {})).status).toBe(401);
    const url = at.page.newUrl();
    await enter(at, url);
    await expect(enter(at, url)).rejects.toThrow("used-twice");
  });

  it("gives earlier entries for the asking", async () => {
    const shown = await tab();
    await room.host.say({ text: "one" });
    await until("it is shown", () => shown.texts().includes("one"));
    const command = { do: "earlier", tunnelId: room.observer.tunnelId, before: 99 };
    const { body } = await post(at, "/earlier", { server: String(process.pid), command }, shown.token);
    expect(body).toContain('"one"');
    shown.close();
  });

  it("H29: ends with the seat, and what was seen stays", async () => {
    const shown = await tab();
    await room.host.say({ text: "seen" });
    await until("it is shown", () => shown.texts().includes("seen"));
    room.host.remove("cat");
    await until("it is over", () => shown.tunnel()?.over !== undefined);
    await room.host.say({ text: "unseen" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(shown.texts()).toEqual(["seen"]);
    shown.close();
  });
});

it("a member's own page takes earlier entries by either way, and nothing else by the one for them", async () => {
  const { openRoom } = await import("./support.ts");
  const own = await openRoom();
  const page = await openPage(own.folder);
  const token = await enter(page);
  const stream = streamOf(page, token);
  await until("it is shown", () => stream.events().some(({ t }) => t === "tunnel"));
  const { tunnelId } = own.host;
  const server = String(process.pid);
  const pause = await post(page, "/earlier", { server, command: { do: "pause", tunnelId } }, token);
  expect(JSON.parse(pause.body)).toMatchObject({ ok: false, code: "input-invalid" });
  expect(own.host.oversight.isPaused).toBe(false);
  expect(await act(page, token, { do: "earlier", tunnelId, before: 99 })).toMatchObject({ ok: true });
  stream.close();
  await page.page.close();
  await own.close();
});
