import { OFFER_ID_BYTES } from "../../protocol/base/ids.ts";
import * as z from "zod/mini";
import { toBase64url, toHex } from "../../protocol/base/bytes.ts";
import { bytesOf, counter, jsonText } from "../../protocol/base/header.ts";
import { parseJson } from "../../protocol/base/json.ts";
import { isFileName, type FileOffer } from "../../protocol/files/offer.ts";
import type { OutlineLine } from "../../protocol/files/tree.ts";
import { SERVICE_KINDS } from "../../protocol/services/kinds.ts";
import { decodeWithdrawal, isServiceName, type ServiceOffer } from "../../protocol/services/offer.ts";
import { isText } from "../../protocol/base/text.ts";
import { decodeProposal, decodeStatement } from "../../protocol/sign-off/statement.ts";
import { withoutLinks } from "./redact.ts";

/**
 * An offer as a transcript holds it (J4): all but its key. A transcript is made to be passed on, and anybody who has
 * recorded the traffic could open the file with that key.
 */
export function offerText({ id, name, size, hash, note, patch, tree }: FileOffer): string {
  return JSON.stringify({
    id: toBase64url(id),
    name: withoutLinks(name),
    size,
    hash: toBase64url(hash),
    ...(note === undefined ? {} : { note: withoutLinks(note) }),
    ...(patch === undefined ? {} : { patch }),
    ...(tree === undefined ? {} : { tree: { ...tree, outline: tree.outline.map(withoutLinksIn) } }),
  });
}

function withoutLinksIn(line: OutlineLine): OutlineLine {
  return { ...line, path: withoutLinks(line.path) };
}

/** The offer of a service, also without its key (J4). */
export function serviceOfferText(offer: ServiceOffer): string {
  const { name, note } = offer;
  return jsonText({
    ...offer,
    key: undefined,
    name: withoutLinks(name),
    ...(note === undefined ? {} : { note: withoutLinks(note) }),
  });
}

/** What a folder holds, by the words of its sender. */
const shownTree = z.object({
  files: counter,
  bytes: counter,
  outline: z.array(
    z.object({ path: z.string().check(z.refine(isText)), size: counter, files: z.optional(counter) }),
  ),
});

/** Not strict: more than this, a key above all, may stand in a transcript of another program, and is not shown. */
const shownOffer = z.object({
  id: bytesOf(OFFER_ID_BYTES),
  name: z.string().check(z.refine(isFileName)),
  size: counter,
  hash: bytesOf(32),
  note: z.optional(z.string().check(z.refine(isText))),
  tree: z.optional(shownTree),
});

const shownService = z.object({
  id: bytesOf(OFFER_ID_BYTES),
  service: z.enum(SERVICE_KINDS),
  name: z.string().check(z.refine(isServiceName)),
  note: z.optional(z.string().check(z.refine(isText))),
});

/** The offer for people to read; undefined where the text is no offer. */
export function describedOffer(text: string): string | undefined {
  return describedFile(text) ?? describedService(text) ?? describedSigning(text);
}

/** A step of signing off; whether it holds is not said here. */
function describedSigning(text: string): string | undefined {
  const outcome = decodeProposal(text);
  if (outcome !== undefined)
    return `proposes this outcome, to be signed by the humans of all members:\n${outcome}`;
  const statement = decodeStatement(text);
  if (statement === undefined) return undefined;
  const { seq, verdict, reason, made, key } = statement;
  const where = made === "page" ? "on a page" : "in a terminal";
  const what = verdict === "done" ? "signs the outcome" : "refuses to sign the outcome";
  const facts = `${what} of entry ${seq}, as a human, with the key ${toBase64url(key)} made ${where}`;
  return reason === undefined ? facts : `${facts}\n${reason}`;
}

function describedService(text: string): string | undefined {
  const withdrawn = decodeWithdrawal(text);
  if (withdrawn !== undefined) return `withdraws the service of the id ${toBase64url(withdrawn)}`;
  const parsed = shownService.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { id, service, name, note } = parsed.data;
  const facts = `offers the service ${name}\n${service}, id ${toBase64url(id)}`;
  return note === undefined ? facts : `${facts}\n${note}`;
}

function describedFile(text: string): string | undefined {
  const parsed = shownOffer.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { id, name, size, hash, note, tree } = parsed.data;
  const what = tree === undefined ? "file" : "folder";
  const facts = `offers the ${what} ${name}\n${size} bytes, SHA-256 ${toHex(hash)}, id ${toBase64url(id)}`;
  return [facts, ...(note === undefined ? [] : [note]), ...(tree === undefined ? [] : treeLines(tree))].join(
    "\n",
  );
}

/** All that went, as far as the offer names it: a folder stands for what is below it. */
function treeLines({ files, bytes, outline }: z.infer<typeof shownTree>): string[] {
  const lines = outline.map((line) => {
    const count = line.files === undefined ? "" : `${line.files} files, `;
    return `- ${line.path} (${count}${line.size} bytes)`;
  });
  return [`it holds ${files} files of ${bytes} bytes:`, ...lines];
}
