import { Buffer } from "node:buffer";
import { hasBase36Checksum, hasBase62Checksum } from "./checksums.ts";
import { isPlaceholder, isSample } from "./placeholders.ts";

/**
 * The forms of secrets that are found by this project's own table. Each names a prefix or a mark that nothing else has: there
 * is no rule for randomness, since hashes, lock files and ids are as random as keys, and none for `password =`.
 */
export interface ContentRule {
  /** With its article, as it stands in a sentence. */
  readonly rule: string;
  /** Lower case. The pattern is tried where one of them begins, and nowhere else. */
  readonly keywords: readonly string[];
  /** Sticky, with bounded repetitions; its first group is what is random in it. It sees {@link LOOK_BACK} bytes before. */
  readonly pattern: RegExp;
  /** May stand right behind a letter or a digit. */
  readonly mayFollow?: true;
  /** Is never written over the end of a line: it would be found in code that is only near it. */
  readonly isOnOneLine?: true;
  /** Bytes that the pattern sees from the keyword on, where {@link SPAN} is too little. */
  readonly span?: number;
  /** Whether what matched is a secret; where left out, unless it is a sample. */
  readonly isSecret?: (match: RegExpExecArray) => boolean;
  /** Whether nothing else can have this form. */
  readonly isCertain?: (match: string) => boolean;
}

/** Bytes before a keyword that a pattern can look back at. */
export const LOOK_BACK = 512;
/** Bytes from a keyword on that a pattern sees. */
export const SPAN = 768;

const always = (): boolean => true;
const anything = (): boolean => true;

