import { addressKind } from "../../net/address.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { hostOf, isLocalName, portOf } from "./parse.ts";

/** A target that a human has listed: it may be exposed although it is on another machine, or is dangerous. */
export interface AllowedTarget {
  /** As `hostOf` writes it. */
  readonly host: string;
  readonly port: number;
}

/** The form of the list, to follow "must be". */
export const ALLOW_FORM = "targets as HOST:PORT, separated by commas, such as db.lan:8080,localhost:9229";

/** The targets in a list that is not empty; undefined where one of them does not have the form. */
export function parseAllow(text: string): readonly AllowedTarget[] | undefined {
  const listed = entriesOf(text).map(allowedTarget);
  const usable = listed.filter((one) => one !== undefined);
  return usable.length > 0 && usable.length === listed.length ? usable : undefined;
}

/** Those of the list that have the form. */
export function usableAllow(text: string): readonly AllowedTarget[] {
  return entriesOf(text)
    .map(allowedTarget)
    .filter((one) => one !== undefined);
}

/**
 * Whether a human has listed this target, by its name and port. All names and addresses of the loopback interface are one
 * host; any other name is not what it resolves to.
 */
export function isListed(allow: readonly AllowedTarget[], { host, port }: AllowedTarget): boolean {
  return allow.some((one) => one.port === port && hostKey(one.host) === hostKey(host));
}

const hostKey = (host: string): string =>
  isLocalName(host) || addressKind(host) === "loopback" ? "localhost" : host;

function entriesOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((entry) => entry !== "");
}

function allowedTarget(entry: string): AllowedTarget | undefined {
  const [, host, port] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+):(\d+)$/i.exec(entry) ?? [];
  if (host === undefined || port === undefined) return undefined;
  try {
    return { host: hostOf(host), port: portOf(port) };
  } catch (error) {
    if (error instanceof TunnelError) return undefined;
    throw error;
  }
}
