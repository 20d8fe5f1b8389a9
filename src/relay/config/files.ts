import { readFileSync, statSync } from "node:fs";
import { parseTokens, type TokenEntry } from "../auth/tokens.ts";
import type { RelayConfig } from "./options.ts";

/** What the files that the options name hold; read at the start and again on SIGHUP. */
export interface RelayFiles {
  readonly tokens: readonly TokenEntry[] | undefined;
  readonly blocked: ReadonlySet<string>;
  readonly adminToken: string | undefined;
  readonly authSecret: string | undefined;
}

/** The files, or sentences on what is wrong with them. */
export function readFiles(config: RelayConfig): RelayFiles | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const text = (name: string, file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      problems.push(`the file of ${name} cannot be read`);
      return undefined;
    }
  };
  const secret = (name: string, file: string | undefined): string | undefined => {
    const word = text(name, file)?.trim();
    if (word === undefined) return undefined;
    if (/^[\x21-\x7e]{8,512}$/.test(word)) return word;
    problems.push(`the file of ${name} must hold one word of 8 to 512 characters`);
    return undefined;
  };
  const tokenText = text("token-file", config["token-file"]);
  const tokens = tokenText === undefined ? undefined : parseTokens(tokenText);
  if (typeof tokens === "string") problems.push(`the file of token-file is not good: ${tokens}`);
  const blocked = new Set(
    (text("block-file", config["block-file"]) ?? "")
      .split("\n")
      .map((line) => line.replace(/#.*$/, "").trim().toLowerCase())
      .filter((line) => line !== ""),
  );
  const adminToken = secret("admin-token-file", config["admin-token-file"]) ?? config["admin-token"];
  const authSecret = secret("auth-secret-file", config["auth-secret-file"]) ?? config["auth-secret"];
  if (problems.length > 0) return { problems };
  return { tokens: typeof tokens === "string" ? undefined : tokens, blocked, adminToken, authSecret };
}

/** Options that do not go together, as sentences. */
export function conflicts(config: RelayConfig): readonly string[] {
  const problems: string[] = [];
  const isLoopback = /^(?:127\.|::1$)/.test(config.listen.host);
  const hasAuth = config["token-file"] !== undefined || config["auth-url"] !== undefined;
  if (config["token-file"] !== undefined && config["auth-url"] !== undefined)
    problems.push("token-file and auth-url: only one is possible");
  if (
    config["auth-url"] !== undefined &&
    config["auth-secret"] === undefined &&
    config["auth-secret-file"] === undefined
  )
    problems.push("auth-url needs auth-secret or auth-secret-file");
  if ((config["tls-cert"] === undefined) !== (config["tls-key"] === undefined))
    problems.push("tls-cert and tls-key: both are needed, or none");
  if (config["allow-open-http"] && (hasAuth || !isLoopback))
    problems.push("allow-open-http is for a demo without tokens that listens on loopback alone");
  if (config["tcp-ports"] !== undefined && !hasAuth) problems.push("tcp-ports needs tokens");
  if (config["proxy-protocol"] && config["trusted-proxy"].length === 0)
    problems.push("proxy-protocol needs trusted-proxy");
  if (config.state !== undefined && !isFolder(config.state))
    problems.push("the folder of state is not there");
  return problems;
}

function isFolder(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
}