export const CONTENT_RULES: readonly ContentRule[] = [
  {
    rule: "a private key",
    keywords: ["-----begin"],
    // Code that names the header closes its quotation there.
    pattern: /-----BEGIN ?(?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?!(?:\\r)?(?:\\n)?["'`/)(|])/y,
    mayFollow: true,
    isSecret: anything,
  },
  {
    // Its body without the lines around it, by how the encodings of RSA, EC, Ed25519 and OpenSSH begin.
    rule: "a private key",
    keywords: [
      "ibadanbgkqhkig9w0baqefaasc",
      "baakc",
      "mhccaqeei",
      "migkagebbd",
      "mihcagebbe",
      "mighageambmgbyqgsm49",
      "mc4caqawbqydk2vwbciei",
      "b3blbnnzac1rzxktdjea",
    ],
    pattern:
      /(?:IBADANBgkqhkiG9w0BAQEFAASC|(?<=MII[A-Za-z0-9+/]{2}[AI])BAAKC|MHcCAQEEI|MIGkAgEBBD|MIHcAgEBBE|MIGHAgEAMBMGByqGSM49|MC4CAQAwBQYDK2VwBCIEI|b3BlbnNzaC1rZXktdjEA)([A-Za-z0-9+/]{16})/y,
    mayFollow: true,
  },
  {
    rule: "a private key",
    keywords: ["putty-user-key-file-"],
    pattern: /PuTTY-User-Key-File-\d/y,
    isSecret: anything,
  },
  {
    rule: "a private key",
    keywords: ["age-secret-key-1"],
    pattern: /AGE-SECRET-KEY-1([0-9A-Z]{50})/y,
    isCertain: always,
  },
  {
    rule: "an AWS key",
    keywords: ["akia", "asia"],
    pattern: /A(?:KIA|SIA)([A-Z2-7]{16})(?![A-Za-z0-9])/y,
  },
  {
    rule: "an AWS key",
    keywords: ["access_key", "accesskey"],
    pattern: /(?<=secret_?)access_?key["']?\s{0,9}(?:=>|[=:])\s{0,9}["']?([a-z0-9/+]{40})(?![a-z0-9/+])/iy,
    mayFollow: true,
    isOnOneLine: true,
  },
  {
    rule: "a GitHub token",
    keywords: ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
    pattern: /gh[pousr]_([A-Za-z0-9]{36})/y,
    isCertain: hasBase62Checksum,
  },
  {
    rule: "a GitHub token",
    keywords: ["github_pat_"],
    pattern: /github_pat_([A-Za-z0-9_]{22})/y,
  },
  {
    rule: "a GitLab token",
    keywords: [
      "glpat-",
      "gldt-",
      "glrt-",
      "glrtr-",
      "glcbt-",
      "glptt-",
      "glsoat-",
      "glffct-",
      "glagent-",
      "gloas-",
    ],
    pattern: /gl[a-z]{2,5}-([\w-]{20,300})(?:\.[0-9a-z]{9})?/y,
    isCertain: (match) => match.includes(".") && hasBase36Checksum(match),
  },
  {
    rule: "an Anthropic key",
    keywords: ["sk-ant-"],
    pattern: /sk-ant-[a-z0-9]{1,10}-([\w-]{24})/y,
    isCertain: always,
  },
  {
    rule: "an OpenAI key",
    keywords: ["sk-proj-", "sk-svcacct-", "sk-admin-"],
    pattern: /sk-(?:proj|svcacct|admin)-([\w-]{40,200})/y,
    isCertain: (match) => match.includes("T3BlbkFJ"),
  },
  {
    rule: "an OpenAI key",
    keywords: ["t3blbkfj"],
    pattern: /(?<=sk-[\w-]{20,100})T3BlbkFJ([\w-]{20})/y,
    mayFollow: true,
    isCertain: always,
  },
  { rule: "a Google key", keywords: ["aiza"], pattern: /AIza([\w-]{35})(?![\w-])/y },
  { rule: "a Google key", keywords: ["gocspx-"], pattern: /GOCSPX-([\w-]{28})/y },
  { rule: "a Google key", keywords: ["ya29."], pattern: /ya29\.([\w-]{30})/y },
  {
    rule: "a Slack token",
    keywords: ["xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-", "xoxs-"],
    pattern: /xox[abeoprs](?:\.xox[bp])?-(?:\d{8,20}|\d)-([0-9A-Za-z-]{10})/y,
  },
  { rule: "a Slack token", keywords: ["xapp-"], pattern: /xapp-\d-([A-Z0-9]{8,20}-\d{8,20}-[0-9a-f]{32})/y },
  {
    rule: "a Slack webhook",
    keywords: ["hooks.slack.com"],
    pattern: /hooks\.slack\.com(?::443)?\/(?:services|workflows|triggers)\/([A-Z0-9]{6,20}\/[\w/]{16,120})/iy,
  },
  { rule: "a Stripe key", keywords: ["sk_live_", "rk_live_"], pattern: /[rs]k_live_([0-9A-Za-z]{20})/y },
  { rule: "a Stripe key", keywords: ["whsec_"], pattern: /whsec_([0-9A-Za-z+/]{32})/y },
  {
    rule: "an npm token",
    keywords: ["npm_"],
    pattern: /npm_([A-Za-z0-9]{36})(?![A-Za-z0-9])/y,
    isCertain: hasBase62Checksum,
  },
  {
    rule: "an npm token",
    keywords: [":_auth", ":_password"],
    pattern: /:_(?:authToken|auth|password)\s{0,9}=\s{0,9}(?!\$)["']?([\w+/=-]{16,200})/y,
    mayFollow: true,
    isOnOneLine: true,
  },
  { rule: "a PyPI token", keywords: ["pypi-ageichlwas5vcmc"], pattern: /pypi-AgEIcHlwaS5vcmc([\w-]{50})/y },
  {
    rule: "a DigitalOcean token",
    keywords: ["doo_v1_", "dop_v1_", "dor_v1_"],
    pattern: /do[opr]_v1_([a-f0-9]{64})/y,
  },
  { rule: "a SendGrid key", keywords: ["sg."], pattern: /SG\.([\w-]{22}\.[\w-]{43})(?![\w-])/y },
  {
    rule: "a Telegram token",
    keywords: [":aa"],
    pattern: /(?<=(?<!\d)\d{8,10}):AA([\w-]{33})(?![\w-])/y,
    mayFollow: true,
  },
  {
    rule: "a Discord webhook",
    keywords: ["discord.com/api", "discordapp.com/api"],
    pattern: /discord(?:app)?\.com\/api(?:\/v\d{1,2})?\/webhooks\/\d{16,20}\/([\w-]{60})/iy,
  },
  {
    rule: "a Discord token",
    keywords: ["discord", "bot "],
    pattern: /(?:discord[^\n]{0,60}?[\s"'`=:]|bot )([MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{27,38})(?![\w-])/iy,
    mayFollow: true,
    isOnOneLine: true,
  },
  {
    rule: "an Azure key",
    keywords: ["accountkey"],
    // The one that is left out is printed in the manual of the emulator.
    pattern: /AccountKey\s{0,4}=\s{0,4}(?!Eby8vdM0)([A-Za-z0-9+/]{86}==)/iy,
    mayFollow: true,
  },
  {
    rule: "an Azure key",
    keywords: ["sharedaccesskey"],
    pattern: /SharedAccessKey\s{0,4}=\s{0,4}([A-Za-z0-9+/]{43}=)/iy,
    mayFollow: true,
  },
  {
    rule: "a signed token (JWT)",
    keywords: [".eyj"],
    // The one that is left out is printed in every introduction.
    pattern: /(?<=eyJ[\w-]{10,400})\.eyJ(?!zdWIiOiIxMjM0NTY3ODkwIi)([\w-]{10,3000}\.[\w-]{20})/y,
    mayFollow: true,
    span: 4096,
  },
  {
    rule: "an authorization header",
    keywords: ["authorization"],
    pattern:
      /authorization["'`]?\]?\s{0,4}[:=,]{1,2}\s{0,4}["'`]?(?:(basic|bearer|token|bot|apikey)\s{1,4})?([\w.~+/=-]{8,400})/iy,
    mayFollow: true,
    isOnOneLine: true,
    isSecret: ([, scheme = "", value = ""]) =>
      scheme.toLowerCase() === "basic" ? isBasic(value) : isMinted(value, scheme === "" ? 24 : 16),
  },
  {
    rule: "an authorization header",
    keywords: ["bearer "],
    pattern: /bearer ([\w.~+/=-]{20,400})/iy,
    isOnOneLine: true,
    isSecret: ([, value = ""]) => isMinted(value, 20),
  },
  {
    rule: "a password in a URL",
    keywords: ["://"],
    pattern:
      /(?<=[A-Za-z][A-Za-z0-9+.-]{0,24}):\/\/([^\s:/@"'`<>\\?]{0,100}):([^\s/@"'`<>\\?]{4,200})@[\w[.-]/y,
    mayFollow: true,
    isOnOneLine: true,
    isSecret: ([, user = "", password = ""]) => isPassword(user, password),
  },
  {
    rule: "a tunnel link",
    keywords: ["#1.", "%231."],
    pattern: /(?:#|%23)1\.([\w-]{43})(?![\w-])/y,
    mayFollow: true,
    isSecret: ([, key = ""]) => isMinted(key, 43) && /[A-Z]/.test(key),
  },
];

/** Whether a value has been made by a program, as far as a form tells: names in code and prose have no digits among letters. */
function isMinted(value: string, least: number): boolean {
  return value.length >= least && /\d/.test(value) && /[a-z]/i.test(value) && !isSample(value);
}

function isPassword(user: string, password: string): boolean {
  return !isPlaceholder(password) && password.toLowerCase() !== user.toLowerCase();
}

/** The credentials of RFC 7617: a name, a colon and a password in base64. */
function isBasic(value: string): boolean {
  const text = Buffer.from(value, "base64").toString("latin1");
  const colon = text.indexOf(":");
  const [user, password] = [text.slice(0, colon), text.slice(colon + 1)];
  return colon >= 0 && /^[\x20-\xff]{3,}$/.test(password) && isPassword(user, password);
}
