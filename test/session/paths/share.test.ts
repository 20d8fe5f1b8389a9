import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { sensitiveContent, sensitiveName } from "../../../src/session/paths/sensitive.ts";
import { resolveShare } from "../../../src/session/paths/share.ts";
import { rejectedWith, rejection } from "../../support/rejection.ts";
import { temporaryFolders } from "../../support/files/temp-folder.ts";

const folder = temporaryFolders();
const isWindows = process.platform === "win32";
let top = "";
let cwd = "";

beforeEach(() => {
  top = folder();
  cwd = path.join(top, "work");
  mkdirSync(cwd);
});

function put(name: string, content: string | Buffer = "text"): string {
  const file = path.join(cwd, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

function share(sharePath: string, options: { roots?: string[]; allow?: string[]; home?: string } = {}) {
  return resolveShare(sharePath, { cwd, roots: [], allow: [], home: "/nowhere", ...options });
}

/** Put together here, so that no scanner takes this file for a leak. */
const token = (...parts: string[]): string => parts.join("");
const SECRETS: readonly [rule: string, text: string][] = [
  ["a private key inside", token("-----BEGIN ", "OPENSSH PRIVATE KEY-----")],
  ["a private key inside", token("-----BEGIN ", "PRIVATE KEY-----")],
  ["a private key inside", token("-----BEGIN ", "PGP PRIVATE KEY BLOCK-----")],
  ["an AWS key inside", token("AK", "IA", "QYLPMN5HFIQR7XYA")],
  ["an AWS key inside", token("aws_secret", "_access_key = ", "abcdefghij".repeat(4))],
  ["a GitHub token inside", token("gh", "p_", "a1B2c3".repeat(6))],
  ["a GitHub token inside", token("github", "_pat_", "a1B2c3".repeat(6))],
  ["an Anthropic key inside", token("sk-", "ant-api03-", "aB3_".repeat(8))],
  ["an npm token inside", token("//r/:_auth", "Token=", "aB3d".repeat(6))],
];

describe("what looks like a secret by its name", () => {
  test.each([
    ".env",
    ".ENV",
    "a/.env",
    ".env.local",
    ".env.production",
    ".env.",
    ".envrc",
    "id_rsa",
    "a/ID_ED25519",
    "x.p12",
    "x.PFX",
    "x.kdbx",
    "x.jks",
    ".netrc",
    "_netrc",
    ".pypirc",
    ".aws/credentials",
    ".docker/config.json",
    ".kube/config",
    ".git-credentials",
    ".config/gh/hosts.yml",
    ".config/gcloud/application_default_credentials.json",
    "Default/Cookies",
    "Default/Login Data",
    "p/logins.json",
    "login.keychain-db",
    ".bash_history",
    ".zsh_history",
    "fish_history",
    "ConsoleHost_history.txt",
    "C:\\Users\\a\\.aws\\credentials",
    "terraform.tfstate",
    ".claude/.credentials.json",
    "\uff0eenv",
    ".e\u200bnv",
  ])("%j is refused", (name) => {
    expect(sensitiveName(name)).toBeTypeOf("string");
  });

  test.each([
    ".env.example",
    ".env.local.example",
    ".env.sample",
    "environment.ts",
    "id_rsa.pub",
    "docs/.env.md/a",
    "config.json",
    "credentials.md",
    "hosts.yml",
    "history.ts",
    "cookies.ts",
    "src/aws/credentials.ts",
    "keys.json",
    "cert.pem",
  ])("%j is not", (name) => {
    expect(sensitiveName(name)).toBeUndefined();
  });
});

describe("what looks like a secret by its content", () => {
  test.each(SECRETS)("%s", (rule, text) => {
    expect(sensitiveContent(Buffer.from(`first line\n${text}\n`))).toBe(rule);
    expect(sensitiveContent(Buffer.from(text, "utf16le"))).toBe(rule);
  });

  test.each([
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "tokens look like ghp_…",
    "aws_secret_access_key=os.environ['X']",
    token("AKIA", "IOSFODNN7EXAMPLE"),
    "sk-ant-...",
    "//registry/:_authToken=${NPM_TOKEN}",
    "skiant",
    "",
  ])("%j is prose", (text) => {
    expect(sensitiveContent(Buffer.from(text))).toBeUndefined();
  });

  test("the search takes time in proportion to the bytes, whatever they are", () => {
    for (const piece of [
      "-----BEGIN A ",
      "aws_secret_access_key ",
      "AKIA",
      "xoxb-1",
      "\0",
      ":_authToken ",
      "ghp_",
    ]) {
      expect(sensitiveContent(Buffer.from(piece.repeat(60_000)))).toBeUndefined();
    }
  });
});

describe("a file to be shared", () => {
  test("is told of by its own name, without the folders it is in", async () => {
    put("sub/a.txt", "hello");
    expect(await share("sub/a.txt")).toMatchObject({ name: "a.txt", identity: { size: 5n } });
  });

  test("waits for a person outside the roots", async () => {
    writeFileSync(path.join(top, "x"), "");
    expect(await share(path.join(top, "x"))).toMatchObject({ gates: ["outside-roots"], reasons: [] });
    expect(await share(path.join(top, "x"), { roots: [top] })).toMatchObject({ name: "x", gates: [] });
    put("a.txt");
    expect(await share("a.txt", { home: cwd })).toMatchObject({
      gates: ["outside-roots"],
      reasons: [expect.stringContaining("too wide")],
    });
    expect(await rejectedWith(share(path.join(top, "y")))).toBe("share-not-found");
    expect(await rejectedWith(share(top))).toBe("share-not-a-file");
  });

  test("is a plain file that is there, with a name that can be passed on", async () => {
    mkdirSync(path.join(cwd, "folder"));
    expect(await rejectedWith(share("missing"))).toBe("share-not-found");
    expect(await rejectedWith(share("folder"))).toBe("share-not-a-file");
    put("file");
    expect(await rejectedWith(share("file/x"))).toBe("share-not-found");
  });

  test.skipIf(isWindows)("is no pipe, which is not waited for (needs mkfifo)", async () => {
    execFileSync("mkfifo", [path.join(cwd, "pipe")]);
    expect(await rejectedWith(share("pipe"))).toBe("share-not-a-file");
    execFileSync("mkfifo", [path.join(top, "pipe")]);
    expect(await rejectedWith(share(path.join(top, "pipe")))).toBe("share-not-a-file");
    expect(await rejectedWith(share("/dev/null"))).toBe("share-not-a-file");
  });

  test
    .skipIf(isWindows)
    .each(["a:b?.txt", "aux.txt", "dot.", " space ", "a\nb\u0007.txt", "\u202etxt.exe", "a\\b"])(
    "%j is shared, whoever may not be able to hold that name (Windows has no such names)",
    async (name) => {
      put(name);
      expect((await share(name)).name).toBe(name);
    },
  );

  test("whose name is no UTF-8 is told so", async () => {
    expect(await rejection(share("caf\ufffd.txt"))).toMatchObject({
      code: "share-not-found",
      detail: expect.stringContaining("no UTF-8"),
    });
    expect(await rejectedWith(share("a\0b"))).toBe("path-invalid");
  });

  test.skipIf(isWindows)(
    "is followed by its links, and waits where they lead out of the roots (links need a privilege on Windows)",
    async () => {
      put("a.txt");
      put(".env");
      writeFileSync(path.join(top, "x"), "");
      symlinkSync("a.txt", path.join(cwd, "b.txt"));
      symlinkSync("../x", path.join(cwd, "out.txt"));
      symlinkSync(".env", path.join(cwd, "notes.txt"));
      symlinkSync("a.txt", path.join(cwd, ".env.local"));
      expect((await share("b.txt")).name).toBe("a.txt");
      expect((await share("out.txt")).gates).toEqual(["outside-roots"]);
      expect((await share("notes.txt")).gates).toEqual(["sensitive-file"]);
      expect((await share(".env.local")).gates).toEqual(["sensitive-file"]);
      writeFileSync(path.join(top, ".env"), "");
      expect((await share(path.join(top, ".env"))).gates).toEqual(["outside-roots", "sensitive-file"]);
    },
  );

  test("with other names that cannot be seen waits for a person", async () => {
    linkSync(put("id_rsa"), path.join(cwd, "notes.txt"));
    expect(await share("notes.txt")).toMatchObject({
      gates: ["sensitive-file"],
      reasons: [expect.stringContaining("hard links")],
    });
  });

  test("waits for a person with the rule of its name alone, and is not read for that", async () => {
    const [, secret] = SECRETS[5] ?? ["", ""];
    put("config.ts", `export const x = "${secret}"`);
    expect(await share("config.ts")).toMatchObject({ gates: [], reasons: [] });
    put(".env", `X=${secret}`);
    expect(await share(".env")).toMatchObject({ gates: ["sensitive-file"], reasons: ["environment file"] });
  });

  test("is let through when a human names exactly that path, and no other", async () => {
    const env = put(".env");
    put(".env.local");
    expect((await share(".env")).gates).toEqual(["sensitive-file"]);
    expect((await share(".env", { allow: [env] })).gates).toEqual([]);
    expect((await share(".env.local", { allow: [env, cwd] })).gates).toEqual(["sensitive-file"]);
    expect(await rejectedWith(share(`../${path.basename(cwd)}/.env`, { allow: [env] }))).toBe("path-invalid");
    const outside = path.join(top, ".env");
    writeFileSync(outside, "");
    expect((await share(outside, { allow: [outside] })).gates).toEqual(["outside-roots"]);
  });
});
