import type { Presence } from "../../../protocol/room/participant.ts";
import type { OpenTunnel } from "../../../session/sessions.ts";
import { safeLabel } from "./safe-text.ts";
import { duration, errorText } from "./wording.ts";

/** What `/who` and `/status` print. */

function readText({ isSelf, read }: Presence, lastSeq: number): string {
  if (isSelf) return "you";
  return read >= lastSeq ? "has read everything" : `has read up to ${read} of ${lastSeq}`;
}

export function whoLines(tunnel: OpenTunnel): string[] {
  return tunnel.presence().map((member) => {
    const { name, isHost, isSelf, connected, lastSeenMs } = member;
    const facts = [
      ...(isHost ? ["host"] : []),
      readText(member, tunnel.inbox.lastSeq),
      ...(connected || isSelf ? [] : [`not connected, last seen ${duration(lastSeenMs)} ago`]),
    ];
    return `  ${safeLabel(name)}: ${facts.join(", ")}`;
  });
}

/** The two sides of a pairing see the same code exactly when nobody sits between them. */
export function safetyLines(tunnel: OpenTunnel): string[] {
  const paired = tunnel.presence().filter(({ safetyCode }) => safetyCode !== undefined);
  return paired.map(({ name, safetyCode }) => `Safety code with ${safeLabel(name)}: ${safetyCode ?? ""}`);
}

export function historyLine({ history }: OpenTunnel): string {
  return history
    ? "History: kept by the host, and given to those who join later."
    : "History: kept in the memory of the programs only; who joins later is told nothing of it.";
}

function connectionLines(tunnel: OpenTunnel, now: number): string[] {
  if (tunnel.role === "member") {
    const { link } = tunnel;
    const heard = `host heard ${duration(now - tunnel.lastHeard)} ago`;
    if (link.name === "connected") return [`Connection: up, ${heard}`];
    if (link.name === "ended") return ["Connection: ended"];
    const until = `tried for another ${duration(link.givesUpAt - now)}`;
    const next = link.name === "waiting" ? `next attempt in ${duration(link.retryAt - now)}, ` : "";
    return [
      `Connection: down, attempt ${link.attempt}, ${next}${until}, ${heard}`,
      `Waiting to be sent: ${tunnel.unplaced}`,
    ];
  }
  const { active } = tunnel.health;
  const pending = tunnel.pendingInvites();
  return [
    `Address: ${active.state}, ${safeLabel(tunnel.transportDetail)}`,
    ...("error" in active ? errorText(active.error).split("\n") : []),
    `Ends if nobody does anything for ${duration(tunnel.idleAt - now)}`,
    `Pending invites: ${pending.length === 0 ? "none" : pending.map(({ expiresInMs }) => `one for ${duration(expiresInMs)}`).join(", ")}`,
  ];
}

export function statusLines(tunnel: OpenTunnel, now: number): string[] {
  const lines = [
    `You are ${tunnel.role === "host" ? "the host" : "a guest"}.`,
    `Goal: ${safeLabel(tunnel.goal)}`,
    ...connectionLines(tunnel, now),
    historyLine(tunnel),
    ...safetyLines(tunnel),
    ...tunnel.alarms.map((alarm) => `Alarm: ${alarm.message} (${alarm.code})`),
    "Members:",
  ];
  return [...lines.map((line) => `  ${line}`), ...whoLines(tunnel).map((line) => `  ${line}`)];
}
