import { Buffer } from "node:buffer";
import { ContentScanner, type Outcome } from "../../../src/oversight/filter/content-scanner.ts";
import { detectWithSecretlint } from "../../../src/oversight/filter/secretlint.ts";
import type { Outbound } from "../../../src/oversight/filter/verdict.ts";

/** The whole of both engines on one content, in pieces of any size, without a thread. */
export async function outcomeOf(
  content: string | Buffer,
  {
    piece = Number.MAX_SAFE_INTEGER,
    where = "file",
    before = "",
  }: { readonly piece?: number; readonly where?: Outbound; readonly before?: string } = {},
): Promise<Outcome> {
  const bytes = Buffer.from(content);
  const scanner = new ContentScanner(where, detectWithSecretlint, before);
  for (let at = 0; at < bytes.length; at += piece) await scanner.push(bytes.subarray(at, at + piece));
  return await scanner.end();
}
