import * as z from "zod/mini";
import { KINDS } from "../../uplink/messages.ts";
import type { ClaimEvent } from "../claims/claims.ts";

const word = z.string().check(z.minLength(1), z.maxLength(128));
const epoch = z.int().check(z.minimum(1));
const port = z.optional(z.int().check(z.minimum(1), z.maximum(65_535)));
const name = { kind: z.enum(KINDS), name: word };

/** A name in the bucket of claims. Its epoch is the revision of the entry. */
const claimEntry = z.object({
  ...name,
  key: word,
  state: z.enum(["held", "away", "done"]),
  /** The node of a held one. */
  node: z.optional(word),
  /** Nodes that may serve an older claim on it still: whoever takes the name has to see to them, too. */
  behind: z.array(word).check(z.maxLength(64)),
  port,
  owner: z.optional(word),
  /** Tells one write from another of the same content. */
  attempt: word,
});
export type ClaimEntry = z.infer<typeof claimEntry>;

const nodeFacts = z.object({
  /** HOST:PORT for other nodes. */
  address: z.optional(z.string().check(z.maxLength(256))),
  /** Versions of what nodes say to each other. */
  versions: z.array(z.int()),
  isLeaving: z.boolean(),
  hosts: z.int(),
  connections: z.int(),
});
/** A node's facts, as it tells them to the others. */
export type NodeFacts = z.infer<typeof nodeFacts>;

/** Nodes whose word extends the lease while the engine does not answer: who closes it tells one of them. */
const witnesses = z.array(word).check(z.maxLength(8));
/** A node in the bucket of nodes: its own lease, or the mark of another node that has closed it. */
const nodeEntry = z.discriminatedUnion("state", [
  z.object({ state: z.literal("live"), facts: nodeFacts, witnesses }),
  /** `fence` stays the same as long as the lease stays closed, whoever writes the mark anew. */
  z.object({ state: z.literal("fenced"), fence: word, witnesses, facts: z.optional(nodeFacts) }),
]);
export type NodeEntry = z.infer<typeof nodeEntry>;

const claim = z.object({ ...name, key: word, epoch, node: z.optional(word), port });
const claimEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("claimed"), claim }),
  z.object({ type: z.literal("away"), claim }),
  z.object({ type: z.literal("released"), claim: z.object(name), epoch }),
]);
const fromNode = z.object({ from: word, event: claimEvent });

const nodeMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("close"), claim: z.object(name), epoch }),
  /** The claim is another node's: whoever serves a smaller epoch stops before it answers. */
  z.object({ type: z.literal("moved"), claim }),
  /** A node that the engine does not answer asks a witness whether its lease of that revision is open. */
  z.object({ type: z.literal("lease"), of: word, revision: z.int() }),
  /** The lease of a node is closed, by a mark of that revision: no word is given for it any more. */
  z.object({ type: z.literal("closed"), of: word, revision: z.int() }),
]);
export type ClusterMessage = z.infer<typeof nodeMessage>;

const wordText = z.object({
  isOpen: z.boolean(),
  /** How long ago the engine has taken a renewal of the witness itself. */
  renewedAgoMs: z.int(),
});
/** The word of a witness. From an open lease on, the witness closes it only by a mark that is waited for. */
export type Word = z.infer<typeof wordText>;

/** Undefined for what this version does not know: a newer node may say more. */
function parsed<T>(schema: z.ZodMiniType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export const parseClaimEntry = (text: string): ClaimEntry | undefined => parsed(claimEntry, text);
export const parseNodeEntry = (text: string): NodeEntry | undefined => parsed(nodeEntry, text);
export const parseWord = (text: string): Word | undefined => parsed(wordText, text);
export const parseMessage = (text: string): ClusterMessage | undefined => parsed(nodeMessage, text);

export function parseEvent(
  text: string,
): { readonly from: string; readonly event: Exclude<ClaimEvent, { type: "lost" }> } | undefined {
  const found = parsed(fromNode, text);
  if (found === undefined) return undefined;
  const { from, event } = found;
  if (event.type === "released") return { from, event };
  return { from, event: { ...event, claim: whole(event.claim) } };
}

/** With every field, which JSON leaves out where it is undefined. */
export const whole = <T extends { node?: string | undefined; port?: number | undefined }>(
  value: T,
): T & { node: string | undefined; port: number | undefined } => ({
  ...value,
  node: value.node,
  port: value.port,
});
