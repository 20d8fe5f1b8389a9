import { Access, type AccessOptions } from "../../../src/expose/access/access.ts";
import { parseOpenPath } from "../../../src/expose/access/open-paths.ts";
import type { Admission } from "../../../src/expose/gate.ts";
import { valuesOf, type OwnAnswer, type RawFields } from "../../../src/expose/message.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { seededPrimitives } from "../../support/random.ts";

export const ORIGIN = "https://quiet-river.example";

export interface Visit {
  readonly method?: string;
  readonly target?: string;
  readonly fields?: RawFields;
  readonly address?: string;
  readonly isUpgrade?: boolean;
}

type Passed = Extract<Admission, { kind: "pass" }>;

/** An exposure's gate and those who come to it. */
export class Door {
  readonly clock = new FakeClock();
  readonly access: Access;

  constructor(
    options: Partial<Omit<AccessOptions, "openPaths" | "clock">> & {
      readonly openPaths?: readonly string[];
      /** undefined: the address is not known yet. */
      readonly origin?: string | undefined;
    } = {},
  ) {
    const { openPaths = [], origin, ...own } = options;
    this.access = new Access({
      kinds: ["claim", "token"],
      claims: 1,
      name: "port-3000",
      lastsMs: 3_600_000,
      primitives: seededPrimitives("door"),
      ...own,
      clock: this.clock,
      openPaths: openPaths.map(parseOpenPath),
    });
    if (!("origin" in options) || origin !== undefined) this.access.publish(new URL(origin ?? ORIGIN));
  }

  visit({
    method = "GET",
    target = "/",
    fields = [],
    address = "192.0.2.1",
    isUpgrade = false,
  }: Visit): Admission {
    return this.access.gate.judge({ method, target, fields }, { address }, { isUpgrade });
  }

  /** What is passed on; the test fails where nothing is. */
  passed(visit: Visit): Passed {
    const admission = this.visit(visit);
    if (admission.kind !== "pass") throw new Error(`not let in: ${JSON.stringify(admission)}`);
    return admission;
  }

  /** What the gate says itself, through its form where it is one. */
  answer(visit: Visit, body = ""): OwnAnswer {
    const admission = this.visit(visit);
    if (admission.kind === "pass") throw new Error(`let in by ${admission.way}`);
    if (admission.kind === "inquiry") throw new Error("this gate has no authorization");
    return admission.kind === "form" ? admission.submit(body) : admission.answer;
  }

  /** The secrets of the links that nobody has used. */
  get secrets(): readonly string[] {
    return (this.access.waysIn().claim?.links ?? []).map(({ url }) => new URL(url).hash.slice(1));
  }

  get token(): string {
    return this.access.waysIn().token?.value ?? "";
  }

  /** The path of the prefix, without a slash at its end. */
  get prefix(): string {
    return new URL(this.access.waysIn().prefix?.url ?? "none:").pathname.replace(/\/$/, "");
  }

  get basic(): string {
    const { user, password } = this.access.waysIn().basic ?? { user: "", password: "" };
    return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  }

  /** Posts a claim as the page does. */
  claim(secret: string, visit: Visit = {}): OwnAnswer {
    const fields = ["Content-Type", "application/x-www-form-urlencoded", ...(visit.fields ?? [])];
    const body = new URLSearchParams({ claim: secret }).toString();
    return this.answer({ ...visit, method: "POST", target: "/.tunnel/claim", fields }, body);
  }

  /** The cookie of a new visitor: `name=value`. */
  cookie(): string {
    const [secret = ""] = this.secrets;
    const [set = ""] = valuesOf(this.claim(secret).fields ?? [], "set-cookie");
    return set.split(";", 1)[0] ?? "";
  }
}

/** How a request is dealt with, in a word: the way in, or the status. */
export function outcome(admission: Admission): string {
  if (admission.kind === "pass") return admission.way;
  return admission.kind === "answer" ? String(admission.answer.status) : admission.kind;
}

/** The value of a field of an answer. */
export function field(answer: OwnAnswer, name: string): string | undefined {
  return valuesOf(answer.fields ?? [], name)[0];
}
