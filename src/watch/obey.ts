import { TunnelError } from "../errors/tunnel-error.ts";
import type { Decider, Decision } from "../oversight/asks/ask.ts";
import { membersNamed } from "../protocol/room/recipients.ts";
import type { LazyServices } from "../services/tunnels/lazy-services.ts";
import type { LazyExposures } from "../expose/exposures/lazy-exposures.ts";
import type { Session, Sessions } from "../session/sessions.ts";
import type { Command } from "./protocol.ts";

const WATCH: Decider = { path: "watch" };

/**
 * Carries out what a person has typed.
 * @throws {TunnelError} ask-*, expose-unknown, service-unknown, tunnel-unknown, tunnel-closed, not-the-host, member-unknown, and all of saying
 */
export async function obey(
  command: Command,
  options: {
    readonly sessions: Sessions;
    readonly exposures: LazyExposures;
    readonly services: LazyServices;
  },
): Promise<void> {
  const { sessions, exposures, services } = options;
  if (command.do === "stop-exposure") {
    const exposure = exposures.loaded?.resolve(command.exposure);
    if (exposure === undefined) throw new TunnelError("expose-unknown");
    return exposure.stop("stopped-by-person");
  }
  if (command.do === "stop-service") return stopService(command, services);
  if (command.do === "decide") {
    const { ask, digest, decision } = command;
    sessions.overseer.asks.decide(ask, digest, checked(decision, sessions), WATCH);
    return;
  }
  const tunnel = sessions.resolve(command.tunnelId);
  if (tunnel.end !== undefined) throw new TunnelError("tunnel-closed");
  const { oversight } = tunnel;
  switch (command.do) {
    case "hold":
      return oversight.hold(command.mode, WATCH);
    case "pause":
      return oversight.pause(WATCH);
    case "resume":
      return oversight.resume(WATCH);
    case "go-on":
      return oversight.goOn(WATCH);
    case "say":
      return say(tunnel, command, sessions);
    case "kick":
      if (tunnel.role !== "host") throw new TunnelError("not-the-host");
      tunnel.remove(command.name);
      return oversight.acted("remove", WATCH);
    case "end":
      oversight.acted("end", WATCH);
      return tunnel.close();
  }
}

/** @throws {TunnelError} service-unknown */
async function stopService(
  { tunnelId, service }: Extract<Command, { do: "stop-service" }>,
  { loaded }: LazyServices,
): Promise<void> {
  const known = loaded?.known(tunnelId);
  if (known === undefined) throw new TunnelError("service-unknown");
  await known.stop(service);
}

/** @throws {TunnelError} text-invalid, text-too-long */
function checked(decision: Extract<Command, { do: "decide" }>["decision"], sessions: Sessions): Decision {
  if (decision.verdict === "edit") return { verdict: "edit", text: sessions.checkedText(decision.text).text };
  if (decision.verdict === "approve") return { verdict: "approve" };
  return { verdict: "refuse", reason: decision.reason };
}

async function say(
  tunnel: Session,
  { text, to }: Extract<Command, { do: "say" }>,
  sessions: Sessions,
): Promise<void> {
  const outgoing = { text: sessions.checkedText(text).text, author: "human" } as const;
  const whom = to === undefined ? {} : { to: membersNamed(tunnel.presence(), to) };
  tunnel.oversight.acted("say", WATCH);
  await tunnel.say({ ...outgoing, ...whom });
}
