import { stepsWhileOpen } from "../../../errors/tunnel-error.ts";
import type { ErrorView } from "../../../view/errors.ts";
import type { ConnectionView, HealthView } from "../../../view/health.ts";
import type { MemberView, SafetyCodeView } from "../../../view/members.ts";
import type { OversightView } from "../../../view/oversight.ts";
import type { HostStatusView, StatusView } from "../../../view/status.ts";
import { safeGoal, safeLabel, safeName } from "./safe-text.ts";
import { duration } from "../../../view/words/system-text.ts";

const inWords = (seconds: number): string => duration(seconds * 1_000);

function readText({ isSelf, role, readSeq }: MemberView, lastSeq: number): string {
  if (isSelf) return "you";
  if (role !== undefined) return READS_ALONG[role];
  return readSeq >= lastSeq ? "has read everything" : `has read up to ${readSeq} of ${lastSeq}`;
}

const READS_ALONG = {
  observer: "reads along as an observer, from its arrival on",
  "observer-history": "reads along as an observer, from the beginning",
} as const;

function skewText(skewSec: number): string {
  const way = skewSec > 0 ? "ahead of" : "behind";
  return `its clock is ${inWords(Math.abs(skewSec))} ${way} yours`;
}

/** A member's own word about its person: nothing shows that it is so. */
const OVERSIGHT_TEXTS = {
  free: [],
  held: ["stopped until its person lets it go on, says its program"],
  paused: ["paused by its person, says its program"],
} as const;

/** The lines of `/who`. */
export function whoLines(members: readonly MemberView[], lastSeq: number): string[] {
  return members.map((member) => {
    const { id, name, lookAlike, isHost, isSelf, connected, lastSeenSec, clockSkewSec, oversight } = member;
    const facts = [
      ...(lookAlike === true ? [`id ${id}, a name that looks like another one here`] : []),
      ...(isHost ? ["host"] : []),
      readText(member, lastSeq),
      ...(connected || isSelf ? [] : [`not connected, last seen ${inWords(lastSeenSec)} ago`]),
      ...(clockSkewSec === undefined ? [] : [skewText(clockSkewSec)]),
      ...(isSelf ? [] : OVERSIGHT_TEXTS[oversight?.state ?? "free"]),
    ];
    return `  ${safeName(name)}: ${facts.join(", ")}`;
  });
}

export function safetyLines(codes: readonly SafetyCodeView[]): string[] {
  return codes.map(({ name, safetyCode }) => `Safety code with ${safeName(name)}: ${safetyCode}`);
}

export function historyLine(history: boolean): string {
  return history
    ? "History: kept by the host, and given to those who join later."
    : "History: kept in the memory of the programs only; who joins later is told nothing of it.";
}

function guestLines(view: ConnectionView, queued: number): string[] {
  if (view.connection === "ended") return ["Connection: ended"];
  const heard = `host heard ${inWords(view.lastHeardSec)} ago`;
  if (view.connection === "connected") return [`Connection: up, ${heard}`];
  const until = `tried for another ${inWords(view.givesUpInSec)}`;
  const away =
    view.hostAwayKeptForSec === undefined
      ? []
      : [
          `The host is away: its program has ended. It keeps the tunnel for another ${inWords(view.hostAwayKeptForSec)}`,
        ];
  const next = view.connection === "waiting" ? `next attempt in ${inWords(view.retryInSec)}, ` : "";
  return [
    `Connection: down, attempt ${view.attempts}, ${next}${until}, ${heard}`,
    ...away,
    `Waiting to be sent: ${queued}`,
  ];
}

function problemOf({ transportProblem }: HealthView): ErrorView | undefined {
  return transportProblem !== undefined && "error" in transportProblem ? transportProblem.error : undefined;
}

function cutOffLine({ memberName, needsLink }: HostStatusView["cutOff"][number]): string {
  const how = needsLink
    ? "needs a new link to come back"
    : "comes back when an address that it knows works again";
  return `${safeLabel(memberName)} cannot reach this tunnel now, and ${how}`;
}

function hostLines(view: HostStatusView): string[] {
  const { health, transportDetail, idleEndsInSec, pendingInvites, cutOff } = view;
  const problem = problemOf(health);
  const pending = pendingInvites.map(({ expiresInSec }) => `one for ${inWords(expiresInSec)}`);
  return [
    `Address: ${health.transportHealth}, ${safeLabel(transportDetail)}`,
    ...(problem === undefined
      ? []
      : [`${problem.message} (${problem.code})`, stepsWhileOpen(problem.code).nextForPerson]),
    ...cutOff.map(cutOffLine),
    `Ends if nobody does anything for ${inWords(idleEndsInSec)}`,
    `Pending invites: ${pending.length === 0 ? "none" : pending.join(", ")}`,
  ];
}

/** Only what is not as usual. Gates and budgets are in `tunnel-mcp watch`. */
function oversightLines({ paused, heldOut, heldIn }: OversightView): string[] {
  const waiting = `Waiting for your decision: ${heldOut} going out, ${heldIn} coming in`;
  return [
    ...(paused ? ["Paused: what comes in is kept for you. tunnel-mcp watch ends the pause."] : []),
    ...(heldOut + heldIn === 0 ? [] : [waiting]),
  ];
}

/** The lines of `/status`. */
export function statusLines(view: StatusView): string[] {
  const lines = [
    `You are ${view.role === "host" ? "the host" : "a guest"}.`,
    `Goal: ${safeGoal(view.goal)}`,
    ...(view.role === "host" ? hostLines(view) : guestLines(view.connection, view.queued)),
    historyLine(view.history),
    ...oversightLines(view.oversight),
    ...safetyLines(view.safetyCodes),
    ...view.alarms.map(({ message, code }) => `Alarm: ${message} (${code})`),
    "Members:",
  ];
  return [...lines, ...whoLines(view.members, view.lastSeq)].map((line) => `  ${line}`);
}
