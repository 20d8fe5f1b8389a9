import { crc32 } from "node:zlib";
import { Buffer } from "node:buffer";
import { byteStream } from "../../support/random.ts";

/**
 * Secrets in the forms that their issuers use, made when a test runs: nothing here looks like one before, so that no scanner
 * takes this repository for a leak. All of them are random, and open nothing.
 */

const DIGITS = "0123456789";
const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const ALNUM = DIGITS + UPPER + LOWER;
const BASE64 = `${ALNUM}+/`;
const URL64 = `${ALNUM}-_`;
const HEX = "0123456789abcdef";
const BASE32 = `${UPPER}234567`;

/** A source of random choices that a seed repeats. */
export class Choices {
  readonly #bytes: (length: number) => Uint8Array;

  constructor(seed: string) {
    this.#bytes = byteStream(seed);
  }

  below(limit: number): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#bytes(4);
    return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % limit;
  }

  of(alphabet: string, length: number): string {
    return Array.from({ length }, () => alphabet.charAt(this.below(alphabet.length))).join("");
  }

  bytes(length: number): Buffer {
    // In pieces: the stream copies what it holds with each block that it adds.
    const pieces = [];
    for (let left = length; left > 0; left -= 1024) pieces.push(this.#bytes(Math.min(left, 1024)));
    return Buffer.concat(pieces);
  }

  one<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to choose from");
    return item;
  }
}

