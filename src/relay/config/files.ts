import { readFileSync, statSync } from "node:fs";
import { contextOf } from "../front/certificates.ts";
import { parseTokens, type TokenEntry } from "../auth/tokens.ts";
import { NODE_TLS_FILES, nodeTls } from "../cluster/peers/node-tls.ts";
import { variableOf, type OptionName, type RelayConfig } from "./options.ts";

/** What the files that the options name hold; read at the start and again on SIGHUP. */
export interface RelayFiles {
  readonly tokens: readonly TokenEntry[] | undefined;
  readonly blocked: ReadonlySet<string>;
  readonly adminToken: string | undefined;
  readonly authSecret: string | undefined;
}

/** Where the value of an option stands. */
type Where = (name: OptionName) => string;
const asFlag: Where = (name) => `--${name}`;

/** The files, or sentences on what is wrong with them. */
export function readFiles(
  config: RelayConfig,
  where: Where = asFlag,
): RelayFiles | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const text = (name: OptionName, file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const code = "code" in error && typeof error.code === "string" ? error.code : "";
      const why = code === "" ? "" : ` (${code})`;
      const isToCome = name === "token-file" && code === "ENOENT";
      const next = isToCome ? ": tunnel-mcp relay token create NAME makes it" : "";
      problems.push(`${where(name)}: ${file} cannot be read${why}${next}`);
      return undefined;
    }
  };
  const secret = (name: OptionName, file: string | undefined, min: number): string | undefined => {
    const word = text(name, file)?.trim();
    if (word === undefined) return undefined;
    if (isSecret(word, min)) return word;
    problems.push(`${where(name)}: the file must hold one word of ${min} to 512 characters`);
    return undefined;
  };
  const typed = (name: "admin-token" | "auth-secret", min: number): string | undefined => {
    const word = config[name];
    if (word === undefined || isSecret(word, min)) return word;
    problems.push(`${where(name)} must be one word of ${min} to 512 characters`);
    return undefined;
  };
  const tokenText = text("token-file", config["token-file"]);
  const tokens = tokenText === undefined ? undefined : parseTokens(tokenText);
  if (typeof tokens === "string")
    problems.push(`${where("token-file")}: ${config["token-file"] ?? ""}: ${tokens}`);
  const blocked = new Set(
    (text("block-file", config["block-file"]) ?? "")
      .split("\n")
      .map((line) => line.replace(/#.*$/, "").trim().toLowerCase())
      .filter((line) => line !== ""),
  );
  if (text("tls-cert", config["tls-cert"]) !== undefined && text("tls-key", config["tls-key"]) !== undefined)
    problems.push(...certificateProblems(config, where));
  problems.push(...nodeTlsProblems(config, where));
  const adminToken =
    secret("admin-token-file", config["admin-token-file"], ADMIN_CHARS) ?? typed("admin-token", ADMIN_CHARS);
  const authSecret =
    secret("auth-secret-file", config["auth-secret-file"], SECRET_CHARS) ??
    typed("auth-secret", SECRET_CHARS);
  if (problems.length > 0) return { problems };
  return { tokens: typeof tokens === "string" ? undefined : tokens, blocked, adminToken, authSecret };
}

/** Nobody is locked out after wrong guesses, which would lock out the operator behind a proxy, too: so none must have a chance. */
const ADMIN_CHARS = 16;
const SECRET_CHARS = 8;

/** Problems of certificates whose files can be read. */
function certificateProblems(config: RelayConfig, where: Where): readonly string[] {
  const { "tls-cert": cert, "tls-key": key } = config;
  if (cert === undefined || key === undefined || isRight(() => contextOf({ cert, key }))) return [];
  return [`${where("tls-cert")} and ${where("tls-key")} are no certificate with its key`];
}

function nodeTlsProblems({ "node-tls": folder }: RelayConfig, where: Where): readonly string[] {
  if (folder === undefined || isRight(() => nodeTls(folder))) return [];
  return [`${where("node-tls")}: ${folder} must hold ${Object.values(NODE_TLS_FILES).join(", ")}`];
}

function isRight(look: () => unknown): boolean {
  try {
    look();
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

const isSecret = (word: string, min: number): boolean =>
  /^[\x21-\x7e]+$/.test(word) && word.length >= min && word.length <= 512;

type Rule = readonly [isBroken: boolean, text: string];

function clusterRules(config: RelayConfig, where: Where): readonly Rule[] {
  const has = (name: OptionName): boolean => config[name] !== undefined;
  const isLoopback = /^(?:127\.|::1$)/.test(config["node-address"]?.host ?? "");
  return [
    [
      has("cluster") !== has("node-address"),
      `${where("cluster")} and ${where("node-address")}: both are needed, or none`,
    ],
    [has("node-tls") && !has("cluster"), `${where("node-tls")} needs --cluster`],
    [
      has("node-address") && !has("node-tls") && !isLoopback,
      `${where("node-address")} needs --node-tls, except on loopback`,
    ],
    [has("cluster") && has("tcp-ports"), `${where("tcp-ports")}: TCP services are for a single node`],
  ];
}

/** Options that do not go together, as sentences. */
export function conflicts(config: RelayConfig, where: Where = asFlag): readonly string[] {
  const has = (name: OptionName): boolean => config[name] !== undefined;
  const isLoopback = /^(?:127\.|::1$)/.test(config.listen.host);
  const hasAuth = has("token-file") || has("auth-url");
  const rules: readonly Rule[] = [
    [
      has("token-file") && has("auth-url"),
      `${where("token-file")} and ${where("auth-url")}: only one is possible`,
    ],
    [
      has("auth-url") && !has("auth-secret") && !has("auth-secret-file"),
      `${where("auth-url")} needs --auth-secret-file, or ${variableOf("auth-secret")}`,
    ],
    [
      has("tls-cert") !== has("tls-key"),
      `${where("tls-cert")} and ${where("tls-key")}: both are needed, or none`,
    ],
    [
      config["allow-open-http"] && (hasAuth || !isLoopback),
      `${where("allow-open-http")} is for a demo without tokens that listens on loopback alone`,
    ],
    ...clusterRules(config, where),
    [has("tcp-ports") && !hasAuth, `${where("tcp-ports")} needs tokens: --token-file or --auth-url`],
    [
      config["proxy-protocol"] && config["trusted-proxy"].length === 0,
      `${where("proxy-protocol")} needs --trusted-proxy`,
    ],
    [
      config.state !== undefined && !isFolder(config.state),
      `${where("state")}: the folder ${config.state ?? ""} is not there`,
    ],
  ];
  return rules.flatMap(([isBroken, text]) => (isBroken ? [text] : []));
}

function isFolder(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
}
