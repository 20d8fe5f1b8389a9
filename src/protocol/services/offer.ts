import * as z from "zod/mini";
import { bytesOf, decodeJson, jsonText, ordinal } from "../base/header.ts";
import { OFFER_ID_BYTES } from "../base/ids.ts";
import { SERVICE } from "../base/limits.ts";
import { isLabelUpTo } from "../base/text.ts";
import { isNote } from "../files/note.ts";
import { SERVICE_KINDS } from "./kinds.ts";

export function isServiceName(name: string): boolean {
  return isLabelUpTo(name, SERVICE.maxNameChars);
}

const yes = z.literal(true);

/** The offer of a service of its sender's machine: the content of a message with `what: "file"` (X1). It holds no address. */
const offerSchema = z.strictObject({
  id: bytesOf(OFFER_ID_BYTES),
  /** Seals the connections (K12): a member that can read the offer can make one. */
  key: bytesOf(32),
  service: z.enum(SERVICE_KINDS),
  name: z.string().check(z.refine(isServiceName)),
  /** The port that it has at its owner's: what a taker listens on by default. */
  port: z.optional(ordinal.check(z.lte(65_535))),
  /** The owner lets nothing but GET, HEAD and OPTIONS pass. */
  readOnly: z.optional(yes),
  /** How long it lives from when it is said. */
  lifeMs: z.optional(ordinal.check(z.lte(SERVICE.maxLifeMs))),
  /** Connections at once, all takers together. */
  most: z.optional(ordinal.check(z.lte(SERVICE.maxConnections))),
  /** The owner's person says yes to each connection. */
  confirms: z.optional(yes),
  note: z.optional(z.string().check(z.refine(isNote))),
});

export type ServiceOffer = z.infer<typeof offerSchema>;

/** The end of an offer, said by its owner (X2). */
const withdrawalSchema = z.strictObject({ withdraws: bytesOf(OFFER_ID_BYTES) });

/** As the text of a message. */
export function encodeServiceOffer(offer: ServiceOffer): string {
  return jsonText(offer);
}

/** `undefined` for what is no offer. */
export function decodeServiceOffer(text: string): ServiceOffer | undefined {
  return decodeJson(offerSchema, text);
}

/** As the text of a message. */
export function encodeWithdrawal(service: ServiceOffer["id"]): string {
  return jsonText({ withdraws: service });
}

/** The id of the service; `undefined` for what is no withdrawal. */
export function decodeWithdrawal(text: string): ServiceOffer["id"] | undefined {
  return decodeJson(withdrawalSchema, text)?.withdraws;
}
