import { TunnelError } from "../errors/tunnel-error.ts";
import type { Decider, Decision } from "../oversight/asks/ask.ts";
import { fromBase64url } from "../protocol/base/bytes.ts";
import { parseSigningKey } from "../protocol/base/public-keys.ts";
import { membersNamed } from "../protocol/room/recipients.ts";
import type { LazyServices } from "../services/tunnels/lazy-services.ts";
import type { LazyExposures } from "../expose/exposures/lazy-exposures.ts";
import type { Session, Sessions } from "../session/sessions.ts";
import { recordText } from "../session/transcript/decisions.ts";
import type { Clock } from "../runtime/clock.ts";
import { isoTime } from "../view/time.ts";
import { look } from "./look.ts";
import type { Command, Told, WatchedEntry } from "./protocol.ts";
import { watchedEntry } from "./views.ts";

/** Entries of the log in one answer. */
const EARLIER = 200;

interface Served {
  readonly sessions: Sessions;
  readonly exposures: LazyExposures;
  readonly services: LazyServices;
  readonly clock: Clock;
}

type OfTunnel = Exclude<
  Command,
  { do: "stop-exposure" | "stop-service" | "decide" | "earlier" | "audit" | "look" }
>;

/**
 * Carries out what a person has typed or pressed, or answers what their face asks.
 * @param by the face at which it was done
 * @throws {TunnelError} ask-*, sign-off-*, expose-unknown, service-unknown, tunnel-unknown, tunnel-closed, not-the-host, member-unknown, invite-unknown, and all of saying
 */
export async function obey(command: Command, served: Served, by: Decider): Promise<Told | undefined> {
  const { sessions, exposures, services } = served;
  switch (command.do) {
    case "stop-exposure": {
      const exposure = exposures.loaded?.resolve(command.exposure);
      if (exposure === undefined) throw new TunnelError("expose-unknown");
      await exposure.stop("stopped-by-person");
      return undefined;
    }
    case "stop-service":
      await stopService(command, services);
      return undefined;
    case "decide": {
      const { ask, digest, decision } = command;
      sessions.overseer.asks.decide(ask, digest, checked(decision, sessions), by);
      return undefined;
    }
    case "earlier":
      return entriesBefore(sessions.resolve(command.tunnelId), command.before, served.clock.now());
    case "audit":
      return auditOf(sessions.resolve(command.tunnelId));
    case "look":
      return look(command, sessions);
    default:
      await act(command, sessions, by);
      return undefined;
  }
}

/** Changes a tunnel. */
async function act(command: OfTunnel, sessions: Sessions, by: Decider): Promise<void> {
  const tunnel = sessions.resolve(command.tunnelId);
  if (tunnel.end !== undefined) throw new TunnelError("tunnel-closed");
  const { oversight } = tunnel;
  switch (command.do) {
    case "hold":
      return oversight.hold(command.mode, by);
    case "pause":
      return oversight.pause(by);
    case "resume":
      return oversight.resume(by);
    case "go-on":
      return oversight.goOn(by);
    case "say":
      return say(tunnel, command, sessions, by);
    case "kick":
      if (tunnel.role !== "host") throw new TunnelError("not-the-host");
      tunnel.remove(command.name);
      return oversight.acted("remove", by);
    case "revoke-invite":
      if (tunnel.role !== "host") throw new TunnelError("not-the-host");
      if (!tunnel.revoke(command.invite)) throw new TunnelError("invite-unknown");
      return oversight.acted("revoke", by);
    case "sign":
      return sign(tunnel, command, by);
    case "end":
      oversight.acted("end", by);
      return tunnel.close();
  }
}

/** @param before a place in the log @param now ms since the epoch */
function entriesBefore(tunnel: Session, before: number, now: number): Told {
  const { heardLog } = tunnel;
  const from = Math.max(heardLog.start, before - 1 - EARLIER);
  const entries: WatchedEntry[] = [];
  for (const placed of heardLog.after(from)) {
    if (placed[0] >= before) break;
    entries.push(watchedEntry(tunnel, placed, now));
  }
  return { told: "entries", entries, more: from > heardLog.start };
}

function auditOf({ oversight }: Session): Told {
  const { records, dropped } = oversight.audit;
  const lines = records.map((record) => ({ ts: isoTime(record.at), text: recordText(record) }));
  return { told: "audit", records: lines, dropped };
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

/** @throws {TunnelError} sign-off-*, text-invalid, and all of saying */
async function sign(
  tunnel: Session,
  { digest, verdict, reason, key, signature }: Extract<Command, { do: "sign" }>,
  by: Decider,
): Promise<void> {
  const given = {
    digest: fromBase64url(digest, 32),
    key: parseSigningKey(key),
    signature: fromBase64url(signature, 64),
  };
  if (given.digest === undefined || given.key === undefined || given.signature === undefined)
    throw new TunnelError("sign-off-unsound");
  const bytes = { digest: given.digest, key: given.key, signature: given.signature };
  await tunnel.signing.state({ ...bytes, verdict, reason }, by);
}

async function say(
  tunnel: Session,
  { text, to }: Extract<Command, { do: "say" }>,
  sessions: Sessions,
  by: Decider,
): Promise<void> {
  const outgoing = { text: sessions.checkedText(text).text, author: "human" } as const;
  const whom = to === undefined ? {} : { to: membersNamed(tunnel.presence(), to) };
  tunnel.oversight.acted("say", by);
  await tunnel.say({ ...outgoing, ...whom });
}
