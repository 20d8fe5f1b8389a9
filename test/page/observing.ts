import { noExposures } from "../../src/expose/exposures/lazy-exposures.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { noServices } from "../../src/services/tunnels/lazy-services.ts";
import type { GuestSession } from "../../src/session/guest-session.ts";
import type { HostSession, Observing } from "../../src/session/host-session.ts";
import { watchHere } from "../../src/watch/here.ts";
import type { Hearing } from "../../src/watch/servers.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";

/** A tunnel of two, and somebody who reads along in it from a program of their own. */
export async function watchedRoom({ history = false, minutes = 60 }: Partial<Observing> = {}) {
  const [ana, ben, cat] = [sessionsOn(systemClock), sessionsOn(systemClock), sessionsOn(systemClock)];
  const { hosting, invites } = await ana.host({ ...hostRequest("Agree on the API"), history });
  const guest: GuestSession = await ben.join(joinRequest(invites[0]?.joinLink));
  await guest.say({ text: "before" });
  const [invite] = hosting.observerLinks(1, { history, minutes });
  const observer = await cat.join({ ...joinRequest(invite?.joinLink), name: "cat", as: "observer" });
  const host: HostSession = hosting;
  const watched = {
    sessions: cat,
    exposures: noExposures(),
    services: noServices(),
    clock: systemClock,
    server: { pid: process.pid, version: "0", folder: "/w" },
  };
  return {
    host,
    guest,
    observer,
    observed: (hearing: Hearing) => watchHere(watched, hearing),
    close: () => Promise.all([ana.shutDown(), ben.shutDown(), cat.shutDown()]),
  };
}
