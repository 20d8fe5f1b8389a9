import type { Buffer } from "node:buffer";
import { plainSecret } from "../../oversight/filter/scanner.ts";
import { foldedSegment } from "./names.ts";

/**
 * Files that are almost never meant when an agent shares one, by their names: a person is asked first. Few and precise rules: one
 * that cries wolf is switched off. What is in them is searched by the outbound filter.
 */

interface NameRule {
  readonly rule: string;
  /** Against the last names of the real path, folded, with `/` between and in front. */
  readonly pattern: RegExp;
}

const NAME_RULES: readonly NameRule[] = [
  { rule: "private SSH key", pattern: /\/id_(?:rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss)$/ },
  { rule: "private SSH key", pattern: /\/ssh_host_\w+_key$/ },
  { rule: "key store", pattern: /\.(?:p12|pfx|jks|keystore|kdbx|kdb|ppk|keychain|keychain-db)$/ },
  { rule: "GnuPG keys", pattern: /\/\.gnupg\/|\/(?:secring\.gpg|private-keys-v1\.d\/.*)$/ },
  {
    rule: "environment file",
    pattern: /\/\.env(?:rc)?$|\/\.env\.(?!(?:[\w-]+\.)?(?:example|sample|template|dist)$)[^/]*$/,
  },
  { rule: "git's own folder", pattern: /\/\.git\/(?:config|credentials)$/ },
  {
    rule: "passwords of programs",
    pattern: /\/(?:\.|_)netrc$|\/\.pgpass$|\/\.my\.cnf$|\/\.git-credentials$/,
  },
  { rule: "git credentials", pattern: /\/\.config\/git\/credentials$/ },
  {
    rule: "tokens of a package registry",
    pattern: /\/\.pypirc$|\/\.gem\/credentials$|\/\.cargo\/credentials(?:\.toml)?$/,
  },
  {
    rule: "cloud credentials",
    pattern: /\/\.aws\/(?:credentials$|sso\/cache\/|cli\/cache\/)|\/\.azure\/[^/]*(?:token|profile)[^/]*$/,
  },
  {
    rule: "cloud credentials",
    pattern:
      /\/gcloud\/(?:credentials\.db|access_tokens\.db|application_default_credentials\.json|legacy_credentials\/.*)$/,
  },
  {
    rule: "cloud credentials",
    pattern:
      /\/(?:\.kube\/config|\.docker\/config\.json|\.terraformrc|credentials\.tfrc\.json|\.vault-token)$/,
  },
  {
    rule: "cloud credentials",
    pattern: /\.tfstate(?:\.backup)?$|\/\.oci\/config$|\/\.config\/doctl\/config\.yaml$/,
  },
  { rule: "GitHub credentials", pattern: /\/(?:gh|github cli|hub)\/hosts\.yml$|\/\.config\/hub$/ },
  {
    rule: "credentials of an agent",
    pattern:
      /\/\.claude\/\.credentials\.json$|\/\.codex\/auth\.json$|\/\.gemini\/oauth_creds\.json$|\/\.claude\.json$/,
  },
  {
    rule: "cookies or passwords of a browser",
    pattern:
      /\/(?:cookies|login data|web data)(?:-journal|-wal)?$|\/(?:cookies\.sqlite|key[34]\.db|logins\.json|cookies\.binarycookies)(?:-wal|-shm)?$/,
  },
  { rule: "key ring", pattern: /\/(?:login|default)\.keyring$|\/library\/keychains\// },
  {
    rule: "shell history",
    pattern:
      /\/\.(?:bash|zsh|sh|python|node_repl|psql|mysql|sqlite|rediscli|irb|lesshst)_?history$|\/(?:fish_history|consolehost_history\.txt)$|\/\.zhistory$/,
  },
  { rule: "password hashes", pattern: /\/etc\/(?:shadow|gshadow|master\.passwd)-?$|\/\.htpasswd$/ },
];

/** The rule that a path breaks by its names alone. Paths of any platform, with case and Unicode tricks undone. */
export function sensitiveName(file: string): string | undefined {
  const folded = `/${file
    .split(/[\\/]+/)
    .filter((segment) => segment !== "")
    .map(foldedSegment)
    .join("/")}`;
  return NAME_RULES.find(({ pattern }) => pattern.test(folded))?.rule;
}

/** The rule that the bytes break, by the table of the outbound filter. */
export function sensitiveContent(bytes: Buffer): string | undefined {
  const rule = plainSecret(bytes);
  return rule === undefined ? undefined : `${rule} inside`;
}
