import type { Gate } from "../gate.ts";

/** Lets everybody in, and changes nothing. */
export const OPEN_GATE: Gate = {
  judge: ({ target, fields }) => ({
    kind: "pass",
    way: "open",
    visitor: undefined,
    target,
    fields,
    respond: (head) => head,
  }),
};
