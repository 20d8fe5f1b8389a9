import type { AccessKind } from "./kinds.ts";
import type { OpenPath } from "./open-paths.ts";

/** A link for one person or device. */
export interface ClaimLink {
  readonly id: string;
  readonly url: string;
}

/** How each kind of visitor gets in, for the one who hands it on: it holds secrets. A way that is not on is left out. */
export interface AccessWays {
  /** Links that nobody has used yet. */
  readonly claim: { readonly for: string; readonly links: readonly ClaimLink[] } | undefined;
  readonly token: { readonly for: string; readonly field: string; readonly value: string } | undefined;
  /** `paths` undefined: all of them. */
  readonly prefix:
    { readonly for: string; readonly url: string; readonly paths: readonly string[] | undefined } | undefined;
  readonly basic: { readonly for: string; readonly user: string; readonly password: string } | undefined;
  readonly openPaths: { readonly for: string; readonly paths: readonly string[] } | undefined;
  readonly open: { readonly for: string } | undefined;
  /** The token of an MCP server, for `Authorization: Bearer`. */
  readonly bearer?: string;
  /** Clients of an MCP server can sign in, with the address alone. */
  readonly oauth?: { readonly for: string };
  readonly warnings: readonly string[];
}

/** Everything there is to hand on, whether its way is on or not. */
export interface Handed {
  /** The public address; undefined until it is known. */
  readonly origin: URL | undefined;
  readonly links: readonly ClaimLink[];
  readonly token: { readonly field: string; readonly value: string };
  /** `paths` undefined: all of them. */
  readonly prefix: { readonly url: string; readonly paths: readonly OpenPath[] | undefined } | undefined;
  readonly basic: { readonly user: string; readonly password: string };
  readonly openPaths: readonly OpenPath[];
}

/** The ways that are on. */
export function waysOf(kinds: ReadonlySet<AccessKind>, handed: Handed): AccessWays {
  const { links, token, prefix, basic, openPaths } = handed;
  const on = <Way>(kind: AccessKind, way: Way): Way | undefined => (kinds.has(kind) ? way : undefined);
  return {
    claim: on("claim", {
      for: "people: one link for each person or device, good once, in a browser",
      links,
    }),
    token: on("token", { for: "scripts: a field of each request", ...token }),
    prefix:
      prefix &&
      on("prefix", {
        for: "fetchers that can set no field: stands before a path, for GET and HEAD",
        url: prefix.url,
        paths: prefix.paths && textsOf(prefix.paths),
      }),
    basic: on("basic", { for: "clients that know HTTP Basic and nothing else", ...basic }),
    openPaths:
      openPaths.length === 0
        ? undefined
        : { for: "anybody, without a credential", paths: textsOf(openPaths) },
    open: on("open", { for: "anybody who learns the address, without a credential" }),
    warnings: warningsOf(kinds, handed),
  };
}

function textsOf(paths: readonly OpenPath[]): readonly string[] {
  return paths.map(({ text }) => text);
}

function warningsOf(
  kinds: ReadonlySet<AccessKind>,
  { origin, prefix, openPaths }: Handed,
): readonly string[] {
  const warnings: string[] = [];
  if (origin?.protocol === "http:" && !kinds.has("open"))
    warnings.push(
      "The address is plain http: whoever is on the way reads everything, credentials included. The cookie goes without Secure, and every other server on the same host name is sent it too.",
    );
  if (kinds.has("open")) warnings.push("Open to anybody who learns the address.");
  if (kinds.has("prefix") && prefix !== undefined && prefix.paths === undefined)
    warnings.push(
      'The prefix opens every path to GET and HEAD. List paths to narrow it, such as "GET /images/*".',
    );
  for (const { text, path, isStart } of openPaths)
    if (isStart && path === "/") warnings.push(`"${text}" opens every path of the service to anybody.`);
  return warnings;
}
