import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { LINK } from "../../src/protocol/base/limits.ts";
import { until } from "../support/processes.ts";
import { filesOf, processesOf } from "./left.ts";
import { meet } from "./ways.ts";

/** The time of a stay is over: nobody can come back, and nothing is left, without any server that would remove it. */

const MINUTE_MS = 60_000;
/** What is in the minute, and what a busy machine takes. */
const LATE_MS = 30_000;
const isAsked = process.env["TUNNEL_TEST_RESTARTS"] !== undefined;

describe.skipIf(process.platform !== "linux" || !isAsked)(
  "a minute after the end (on Linux, where TUNNEL_TEST_RESTARTS asks for it, since it takes that minute)",
  () => {
    it("of a host that is reached directly, its member is told, and nothing is left on either side", async () => {
      const scene = await meet("direct", 1);
      const { host, guest, places, wire } = scene;
      const [states = ""] = places;
      await host.say("before the end");
      await guest.hear("before the end");
      await host.agent.ended("killed");
      const killedAt = Date.now();
      // Nobody listens at the port of its link any more.
      await wire.close();
      expect(filesOf(host, states).length).toBeGreaterThan(0);
      await until(
        "nothing is left of the host's",
        () => filesOf(host, states).length === 0,
        MINUTE_MS + LATE_MS,
      );
      expect(Date.now() - killedAt).toBeGreaterThan(MINUTE_MS - 10_000);
      // It waits a little longer, as for a proxy that is started again.
      let ended: unknown;
      await until(
        "the member is told",
        async () => {
          ({ ended } = await guest.agent.call("tunnel_listen", { timeoutMs: 2_000 }));
          return ended !== undefined;
        },
        LINK.goneMs + 2 * LATE_MS,
      );
      expect(JSON.stringify(ended)).toContain("host-gone");
      await until("nothing is left of the member's", () => filesOf(guest, states).length === 0);
      const next = await host.agent.again();
      expect((await next.call("tunnel_status"))["resumable"]).toBeUndefined();
      await next.ended("closed");
    }, 360_000);

    it("of a host behind cloudflared, that program is ended with it", async () => {
      const { host, guest, places } = await meet("cloudflared", 1);
      const [states = "", root = ""] = places;
      await guest.end("closed");
      await host.agent.ended("killed");
      await sleep(MINUTE_MS / 2);
      expect(processesOf([states, root]).some((process) => process.includes("cloudflared"))).toBe(true);
      await until(
        "nothing is left",
        () => filesOf(host, states).length === 0 && processesOf([states, root]).length === 0,
        MINUTE_MS / 2 + LATE_MS,
      );
    }, 180_000);
  },
);