const json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function base62(number: number): string {
  let [rest, text] = [number, ""];
  for (let at = 0; at < 6; at += 1) {
    text = ALNUM.charAt(rest % 62) + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/** Thirty random characters and their checksum, as GitHub and npm write them. */
function checked(prefix: string, random: string): string {
  return `${prefix}_${random}${base62(crc32(random))}`;
}

function routable(choices: Choices): string {
  const payload = choices.bytes(27).toString("base64url");
  const text = ["gl", "pat-", payload, ".", payload.length.toString(36).padStart(2, "0")].join("");
  return text + crc32(text).toString(36).padStart(7, "0");
}

function pem(kind: string, body: Buffer): string {
  const lines = body.toString("base64").match(/.{1,64}/g) ?? [];
  const mark = (word: string): string => ["-----", word, " ", kind, "-----"].join("");
  return [mark("BEGIN"), ...lines, mark("END"), ""].join("\n");
}

interface Form {
  /** As the facts of the issue name it. */
  readonly name: string;
  readonly make: (choices: Choices) => string;
  /** Has white space or more than one line in it: wrapping and splitting it says nothing. */
  readonly isPhrase?: true;
}

const p = (...parts: string[]): string => parts.join("");

export const FORMS: readonly Form[] = [
  {
    name: "GitHub classic",
    make: (c) => checked(p("gh", c.one(["p", "o", "u", "s", "r"])), c.of(ALNUM, 30)),
  },
  { name: "GitHub fine-grained", make: (c) => p("github", "_pat_", c.of(ALNUM, 22), "_", c.of(ALNUM, 59)) },
  { name: "npm", make: (c) => checked(p("np", "m"), c.of(ALNUM, 30)) },
  { name: "npm in .npmrc", make: (c) => p("//npm.example.com/:_auth", "Token=", c.of(`${HEX}-`, 36)) },
  { name: "GitLab", make: (c) => p("gl", "pat-", c.of(URL64, 20)) },
  { name: "GitLab routable", make: routable },
  { name: "OpenAI", make: (c) => p("s", "k-proj-", c.of(URL64, 74), "T3Blbk", "FJ", c.of(URL64, 74)) },
  { name: "OpenAI legacy", make: (c) => p("s", "k-", c.of(ALNUM, 20), "T3Blbk", "FJ", c.of(ALNUM, 20)) },
  { name: "Anthropic", make: (c) => p("s", "k-ant-", "api03-", c.of(URL64, 93), "AA") },
  { name: "AWS key id", make: (c) => p(c.one(["AK", "AS"]), "IA", c.of(BASE32, 16)) },
  { name: "AWS secret", make: (c) => p("aws_secret", "_access_key = ", c.of(BASE64, 40)), isPhrase: true },
  { name: "Google", make: (c) => p("AI", "za", c.of(URL64, 35)) },
  {
    name: "Slack token",
    make: (c) => p("xo", "xb-", c.of(DIGITS, 12), "-", c.of(DIGITS, 13), "-", c.of(ALNUM, 24)),
  },
  {
    name: "Slack webhook",
    make: (c) =>
      p(
        "https://hooks.sl",
        "ack.com/services/T",
        c.of(UPPER + DIGITS, 10),
        "/B",
        c.of(UPPER + DIGITS, 10),
        "/",
        c.of(ALNUM, 24),
      ),
  },
  { name: "Stripe", make: (c) => p(c.one(["s", "r"]), "k_li", "ve_", c.of(ALNUM, c.one([24, 99]))) },
  { name: "PyPI", make: (c) => p("py", "pi-AgEIcHlwaS5vcmc", c.of(URL64, 120)) },
  { name: "age", make: (c) => p("AGE-SECRET", "-KEY-1", c.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)) },
  { name: "Telegram", make: (c) => p(c.of("123456789", 10), ":A", "A", c.of(URL64, 33)) },
  {
    name: "Discord webhook",
    make: (c) => p("https://disc", "ord.com/api/webhooks/", c.of("123456789", 18), "/", c.of(URL64, 68)),
  },
  {
    name: "Discord token",
    make: (c) =>
      p(
        "DISCORD_TOKEN=",
        Buffer.from(c.of("123456789", 18)).toString("base64url"),
        ".",
        c.of(URL64, 6),
        ".",
        c.of(URL64, 38),
      ),
    isPhrase: true,
  },
  {
    name: "Azure",
    make: (c) =>
      p(
        "AccountName=store;Account",
        "Key=",
        c.bytes(64).toString("base64"),
        ";EndpointSuffix=core.windows.net",
      ),
  },
  { name: "DigitalOcean", make: (c) => p("do", c.one(["p", "o", "r"]), "_v1_", c.of(HEX, 64)) },
  {
    name: "JWT",
    make: (c) =>
      p(
        json({ alg: "HS256", typ: "JWT" }),
        ".",
        json({ sub: c.of(HEX, 12), iat: 1_700_000_000 + c.below(9_999) }),
        ".",
        c.bytes(32).toString("base64url"),
      ),
  },
  { name: "Vault", make: (c) => p("hv", "s.", c.of(URL64, 95)) },
  { name: "SendGrid", make: (c) => p("S", "G.", c.of(URL64, 22), ".", c.of(URL64, 43)) },
  { name: "Linear", make: (c) => p("lin", "_api_", c.of(ALNUM, 40)) },
  { name: "Shopify", make: (c) => p("shp", c.one(["at", "ca", "pa", "ss"]), "_", c.of(HEX, 32)) },
  { name: "Databricks", make: (c) => p("da", "pi", c.of(HEX, 32)) },
  { name: "Grafana", make: (c) => p("gl", "sa_", c.of(ALNUM, 32), "_", c.of(HEX, 8)) },
  { name: "Docker", make: (c) => p("dckr", "_pat_", c.of(URL64, 27)) },
  {
    name: "private key (PKCS 8)",
    make: (c) =>
      pem(
        "PRIVATE KEY",
        Buffer.concat([
          Buffer.from("308204be020100300d06092a864886f70d0101010500048204a8", "hex"),
          c.bytes(400),
        ]),
      ),
    isPhrase: true,
  },
  {
    name: "private key (EC)",
    make: (c) =>
      pem(
        "EC PRIVATE KEY",
        Buffer.concat([Buffer.from("307702010104 20".replace(" ", ""), "hex"), c.bytes(114)]),
      ),
    isPhrase: true,
  },
  {
    name: "private key (OpenSSH)",
    make: (c) => pem("OPENSSH PRIVATE KEY", Buffer.concat([Buffer.from("openssh-key-v1\0"), c.bytes(300)])),
    isPhrase: true,
  },
  {
    name: "private key without its lines",
    make: (c) =>
      Buffer.concat([Buffer.from("307702010104 20".replace(" ", ""), "hex"), c.bytes(114)]).toString(
        "base64",
      ),
  },
  {
    name: "PuTTY key",
    make: (c) =>
      p("PuTTY-User-", "Key-File-3: ssh-ed25519\nEncryption: none\nPublic-Lines: 2\n", c.of(BASE64, 64)),
    isPhrase: true,
  },
  {
    name: "database URL",
    make: (c) =>
      p(
        c.one(["postgres", "postgresql", "mysql", "mongodb+srv", "redis", "amqp"]),
        "://",
        c.of(LOWER, 6),
        ":",
        c.of(ALNUM, 14),
        "@db.internal.net:5432/app",
      ),
  },
  {
    name: "URL with a password",
    make: (c) => p("https://", c.of(LOWER, 5), ":", c.of(ALNUM, 12), "@git.company.io/repo.git"),
  },
  {
    name: "tunnel link",
    make: (c) =>
      p(
        "wss://",
        c.of(LOWER, 9),
        ".trycloudflare.com/t/",
        c.bytes(16).toString("base64url"),
        "#",
        "1.",
        c.bytes(32).toString("base64url"),
        ".",
        c.bytes(32).toString("base64url"),
      ),
  },
  {
    name: "Authorization header",
    make: (c) => p("Author", "ization: Bearer ", c.of(ALNUM, 40)),
    isPhrase: true,
  },
  {
    name: "Basic credentials",
    make: (c) =>
      p("Author", "ization: Basic ", Buffer.from(`${c.of(LOWER, 6)}:${c.of(ALNUM, 12)}`).toString("base64")),
    isPhrase: true,
  },
  { name: "bare Bearer", make: (c) => p("Bear", "er ", c.of(ALNUM, 43)), isPhrase: true },
];

/** Sentences and code around a secret. */
const SURROUNDINGS: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => `Use this one for the staging server:\n${secret}\nIt is valid until Friday.\n`,
  (secret) => `export default {\n  region: "eu-central-1",\n  credential: "${secret}",\n};\n`,
  (secret) => `TOKEN=${secret}\n`,
  (secret) => `{"value": ${JSON.stringify(secret)}, "ok": true}`,
  (secret) => `@@ -1,3 +1,3 @@\n context ${secret}\n-old\n+new\n`,
];

export interface Positive {
  readonly form: string;
  readonly secret: string;
  readonly text: string;
  readonly isPhrase: boolean;
}

/** `each` of every form, in changing surroundings. */
export function positives(seed: string, each: number): Positive[] {
  const choices = new Choices(seed);
  return FORMS.flatMap(({ name, make, isPhrase }, index) =>
    Array.from({ length: each }, (_, round) => {
      const secret = make(choices);
      const surround = SURROUNDINGS[(round + index) % SURROUNDINGS.length] ?? ((text: string) => text);
      return { form: name, secret, text: surround(secret), isPhrase: isPhrase === true };
    }),
  );
}
