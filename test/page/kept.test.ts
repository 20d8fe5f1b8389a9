import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KeptTunnel } from "../../src/session/resumable.ts";
import { enter, openPage, openRoom, streamOf, type Room } from "./support.ts";

let room: Room;
let at: Awaited<ReturnType<typeof openPage>>;
let kept: KeptTunnel[];
let known: string[];

beforeEach(async () => {
  room = await openRoom();
  kept = [];
  at = await openPage(room.folder, {
    kept: (except) => {
      known = [...(except ?? [])];
      return Promise.resolve([...kept]);
    },
  });
});
afterEach(async () => {
  await at.page.close();
  await room.close();
});

const until = (what: string, test: () => boolean) =>
  expect.poll(test, { message: what, timeout: 5_000 }).toBe(true);

describe("a tunnel whose program has ended", () => {
  it("is shown with the time until when it is kept and the ways to go on, until it does", async () => {
    const stream = streamOf(at, await enter(at));
    const tunnels = () => stream.events().flatMap((event) => (event.t === "tunnel" ? [event.tunnel] : []));
    await until("the server is shown", () => tunnels().length > 0);
    expect(tunnels().at(-1)?.mark).toBe("");
    expect(tunnels().at(-1)?.over).toBeUndefined();
    await until("it is not looked for, since it goes on", () => known.includes(room.host.tunnelId));

    const keptUntil = new Date(2027, 0, 15, 9, 5).getTime();
    const { tunnelId } = room.host;
    const folder = "/home/ana/sh\u202Eop";
    kept = [
      { tunnelId, folder, role: "host", goal: "Agree on the API", members: ["ben"], unread: 0, keptUntil },
    ];
    await room.stop();
    await until("it is told to be kept", () => tunnels().at(-1)?.mark === " (kept)");
    const shown = tunnels().at(-1);
    expect(shown?.state.word).toBe("Kept until 09:05");
    expect(shown?.over).toContain("The program of this tunnel with ben has ended. Until 09:05");
    expect(shown?.over).toContain("your agent by tunnel_join with resume");
    expect(shown?.over).toContain(`tunnel-mcp resume ${tunnelId}`);
    expect(shown?.over).not.toContain("\u202E");
    const entries = stream.events().filter((event) => event.t === "entry" && event.entry.kind === "system");
    expect(entries.at(-1)).toMatchObject({ entry: { tunnelId, at: 1 } });
    await until("its server has gone", () => stream.told().some(({ t }) => t === "gone"));

    // A page that comes later is told of it as well.
    const later = streamOf(at, await enter(at));
    await until("it is shown there", () =>
      later.events().some((event) => event.t === "tunnel" && event.tunnel.mark === " (kept)"),
    );

    kept = [];
    await until("it is no longer shown", () =>
      stream.told().some((line) => line.t === "gone" && line.server === `kept ${tunnelId}`),
    );
  });
});
