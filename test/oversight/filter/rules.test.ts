import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { hasBase36Checksum, hasBase62Checksum } from "../../../src/oversight/filter/rules/checksums.ts";
import { Keywords } from "../../../src/oversight/filter/keywords.ts";
import { plainSecret } from "../../../src/oversight/filter/scanner.ts";
import { Choices, FORMS } from "./corpus.ts";
import { outcomeOf } from "./scanning.ts";

const p = (...parts: string[]): string => parts.join("");

const made = (name: string, seed: string): string =>
  FORMS.find((one) => one.name === name)?.make(new Choices(seed)) ?? "";

describe("checksums", () => {
  test("of GitHub, npm and GitLab make a finding certain", async () => {
    for (const name of ["GitHub classic", "npm", "GitLab routable"])
      expect(await outcomeOf(made(name, "certain")), name).toMatchObject({ findings: [{ isCertain: true }] });
  });

  test("that are wrong clear nothing: a token may have been cut or changed", async () => {
    for (const name of ["GitHub classic", "npm", "GitLab routable"]) {
      const token = made(name, "wrong");
      const changed = `${token.slice(0, -1)}${token.endsWith("a") ? "b" : "a"}`;
      expect(await outcomeOf(changed), name).toMatchObject({ findings: [{ isCertain: false }] });
    }
  });

  test("are told apart from others", () => {
    expect(hasBase62Checksum(made("npm", "one"))).toBe(true);
    expect(hasBase62Checksum(`${made("npm", "one").slice(0, -2)}aa`)).toBe(false);
    expect(hasBase36Checksum(made("GitLab routable", "one"))).toBe(true);
    expect(hasBase36Checksum(`${made("GitLab routable", "one").slice(0, -2)}aa`)).toBe(false);
  });
});

/** What documentation, tests and prose put in the place of a secret, and what only looks random. */
const HARMLESS = [
  "tokens look like ghp_…",
  p("gh", "p_", "x".repeat(36)),
  p("AK", "IA", "IOSFODNN7EXAMPLE"),
  p("AK", "IA", "X".repeat(16)),
  p("aws_secret", "_access_key = ", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
  "aws_secret_access_key=os.environ['X']",
  "//npm.example.com/:_authToken=${NPM_TOKEN}",
  "sk-ant-...",
  "sk-ant-api03-your-key-goes-here-and-it-is-long",
  p("https://hooks.sl", "ack.com/services/T00000000/B00000000/", "X".repeat(24)),
  "postgres://user:password@localhost:5432/db",
  "postgres://postgres:postgres@db/app",
  "https://user:pass@example.com/",
  "mongodb://${USER}:${PASSWORD}@cluster/db",
  "mysql://<name>:<secret-of-yours>@host",
  "http://localhost:8080/@scope/name",
  "see https://example.com:443, or mail to a@b.c",
  "Authorization: Bearer <token>",
  "Authorization: Bearer ${token}",
  'headers["Authorization"] = `Bearer ${await getAccessToken()}`',
  "authorization: authorizationHeaderFromTheRequest",
  p("Author", "ization: Basic ", Buffer.from("user:password").toString("base64")),
  p("Author", "ization: Basic ", Buffer.from("Aladdin:open sesame").toString("base64")),
  "const BEGIN = '-----BEGIN PRIVATE KEY-----';",
  'if (line === "-----BEGIN RSA PRIVATE KEY-----\\n") read();',
  "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n",
  "-----BEGIN PUBLIC KEY-----",
  "d41d8cd98f00b204e9800998ecf8427e e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
  '"integrity": "sha512-L5mUzBSM05qM0J/KZ0XvOFnDSbVB1xRRcmMKLVNFSWGQV2ZKNBQ+d6qmvu8ZHkWcRyVDN3jQZFj7jYk2T3aPFQ=="',
  "[the first one](#1.introduction-to-the-whole-of-this-long-chapter-about-x)",
  "Asia/Tokyo, Asia/Kolkata; discord, telegram; SG.10",
  "eyJhbGciOiJIUzI1NiJ9 is the head of a token",
];

describe("what is no secret", () => {
  test.each(HARMLESS)("%j", async (text) => {
    expect(await outcomeOf(text)).toEqual({ kind: "clear" });
    expect(await outcomeOf(`before\n${text}\nafter\n`)).toEqual({ kind: "clear" });
  });

  test("lists of words, one a line, do not make a secret together", async () => {
    const choices = new Choices("words");
    const words = Array.from({ length: 20_000 }, () =>
      choices.of("abcdefghijklmnopqrstuvwxyz0123456789", 1 + choices.below(12)),
    );
    expect(await outcomeOf(words.join("\n"))).toEqual({ kind: "clear" });
  });

  test("random base64 and hex, as hashes and images have them", async () => {
    const bytes = new Choices("noise").bytes(1_000_000);
    expect(await outcomeOf(bytes.toString("base64"))).toEqual({ kind: "clear" });
    expect(await outcomeOf(bytes.toString("hex"))).toEqual({ kind: "clear" });
    expect(await outcomeOf((bytes.toString("base64").match(/.{1,76}/g) ?? []).join("\n"))).toEqual({
      kind: "clear",
    });
  });
});

describe("the search for keywords", () => {
  test("finds what a plain search finds, whatever overlaps", () => {
    const choices = new Choices("keywords");
    for (let round = 0; round < 200; round += 1) {
      const keywords = [...new Set(Array.from({ length: 6 }, () => choices.of("ab_", 1 + choices.below(4))))];
      const text = choices.of("abAB_c", 60);
      const found: string[] = [];
      new Keywords(keywords).find(Buffer.from(text), (keyword, end) =>
        found.push(`${keywords[keyword]} ${end}`),
      );
      const lower = text.toLowerCase();
      const expected = keywords.flatMap((keyword) =>
        Array.from({ length: text.length }, (_, at) => at)
          .filter((at) => lower.startsWith(keyword, at))
          .map((at) => `${keyword} ${at + keyword.length}`),
      );
      expect(found.toSorted()).toEqual(expected.toSorted());
    }
  });

  test("is all that a file needs to be refused at once", () => {
    expect(plainSecret(Buffer.from(`a\n${made("Stripe", "plain")}`))).toBe("a Stripe key");
    expect(plainSecret(Buffer.from(made("Stripe", "plain"), "utf16le"))).toBe("a Stripe key");
    expect(plainSecret(Buffer.from("nothing"))).toBeUndefined();
  });
});
