import type { Gate } from "../../oversight/gates/gates.ts";
import type { Finding } from "../../oversight/filter/verdict.ts";
import type { Subject } from "../../oversight/asks/subject.ts";
import type { AskView } from "../../watch/protocol.ts";
import type { AskShown } from "../model.ts";
import { alone, name, oneLine, plural, size } from "./labels.ts";
import { FOUND_PLACES } from "../../view/words/found-places.ts";

/** Words for everything that waits for a person. */
export function askShown(view: AskView): AskShown {
  const { ask, tunnelId, digest, state, gates, subject } = view;
  return {
    ask,
    tunnelId,
    digest,
    state,
    end: endOf(view),
    askedAt: Date.parse(view.askedAt),
    until: Date.parse(view.expiresAt),
    why: gates.map((gate) => GATE_WORDS[gate]).join(" · "),
    ...question(subject),
    isRisky: gates.some((gate) => RISKY.has(gate)),
    isSecret: gates.includes("secret"),
    isMessage: subject.kind === "message",
    look: subject.kind === "file" ? { do: "look", tunnelId, ask } : undefined,
  };
}

/** A yes to these cannot be taken back, and is seldom right. */
const RISKY: ReadonlySet<Gate> = new Set<Gate>(["secret", "sensitive-file", "not-scanned"]);

const BY: Readonly<Record<string, string>> = {
  watch: "in a terminal",
  page: "on a page",
  terminal: "in a chat",
  client: "in a prompt of your client",
};

function endOf({ ask, state, by }: AskView): string | undefined {
  switch (state) {
    case "waiting":
      return undefined;
    case "expired":
      return `Ask ${ask} has expired: nobody has decided.`;
    case "withdrawn":
      return `Ask ${ask} is no longer wanted.`;
    default:
      return `Ask ${ask} was ${state === "edited" ? "sent in a human's words" : state}${by === undefined ? "" : ` ${BY[by] ?? ""}`}.`;
  }
}

const GATE_WORDS: Readonly<Record<Gate, string>> = {
  secret: "Looks like a secret",
  "sensitive-file": "A file that usually holds secrets",
  "outside-roots": "Outside your folders",
  "not-scanned": "Could not be searched for secrets",
  receive: "A file for this machine",
  expose: "A public address",
  "offer-service": "A service for others",
  "visit-service": "First connection",
  "new-member": "A new member",
  observer: "An observer",
  budget: "Budget used up",
  "hold-out": "Held on its way out",
  "hold-in": "Held on its way in",
};

type Question = Pick<AskShown, "title" | "facts" | "text" | "yes">;
type Of<Kind extends Subject["kind"]> = Extract<Subject, { kind: Kind }>;

function question(subject: Subject): Question {
  switch (subject.kind) {
    case "message":
      return ofMessage(subject);
    case "file":
      return ofFile(subject);
    case "incoming": {
      const title = `${name(subject.fromName)} has said this, and your agent has not been told it`;
      return { title, facts: [], text: subject.text, yes: "Tell my agent" };
    }
    case "member": {
      const facts = [`With the invite ${oneLine(subject.inviteId)}.`];
      return { title: `${name(subject.name)} wants to join`, facts, text: undefined, yes: "Let them in" };
    }
    case "observer": {
      const { links, history, minutes } = subject;
      const facts = [
        `Whoever uses one reads along for ${minutes} min, ${history ? "from the beginning" : "from their arrival on"}, and can say nothing.`,
        "Everybody in the tunnel is told before it begins.",
      ];
      const what = links === 1 ? "a link for an observer" : `${links} links for observers`;
      return { title: `Your agent wants to make ${what}`, facts, text: undefined, yes: "Make it" };
    }
    case "visit": {
      const title = `${name(subject.memberName)} wants to connect to ${name(subject.name)}`;
      const facts = [`It leads to ${oneLine(subject.target)} on this machine.`];
      return { title, facts, text: undefined, yes: "Let them" };
    }
    case "service":
      return ofService(subject);
    case "result":
      return ofResult(subject);
    case "exposure":
      return ofExposure(subject);
    case "budget": {
      const facts = [`${oneLine(subject.reason)}: ${subject.used} of ${subject.limit}.`];
      return { title: "The agents want to go on", facts, text: undefined, yes: "Let them go on" };
    }
  }
}

function ofMessage({ text, to, findings = [] }: Of<"message">): Question {
  return {
    title: `Your agent wants to send a message${alone(to)}`,
    facts: findings.map(finding),
    text,
    yes: findings.length > 0 ? "Send as it is, once" : "Send it",
  };
}

function ofFile(subject: Of<"file">): Question {
  const { bytes, path, note, findings = [], reasons = [], notScanned } = subject;
  return {
    title: `Your agent wants to offer ${name(subject.name)}${alone(subject.to)}`,
    facts: [
      `${size(bytes)}, ${oneLine(path)}`,
      ...reasons.map(oneLine),
      ...findings.map(finding),
      ...(notScanned === undefined ? [] : [`Not searched for secrets: ${notScanned}.`]),
    ],
    text: note,
    yes: "Offer it",
  };
}

function ofService(subject: Of<"service">): Question {
  const { service, target, readOnly, tools, maxConnections, minutes, confirmEach, note } = subject;
  const life = minutes === undefined ? "" : `, for ${minutes} min`;
  return {
    title: `Your agent wants to offer ${name(subject.name)} to others${alone(subject.to)}`,
    facts: [
      `${service}, at ${oneLine(target)}${readOnly === true ? ", read only" : ""}`,
      `At most ${plural(maxConnections, "connection")}${life}${confirmEach === true ? "; you are asked each time" : ""}.`,
      ...(tools === undefined ? [] : [`Tools: ${tools.map(oneLine).join(", ")}`]),
      ...(subject.findings ?? []).map(finding),
    ],
    text: note,
    yes: "Offer it",
  };
}

function ofResult(subject: Of<"result">): Question {
  const facts = [
    `To ${oneLine(subject.call)}; ${subject.chars} characters in all.`,
    ...(subject.findings ?? []).map(finding),
  ];
  const title = `${name(subject.name)} would answer ${name(subject.memberName)} with this`;
  return { title, facts, text: subject.text, yes: "Let it go, once" };
}

function ofExposure(subject: Of<"exposure">): Question {
  const { target, through, access, minutes, claims, tools, hasMoreTools, origins } = subject;
  const links = claims === 0 ? "" : `, with ${plural(claims, "new claim link")}`;
  const more = hasMoreTools === true ? " and more" : "";
  return {
    title:
      subject.isWidened === true
        ? `Your agent wants to open ${name(subject.name)} further`
        : `Your agent wants to give ${oneLine(target)} a public address`,
    facts: [
      `As ${name(subject.name)}, through ${oneLine(through)}, for ${minutes} min${links}.`,
      `Ways in: ${access.map(oneLine).join(", ")}.`,
      ...(tools === undefined
        ? []
        : [`Tools that anybody who gets in can call: ${tools.map(oneLine).join(", ") || "none"}${more}.`]),
      ...(origins === undefined ? [] : [`Web pages of ${origins.map(oneLine).join(", ")} may call it.`]),
    ],
    text: undefined,
    yes: "Open it",
  };
}

function finding({ rule, where, line, disguise }: Finding): string {
  const how = disguise === "plain" ? "" : ` (${disguise})`;
  return `Found: ${rule}${how}, in ${FOUND_PLACES[where]}, line ${line}. The value is not shown and has not left.`;
}
