import type { MemberView } from "../../view/members.ts";
import type { OversightView } from "../../view/oversight.ts";
import type { TunnelView } from "../../watch/protocol.ts";
import type { Gauge, MemberShown, Part, TunnelShown } from "../model.ts";
import { signOffShown } from "./sign-off.ts";
import { clockTime, goal, name, oneLine, plural, size } from "./labels.ts";

/** A tunnel and who is in it, in words. @param now ms since the epoch */
export function tunnelShown(view: TunnelView, now: number): TunnelShown {
  const { tunnelId, members, oversight, role, ended, self } = view;
  const lastSeq = Math.max(0, ...members.map(({ readSeq }) => readSeq));
  const others = members.filter(({ isSelf, role: seat }) => !isSelf && seat === undefined);
  return {
    tunnelId,
    goal: goal(view.goal),
    state: stateOf(view),
    isHost: role === "host",
    mark: ended === undefined ? "" : " (over)",
    over: ended === undefined ? undefined : `This tunnel is over: ${oneLine(ended.because)}.`,
    self: name(self ?? "you"),
    members: members.map((member) => memberShown(member, view, { now, lastSeq })),
    readTo: others.length === 0 ? 0 : Math.min(...others.map(({ readSeq }) => readSeq)),
    gauges: gaugesOf(oversight),
    isStopped: oversight.stopped !== undefined,
    isPaused: oversight.paused,
    holdsOut: oversight.gates.includes("hold-out"),
    holdsIn: oversight.gates.includes("hold-in"),
    invites: invitesOf(view, now),
    signOff: view.signOff === undefined ? undefined : signOffShown(view.signOff),
    alarms: view.alarms.map(({ message, next }) => `${message}. ${next}`),
  };
}

function memberShown(
  member: MemberView,
  { role, ended, safetyCodes }: TunnelView,
  { now, lastSeq }: { readonly now: number; readonly lastSeq: number },
): MemberShown {
  const { id, isSelf, connected, lastSeenSec, readSeq, workContext: at, lookAlike, isHost } = member;
  const reads = member.role === undefined ? undefined : READS[member.role];
  const work = [at?.client, at?.repository, at?.branch].filter((one) => one !== undefined);
  const read = readSeq >= lastSeq ? "has read everything" : `has read up to ${readSeq}`;
  return {
    id,
    name: name(member.name),
    sign: lookAlike === true ? id : undefined,
    isOwn: isSelf,
    isHost,
    isObserver: reads !== undefined,
    awaySince: connected || isSelf ? undefined : now - lastSeenSec * 1_000,
    lines: [
      ...(work.length === 0 ? [] : [work.map(oneLine).join(" · ")]),
      ...(isSelf ? [] : [reads ?? read]),
      ...boundsOf(member),
    ],
    safetyCode: safetyCodes.find((one) => one.name === member.name)?.safetyCode,
    canRemove: !isSelf && role === "host" && ended === undefined,
  };
}

const READS = {
  observer: "reads along from their arrival on, and can say nothing",
  "observer-history": "reads along from the beginning, and can say nothing",
} as const;

function boundsOf({ oversight, isSelf }: MemberView): readonly string[] {
  if (isSelf || oversight === undefined || oversight.state === "free") return [];
  return [oversight.state === "paused" ? "paused by their human" : "stopped by their limits"];
}

const BUDGETS = {
  messages: "Messages of agents",
  bytes: "Sent",
  files: "Files offered",
  minutes: "Minutes",
} as const;

function gaugesOf({ budgets }: OversightView): readonly Gauge[] {
  if (budgets === undefined) return [];
  return (["messages", "bytes", "files", "minutes"] as const).map((key) => {
    const { used, limit } = budgets[key];
    const share = limit === 0 ? 1 : Math.min(1, used / limit);
    const text =
      key === "bytes" ? `${size(used)} of ${size(limit)}` : `${grouped(used)} of ${grouped(limit)}`;
    return { label: BUDGETS[key], text: share >= 1 ? `${text}: used up` : text, share };
  });
}

const grouped = (count: number): string => count.toLocaleString("en");

function invitesOf({ invites, tunnelId }: TunnelView, now: number): Part {
  const things = invites.map(({ inviteId, expiresInSec, claimed, role }) => ({
    key: inviteId,
    name: "",
    code: inviteId,
    lines: [
      claimed ? "somebody is joining with it" : "works once",
      ...(role === undefined ? [] : ["for an observer, who reads along"]),
    ],
    log: [],
    until: now + expiresInSec * 1_000,
    isHeld: false,
    stop: {
      label: "Take back",
      what: inviteId,
      command: { do: "revoke-invite" as const, tunnelId, invite: inviteId },
      done: "The invite is worth nothing now.",
    },
  }));
  return { title: `${plural(things.length, "invite")} that nobody has used`, things };
}

/** How a tunnel stands, in a word and a sentence. */
function stateOf({ status, ended, oversight, members, hostKeptUntil }: TunnelView): TunnelShown["state"] {
  if (ended !== undefined) return { word: "Over", tone: "away", why: oneLine(ended.because) };
  if (hostKeptUntil !== undefined) {
    const until = clockTime(hostKeptUntil);
    const why = `The host's program has ended. It keeps the tunnel until ${until}, and what is said waits for it.`;
    return { word: `Host away, kept until ${until}`, tone: "away", why };
  }
  const held = heldState(oversight);
  if (held !== undefined) return { ...held, tone: "held" };
  switch (status) {
    case "open": {
      const here = members.filter((one) => one.role === undefined && (one.connected || one.isSelf)).length;
      return { word: `Open, ${here} here`, tone: "live", why: "Messages flow." };
    }
    case "reconnecting":
      return { word: "Cut off", tone: "away", why: "It is being connected again. Nothing is lost." };
    case "waiting_for_members":
      return { word: "Waiting", tone: "away", why: "Nobody has joined yet." };
    case "closed":
      return { word: "Over", tone: "away", why: "" };
  }
}

function heldState({
  paused,
  stopped,
  gates,
}: OversightView): Omit<TunnelShown["state"], "tone"> | undefined {
  if (paused) return { word: "Paused", why: "Nothing of your agent leaves, and it is told nothing." };
  if (stopped !== undefined)
    return { word: "Stopped", why: `${stoppedText(stopped)}. Your agent waits until you let it go on.` };
  const [out, inward] = [gates.includes("hold-out"), gates.includes("hold-in")];
  if (out && inward) return { word: "Held", why: "You are asked about each message." };
  if (out) return { word: "Held", why: "You are asked about each message that leaves." };
  return inward ? { word: "Held", why: "You are asked about each message that comes in." } : undefined;
}

function stoppedText(why: NonNullable<OversightView["stopped"]>): string {
  if (why.reason === "budget") return `The budget of ${why.budget} is used up`;
  return why.loop === "repetition" ? "The agents repeat themselves" : "The agents say nothing new";
}
