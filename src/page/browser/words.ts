import type { Finding } from "../../oversight/filter/verdict.ts";
import type { OversightView } from "../../view/oversight.ts";
import type { AskView, TunnelView } from "../../watch/protocol.ts";
import { shownGoal, shownLabel } from "../../view/labels.ts";
import { oneLine } from "../text/plain.ts";

/** Sentences of the page. A label of a peer among them is one line, with nothing in it that hides. */

/** A name that somebody has chosen. */
export const name = (label: string): string => oneLine(shownLabel(label));
export const goal = (text: string): string => oneLine(shownGoal(text));
const label = oneLine;

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

export function size(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${step === 0 ? bytes : (bytes / 2 ** (step * 10)).toFixed(1)} ${UNITS[step] ?? ""}`;
}

/** @param seconds may be negative: then it is over */
export function left(seconds: number): string {
  const all = Math.max(0, Math.round(seconds));
  if (all < 60) return `${all} s`;
  const minutes = Math.round(all / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function clock(ts: string): string {
  const date = new Date(ts);
  return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}

export const plural = (count: number, one: string, several = `${one}s`): string =>
  `${count} ${count === 1 ? one : several}`;

function to(names: readonly string[] | undefined): string {
  return names === undefined ? "" : ` to ${names.map(name).join(", ")} alone`;
}

/** An ask: the headline, and facts beneath it. */
export interface Question {
  readonly title: string;
  readonly facts: readonly string[];
  /** All of what it is about, as it would be; shown as it is written. */
  readonly text: string | undefined;
  /** What yes is called. */
  readonly yes: string;
}

export function question({ subject, because }: AskView): Question {
  const why = because.map((one) => `Since ${one}.`);
  switch (subject.kind) {
    case "message": {
      const facts = [...why, ...(subject.findings ?? []).map(finding)];
      const yes = (subject.findings ?? []).length > 0 ? "Send as it is, once" : "Send it";
      return { title: `Your agent wants to send a message${to(subject.to)}`, facts, text: subject.text, yes };
    }
    case "file": {
      const { bytes, path, note, findings = [], reasons = [], notScanned } = subject;
      return {
        title: `Your agent wants to offer ${name(subject.name)}${to(subject.to)}`,
        facts: [
          `${size(bytes)}, ${label(path)}`,
          ...why,
          ...reasons.map(label),
          ...findings.map(finding),
          ...(notScanned === undefined ? [] : [`Not searched for secrets: ${notScanned}.`]),
        ],
        text: note,
        yes: "Offer it",
      };
    }
    case "incoming":
      return {
        title: `${name(subject.fromName)} has said this, and your agent has not been told it`,
        facts: [],
        text: subject.text,
        yes: "Tell my agent",
      };
    case "member":
      return {
        title: `${name(subject.name)} wants to join`,
        facts: [`With the invite ${label(subject.inviteId)}.`, ...why],
        text: undefined,
        yes: "Let them in",
      };
    case "observer": {
      const { links, history, minutes } = subject;
      return {
        title: `Your agent wants to make ${links === 1 ? "a link for an observer" : `${links} links for observers`}`,
        facts: [
          `Whoever uses one reads along for ${minutes} min, ${history ? "from the beginning" : "from their arrival on"}, and can say nothing.`,
          "Everybody in the tunnel is told before it begins.",
          ...why,
        ],
        text: undefined,
        yes: "Make it",
      };
    }
    case "visit":
      return {
        title: `${name(subject.memberName)} wants to connect to ${name(subject.name)}`,
        facts: [`It leads to ${label(subject.target)} on this machine.`, ...why],
        text: undefined,
        yes: "Let them",
      };
    case "service": {
      const {
        service,
        target,
        readOnly,
        tools,
        maxConnections,
        minutes,
        confirmEach,
        note,
        findings = [],
      } = subject;
      return {
        title: `Your agent wants to offer ${name(subject.name)} to others${to(subject.to)}`,
        facts: [
          `${service}, at ${label(target)}${readOnly === true ? ", read only" : ""}`,
          `At most ${plural(maxConnections, "connection")}${minutes === undefined ? "" : `, for ${minutes} min`}${confirmEach === true ? "; you are asked each time" : ""}.`,
          ...(tools === undefined ? [] : [`Tools: ${tools.map(label).join(", ")}`]),
          ...why,
          ...findings.map(finding),
        ],
        text: note,
        yes: "Offer it",
      };
    }
    case "result":
      return {
        title: `${name(subject.name)} would answer ${name(subject.memberName)} with this`,
        facts: [
          `To ${label(subject.call)}; ${subject.chars} characters in all.`,
          ...why,
          ...(subject.findings ?? []).map(finding),
        ],
        text: subject.text,
        yes: "Let it go, once",
      };
    case "exposure": {
      const { target, through, access, minutes, claims, tools, hasMoreTools, origins, isWidened } = subject;
      return {
        title:
          isWidened === true
            ? `Your agent wants to open ${name(subject.name)} further`
            : `Your agent wants to give ${label(target)} a public address`,
        facts: [
          `As ${name(subject.name)}, through ${label(through)}, for ${minutes} min${claims === 0 ? "" : `, with ${plural(claims, "new claim link")}`}.`,
          `Ways in: ${access.map(label).join(", ")}.`,
          ...(tools === undefined
            ? []
            : [
                `Tools that anybody who gets in can call: ${tools.map(label).join(", ") || "none"}${hasMoreTools === true ? " and more" : ""}.`,
              ]),
          ...(origins === undefined ? [] : [`Web pages of ${origins.map(label).join(", ")} may call it.`]),
          ...why,
        ],
        text: undefined,
        yes: "Open it",
      };
    }
    case "budget":
      return {
        title: "The agents want to go on",
        facts: [`${label(subject.reason)}: ${subject.used} of ${subject.limit}.`],
        text: undefined,
        yes: "Let them go on",
      };
  }
}

const PLACES: Readonly<Record<Finding["where"], string>> = {
  message: "the text",
  note: "the note",
  "member-name": "the name",
  goal: "the goal",
  "file-name": "the file's name",
  file: "the file",
  patch: "the patch",
  "work-context": "the work context",
  "service-label": "the service",
  "tool-result": "the answer",
};

function finding({ rule, where, line, disguise }: Finding): string {
  return `${rule}${disguise === "plain" ? "" : ` (${disguise})`}, in ${PLACES[where]}, line ${line}. The value is not shown and has not left.`;
}

/** How a tunnel stands, in a word and a sentence. */
export function state({ status, ended, oversight, members }: TunnelView): {
  readonly word: string;
  readonly tone: "live" | "held" | "away";
  readonly why: string;
} {
  if (ended !== undefined) return { word: "Over", tone: "away", why: label(ended.because) };
  if (oversight.paused)
    return { word: "Paused", tone: "held", why: "Nothing of your agent leaves, and it is told nothing." };
  if (oversight.stopped !== undefined)
    return {
      word: "Stopped",
      tone: "held",
      why: `${stopped(oversight.stopped)}. Your agent waits until you let it go on.`,
    };
  const held = oversight.gates.filter((gate) => gate === "hold-out" || gate === "hold-in");
  if (held.length > 0)
    return {
      word: "Held",
      tone: "held",
      why:
        held.length === 2
          ? "You are asked about each message."
          : held[0] === "hold-out"
            ? "You are asked about each message that leaves."
            : "You are asked about each message that comes in.",
    };
  const here = members.filter(
    ({ connected, isSelf, role }) => role === undefined && (connected || isSelf),
  ).length;
  switch (status) {
    case "open":
      return { word: `Open, ${here} here`, tone: "live", why: "Messages flow." };
    case "reconnecting":
      return { word: "Cut off", tone: "away", why: "It is being connected again. Nothing is lost." };
    case "waiting_for_members":
      return { word: "Waiting", tone: "away", why: "Nobody has joined yet." };
    case "closed":
      return { word: "Over", tone: "away", why: "" };
  }
}

function stopped(why: NonNullable<OversightView["stopped"]>): string {
  if (why.reason === "budget") return `The budget of ${why.budget} is used up`;
  return why.loop === "repetition" ? "The agents repeat themselves" : "The agents say nothing new";
}

/** A digest in three short groups, to be compared by eye with another view. */
export const digest = (hex: string): string => [0, 4, 8].map((at) => hex.slice(at, at + 4)).join(" ");
