import { OFFER_ID_BYTES } from "../base/ids.ts";
import * as z from "zod/mini";
import { bytesOf, counter, decodeJson, jsonText } from "../base/header.ts";
import { FILE } from "../base/limits.ts";
import { isFileName } from "./names.ts";
import { isNote } from "./note.ts";
import { treeFacts } from "./tree.ts";

export { isFileName };

const patch = z.strictObject({
  /** The commit that the patch was made against; left out where it begins a repository. */
  base: z.optional(z.string().check(z.regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/))),
  files: counter,
  insertions: counter,
  deletions: counter,
});

/** The offer of a file that others may fetch: the content of a message with `what: "file"` (B1). */
const offerSchema = z.strictObject({
  id: bytesOf(OFFER_ID_BYTES),
  /** Seals the chunks (K9): a member that can read the offer can open the file. */
  key: bytesOf(32),
  name: z.string().check(z.refine(isFileName)),
  size: counter.check(z.lte(FILE.maxBytes)),
  /** SHA-256 of the whole; of a tree, that of its list, in which the hashes of all files stand. */
  hash: bytesOf(32),
  note: z.optional(z.string().check(z.refine(isNote))),
  patch: z.optional(patch),
  /** A folder, or several files (B8). */
  tree: z.optional(treeFacts),
});

export type FileOffer = z.infer<typeof offerSchema>;
export type PatchFacts = z.infer<typeof patch>;

/** As the text of a message. */
export function encodeOffer(offer: FileOffer): string {
  return jsonText(offer);
}

/** `undefined` for what is no offer. */
export function decodeOffer(text: string): FileOffer | undefined {
  return decodeJson(offerSchema, text);
}
