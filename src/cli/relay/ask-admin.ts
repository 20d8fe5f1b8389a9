import { request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import type * as z from "zod/mini";
import { addressKind } from "../../net/address.ts";
import { failure } from "../../relay/admin/schemas.ts";

/** The outcome of a question to a relay's admin listener. */
export type Asked<Value> =
  | { readonly kind: "answered"; readonly value: Value }
  /** The listener's own words, or none where something else answers there. */
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly code: string | undefined;
      readonly message: string | undefined;
    }
  | { readonly kind: "unreachable"; readonly why: string };

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 4 * 1024 * 1024;

export interface AdminAddress {
  readonly base: URL;
  readonly token: string | undefined;
}

/** The address of an admin listener; without TLS only where the token does not leave this machine or network. */
export function adminUrl(text: string): URL | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "")
    return "--admin must be the address of the admin listener, such as http://127.0.0.1:8081";
  const kind = addressKind(url.hostname);
  const isName = kind === undefined;
  const isNear = isName ? !url.hostname.includes(".") : kind === "loopback" || kind === "private";
  return url.protocol === "https:" || isNear || url.hostname.endsWith(".localhost")
    ? url
    : "--admin must be https, except on this machine or network: the token travels to it";
}

/** One GET of JSON. Redirects are not followed, and no proxy is asked. */
export async function askAdmin<Value>(
  { base, token }: AdminAddress,
  path: string,
  shape: z.ZodMiniType<Value>,
): Promise<Asked<Value>> {
  const got = await get(new URL(path, base), token);
  if (typeof got === "string") return { kind: "unreachable", why: got };
  const json = parsed(got.text);
  const value = got.status === 200 ? shape.safeParse(json).data : undefined;
  if (value !== undefined) return { kind: "answered", value };
  const told = failure.safeParse(json).data?.error;
  return { kind: "refused", status: got.status, code: told?.code, message: told?.message };
}

function get(url: URL, token: string | undefined): Promise<{ status: number; text: string } | string> {
  return new Promise((resolve) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const ask = url.protocol === "https:" ? requestSecure : requestPlain;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const outgoing = ask(url, { agent: false, headers, signal });
    const failed = (error: Error): void =>
      resolve("code" in error && typeof error.code === "string" ? error.code : error.name);
    outgoing.once("error", failed);
    outgoing.once("response", (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("data", (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length > MAX_BYTES) outgoing.destroy(new Error("the answer is too long"));
      });
      response.once("error", failed);
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    });
    outgoing.end();
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
