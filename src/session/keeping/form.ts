import { encodeProposal } from "../../protocol/sign-off/statement.ts";

/** How words stand in a message that is no plain text. */
export interface Form {
  readonly kind: "proposal" | "statement";
  /** Makes the content of the message from its words, which are what a person is shown and what is searched. */
  readonly make: (words: string) => string;
}

/** The outcome of a proposal. */
export const PROPOSAL: Form = { kind: "proposal", make: encodeProposal };
