import { TunnelError } from "../../errors/tunnel-error.ts";
import type { Exchange } from "./exchange.ts";
import { LISTED } from "./limits.ts";

/** A list of requests as it is asked for. */
export interface RequestFilterInput {
  /** Only those with a higher id. */
  readonly sinceId?: number | undefined;
  readonly method?: string | undefined;
  /** A part of path and query; with `*` at the end, their beginning. */
  readonly path?: string | undefined;
  /** 404, "404" or a class, "5xx". */
  readonly status?: number | string | undefined;
  readonly limit?: number | undefined;
}

export interface RequestFilter {
  readonly limit: number;
  readonly sinceId: number;
  /** @param target as it is shown: nobody can find out a secret in it by looking for its letters */
  matches(exchange: Exchange, target: () => string): boolean;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;

/** @throws {TunnelError} input-invalid */
export function requestFilter(input: RequestFilterInput): RequestFilter {
  const sinceId = input.sinceId ?? 0;
  const limit = input.limit ?? LISTED.defaultCount;
  if (!Number.isSafeInteger(sinceId) || sinceId < 0)
    throw invalid("sinceId must be a whole number, at least 0");
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > LISTED.maxCount)
    throw invalid(`limit must be a whole number from 1 to ${LISTED.maxCount}`);
  const isMethod = methodTest(input.method);
  const isPath = pathTest(input.path);
  const isStatus = statusTest(input.status);
  return {
    limit,
    sinceId,
    matches: ({ method, response }, target) =>
      isMethod(method) && isStatus(response?.status) && isPath(target),
  };
}

function methodTest(method: string | undefined): (own: string) => boolean {
  if (method === undefined) return () => true;
  if (!TOKEN.test(method)) throw invalid('method must be one word, such as "POST"');
  const wanted = method.toUpperCase();
  return (own) => own.toUpperCase() === wanted;
}

function pathTest(path: string | undefined): (own: () => string) => boolean {
  if (path === undefined) return () => true;
  const star = path.indexOf("*");
  if (path.length > LISTED.maxPathChars || (star >= 0 && star < path.length - 1) || path === "")
    throw invalid('path must be a part of a path, or its beginning and a *, such as "/hooks/*"');
  const start = path.slice(0, -1);
  return star < 0 ? (own) => own().includes(path) : (own) => own().startsWith(start);
}

function statusTest(status: number | string | undefined): (own: number | undefined) => boolean {
  if (status === undefined) return () => true;
  const [, digits = "", rest = ""] = /^([1-5])(\d\d|xx)$/i.exec(String(status)) ?? [];
  if (digits === "") throw invalid('status must be a number such as 404, or a class such as "5xx"');
  const least = Number(digits) * 100;
  if (rest.toLowerCase() === "xx") return (own) => own !== undefined && own >= least && own < least + 100;
  return (own) => own === least + Number(rest);
}

function invalid(detail: string): TunnelError {
  return new TunnelError("input-invalid", { detail });
}
