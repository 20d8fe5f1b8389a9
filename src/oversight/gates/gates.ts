/**
 * What a person decides before it happens (issue 16). One table: a gate is a name in asks, in `TUNNEL_GATES` and in documents, and
 * nothing else says when it stands, who may answer, or how long an ask waits.
 */
export interface GateEntry {
  /** The reason, as a person and an agent read it: completes "held, since …". */
  readonly because: string;
  /** `always`: no setting takes it away. `by-choice`: stands where a person has asked for it. */
  readonly stands: "always" | "by-choice";
  /** Whether `TUNNEL_UNATTENDED=1` lets it through: the person has said that nobody is there, and what may happen then. */
  readonly unattended: "opens" | "stays";
  /**
   * Which prompt of the client may answer, where the table of clients (src/mcp/clients/answers.ts) has a row for it. `call`: its
   * question before the call, where the arguments say all that is decided. `form`: a form that it draws when the call is held.
   * What is not answered there is not decided: it never opens the gate (H27).
   */
  readonly byClient: "call" | "form" | "nothing";
  /** Minutes until an ask about it expires. Nothing is refused by that: it has not been decided. */
  readonly minutes: number;
}

export const GATES = {
  secret: {
    because: "it has what looks like a secret in it",
    stands: "always",
    unattended: "stays",
    byClient: "form",
    minutes: 60,
  },
  "sensitive-file": {
    because: "a file of this name usually holds secrets",
    stands: "always",
    unattended: "stays",
    byClient: "form",
    minutes: 60,
  },
  "outside-roots": {
    because: "the file is outside the folders that may be shared from",
    stands: "always",
    unattended: "stays",
    byClient: "form",
    minutes: 60,
  },
  "not-scanned": {
    because: "its content could not be searched for secrets",
    stands: "always",
    unattended: "opens",
    byClient: "form",
    minutes: 60,
  },
  /** Its question is the client's own, before the call: no ask is opened, and other clients go by their own approvals. */
  receive: {
    because: "what a member offers would be saved on this machine",
    stands: "always",
    unattended: "opens",
    byClient: "call",
    minutes: 60,
  },
  expose: {
    because: "a service of this machine would get a public address",
    stands: "always",
    unattended: "opens",
    byClient: "call",
    minutes: 60,
  },
  "offer-service": {
    because: "a service of this machine would be offered to others in the tunnel",
    stands: "always",
    unattended: "opens",
    byClient: "form",
    minutes: 60,
  },
  // A peer causes it, at any time: no call of this side's agent is there to be asked about.
  "visit-service": {
    because: "a member would connect to a service of this machine",
    stands: "always",
    unattended: "opens",
    byClient: "nothing",
    minutes: 10,
  },
  // A link that was approved may be used at any time, and then somebody who is no member reads the others' words as well.
  observer: {
    because: "somebody who is no member would read along",
    stands: "always",
    unattended: "stays",
    byClient: "nothing",
    minutes: 60,
  },
  // A client may answer forms by itself, and a loop is to end at a person.
  budget: {
    because: "the agents have used up what they may use without a person",
    stands: "always",
    unattended: "stays",
    byClient: "nothing",
    minutes: 24 * 60,
  },
  "new-member": {
    because: "you want to be asked before somebody joins",
    stands: "by-choice",
    unattended: "stays",
    byClient: "nothing",
    minutes: 10,
  },
  "hold-out": {
    because: "you want to see each message before it leaves",
    stands: "by-choice",
    unattended: "stays",
    byClient: "form",
    minutes: 24 * 60,
  },
  "hold-in": {
    because: "you want to see each message before your agent does",
    stands: "by-choice",
    unattended: "stays",
    byClient: "nothing",
    minutes: 24 * 60,
  },
} as const satisfies Readonly<Record<string, GateEntry>>;

export type Gate = keyof typeof GATES;

/** At least one, as a schema wants it. */
export const GATE_NAMES = Object.keys(GATES) as [Gate, ...Gate[]];

/** The gates that a person may ask for. */
export type ChosenGate = {
  [Name in Gate]: (typeof GATES)[Name]["stands"] extends "by-choice" ? Name : never;
}[Gate];

export const CHOSEN_GATES: readonly ChosenGate[] = GATE_NAMES.filter(isChosenGate);

function isChosenGate(name: Gate): name is ChosenGate {
  return GATES[name].stands === "by-choice";
}

/** Those of `gates` that stand in the way where nobody may be there to answer. */
export function standing(
  gates: readonly Gate[],
  { isUnattended }: { isUnattended: boolean },
): readonly Gate[] {
  return gates.filter((gate) => !(isUnattended && GATES[gate].unattended === "opens"));
}
