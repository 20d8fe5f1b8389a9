import type { StatementView } from "../entries.ts";
import type { SignatoryView, SignOffView } from "./sign-off.ts";

/** Signing off in words of this program; names and a person's words are made safe by whoever shows them. */

const PLACES = { page: "on a page", terminal: "in a terminal" } as const;

/** How a proposal stands, as a sentence. @param name as it may be shown */
export function signOffState(view: SignOffView, name: (label: string) => string): string {
  const { state, signedAt, messagesSince } = view;
  const missing = view.members.filter(({ verdict }) => verdict !== "done").map((one) => name(one.name));
  switch (state) {
    case "signed":
      return "Everybody has signed: it is done.";
    case "open":
      return `Not signed yet: ${missing.join(", ")}.`;
    case "refused":
      return "It was refused: it is not done.";
    case "replaced":
      return "A later proposal has replaced it.";
    case "stale": {
      const count = messagesSince === 1 ? "1 message came" : `${messagesSince} messages came`;
      const before = signedAt === undefined ? "" : "Everybody had signed. ";
      return `${before}It is stale: ${count} after it, which no signature covers.`;
    }
  }
}

/** The answer of one who was asked, without their reason. */
export function signatoryState({ verdict, made, seq }: SignatoryView): string {
  if (verdict === undefined || made === undefined) return "not yet";
  return `${verdict === "done" ? "signed" : "refused"} (entry ${seq}, key made ${PLACES[made]})`;
}

const STANDINGS = {
  counts: "",
  late: ", which counts for nothing: it came too late",
  unsound: ", which counts for nothing: the signature does not hold",
} as const;

/** Says an entry of the log in words that complete a name. */
export function statementText({ verdict, proposal, standing }: StatementView): string {
  const what = verdict === "done" ? "has signed" : "has refused to sign";
  return `${what} the outcome of entry ${proposal}${STANDINGS[standing]}`;
}
