import { afterEach, beforeEach, expect, it, vi, type MockInstance } from "vitest";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";
import { until } from "../support/processes.ts";
import { clientOf } from "./room.ts";

let ana: Sessions;
let ben: Sessions;
let joinLink: string;
let joins: MockInstance<Sessions["join"]>;
/** Lets a join go on that has been held up. */
let goOn: () => void;
beforeEach(async () => {
  [ana, ben] = [sessionsOn(systemClock), sessionsOn(systemClock)];
  joinLink = (await ana.host(hostRequest())).invites[0]?.joinLink ?? "";
  const join = ben.join.bind(ben);
  joins = vi.spyOn(ben, "join").mockImplementation(async (request) => {
    await new Promise<void>((resolve, reject) => {
      goOn = resolve;
      request.signal.addEventListener("abort", () => reject(new TunnelError("cancelled")));
    });
    return join(request);
  });
});
afterEach(async () => {
  await Promise.all([ana.shutDown(), ben.shutDown()]);
  vi.restoreAllMocks();
});

const hasty = () => clientOf(ben, systemClock, { answerMs: 30 });

it("joining that takes longer than a call may is answered, and the same call again joins it and tells how it ended", async () => {
  const call = await hasty();
  expect(await call("tunnel_join", { joinLink })).toMatchObject({ status: "joining", unread: 0 });
  expect(await call("tunnel_join", { joinLink })).toMatchObject({ status: "joining" });
  const again = (await clientOf(ben))("tunnel_join", { joinLink });
  goOn();
  expect(await again).toMatchObject({ status: "open", tunnelId: expect.any(String) });
  expect(joins).toHaveBeenCalledTimes(1);
});

it("why it failed is told to the next who asks, and the one after begins anew", async () => {
  joins.mockImplementationOnce(async () => {
    await new Promise<void>((resolve) => (goOn = resolve));
    throw new TunnelError("host-unreachable");
  });
  const call = await hasty();
  expect(await call("tunnel_join", { joinLink })).toMatchObject({ status: "joining" });
  goOn();
  expect(await call("tunnel_join", { joinLink })).toMatchObject({ error: { code: "host-unreachable" } });
  expect(await call("tunnel_join", { joinLink })).toMatchObject({ status: "joining" });
  expect(joins).toHaveBeenCalledTimes(2);
});

it("it ends with the process", async () => {
  const call = await hasty();
  await call("tunnel_join", { joinLink });
  await ben.shutDown();
  await until("the join is over", () => joins.mock.settledResults[0]?.type === "rejected");
});
