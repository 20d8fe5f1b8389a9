import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agent, closeAgents } from "../support/agent.ts";
import { code, listing, meet, offer, put, read, worker } from "../support/files/file-agents.ts";

/** Where a peer who has talked an agent into a path gets to: nowhere. */

const POSIX = process.platform !== "win32";
/** Beside the working directories. */
let outside: string;
let ana: Agent;
let ben: Agent;
let fileId: string;
let before: string[];
const at = (name: string): string => join(outside, name);
const own = (name: string): string => join(realpathSync(ben.box.root), name);

beforeAll(async () => {
  outside = mkdtempSync(join(realpathSync(tmpdir()), "tunnel-outside-"));
  for (const name of ["save", "share"]) mkdirSync(at(name));
  for (const name of ["share/report.txt", "secret.txt", "share/.env", "share/allowed.pfx"])
    writeFileSync(at(name), "outside");
  writeFileSync(at("share/id_rsa"), "-----BEGIN OPENSSH PRIVATE KEY-----\nabc");
  const roots = {
    TUNNEL_SAVE_ROOTS: at("save"),
    TUNNEL_SHARE_ROOTS: at("share"),
    TUNNEL_SHARE_ALLOW: [at("share/allowed.pfx"), at("share/id_rsa")].join(delimiter),
  };
  [ana, ben] = await Promise.all([worker("ana"), worker("ben", roots)]);
  await meet(ana, ben);
  put(ana, "a.txt", "content");
  ({ fileId } = await offer(ana, { path: "a.txt" }, ben));
  for (const name of [".git/hooks/sample", ".claude/x", "folder/file.txt", "existing.txt"])
    put(ben, name, "mine");
  for (const name of [".env", ".env.production", "id_rsa", "server.pfx", ".ssh/id_ed25519", ".npmrc"])
    put(ben, name, "x");
  put(ben, "key.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc");
  put(ben, "token.txt", `token = ghp_${"a".repeat(36)}`);
  if (POSIX) {
    symlinkSync(at("secret.txt"), own("link.txt"));
    symlinkSync(outside, own("linked"));
    symlinkSync(own(".env"), own("innocent.txt"));
    linkSync(own("id_rsa"), own("hard.txt"));
  }
  before = listing(ben);
});
afterAll(async () => {
  await closeAgents();
  rmSync(outside, { recursive: true, force: true });
});

const receive = (savePath: string, more = {}): Promise<string> =>
  code(ben, "tunnel_receive", { fileId, savePath, ...more });

/** Nothing is made, nothing is changed, wherever a path leads. */
function expectUntouched(): void {
  expect(listing(ben)).toEqual(before);
  expect(read(ben, "existing.txt").toString()).toBe("mine");
  expect(read(ben, ".git/hooks/sample").toString()).toBe("mine");
  expect(existsSync(at("x.txt"))).toBe(false);
  expect(existsSync(at("save/x.txt"))).toBe(false);
}

describe("a place to save at that", () => {
  it.each<[string, string | (() => string), string]>([
    ["is empty", "", "path-invalid"],
    ["leads up", "../x.txt", "path-invalid"],
    ["leads down and up", "folder/../../x.txt", "path-invalid"],
    ["leads up from an absolute path", () => `${own("folder")}/../../x.txt`, "path-invalid"],
    ["is beside the working directory", () => at("x.txt"), "path-outside"],
    ["begins like it", () => `${own("")}-other/x.txt`.replace("/-", "-"), "save-folder-missing"],
    ["is at the top of the system", POSIX ? "/x.txt" : "C:\\x.txt", "path-outside"],
    ["is in the home", "~/x.txt", "path-invalid"],
    ["is inside of git", ".git/hooks/x", "path-protected"],
    ["is git's settings", ".git/config", "path-protected"],
    ["configures agents", ".claude/settings.json", "path-protected"],
    ["instructs agents", "CLAUDE.md", "path-protected"],
    ["instructs agents in other letters", "agents.MD", "path-protected"],
    ["configures MCP", ".mcp.json", "path-protected"],
    ["is read by the shell", ".envrc", "path-protected"],
    ["has a NUL in it", "x.txt\0.png", "path-invalid"],
    ["has a line break in it", "x\n.txt", "path-invalid"],
    ["turns letters round", "x\u202Etxt.exe", "path-invalid"],
    ["is a path far too long", "x/".repeat(5_000), "path-invalid"],
    ["is in a folder that is missing", "missing/x.txt", "save-folder-missing"],
    ["is in a file", "existing.txt/x.txt", "save-folder-missing"],
    ["is a folder", "folder", "save-not-a-file"],
    ["is a folder, with a slash", "folder/", "path-invalid"],
    ["is the working directory", ".", "path-invalid"],
    ["exists", "existing.txt", "save-exists"],
  ])("%s is refused, and nothing is touched", async (_, given, expected) => {
    const savePath = typeof given === "string" ? given : given();
    expect(await receive(savePath)).toBe(expected);
    if (expected !== "save-exists") expect(await receive(savePath, { overwrite: true })).toBe(expected);
    expectUntouched();
  });

  it.skipIf(!POSIX).each<[string, string, string]>([
    ["is a link to a file outside", "link.txt", "save-not-a-file"],
    ["goes through a link to a folder outside", "linked/x.txt", "path-outside"],
    ["goes through a link to a file outside that exists", "linked/secret.txt", "path-outside"],
  ])(
    "%s is refused, and nothing is touched (Windows needs a privilege for links)",
    async (_, savePath, expected) => {
      expect(await receive(savePath)).toBe(expected);
      expect(await receive(savePath, { overwrite: true })).toBe(expected);
      expectUntouched();
    },
  );

  it.skipIf(!POSIX).each<[string, string, string]>([
    ["is a device of Windows", "CON", "CON"],
    ["is a device with an extension", "nul.txt", "nul.txt"],
    ["ends with a dot", "x.txt.", "x.txt."],
    ["names a stream of Windows", "x.txt:hidden", "x.txt:hidden"],
    ["ends with a space", "x.txt ", "x.txt"],
    ["is far too long", `${"x".repeat(300)}.txt`, `${"x".repeat(251)}.txt`],
  ])(
    "%s is used as far as this system can hold the name, and the result shows what it is (the rules of Windows are tested alone)",
    async (_, savePath, name) => {
      const received = await ben.call("tunnel_receive", { fileId, savePath });
      expect(received).toMatchObject({ status: "received", savePath: own(name) });
      expect(typeof received["renamed"]).toBe(name === savePath ? "undefined" : "string");
      expect(read(ben, name).toString()).toBe("content");
      // The name that it got was not the one to be replaced.
      const again = { fileId, savePath, overwrite: true };
      if (name !== savePath) expect(await code(ben, "tunnel_receive", again)).toBe("save-exists");
      rmSync(own(name));
      expectUntouched();
    },
  );

  it("is in a folder that the human has named is used, and only that", async () => {
    await ben.call("tunnel_receive", { fileId, savePath: at("save/good.txt") });
    expect(existsSync(at("save/good.txt"))).toBe(true);
    rmSync(at("save/good.txt"));
    expect(await receive(at("share/x.txt"))).toBe("path-outside");
    expectUntouched();
  });
});

describe("a file to share that", () => {
  const share = (path: string): Promise<string> => code(ben, "tunnel_share", { path });

  it.each<[string, string | (() => string), string]>([
    ["leads up", "../secret.txt", "path-invalid"],
    ["is a folder outside", () => at("save"), "share-not-a-file"],
    ["is a folder", "folder", "share-not-a-file"],
    ["is missing", "missing.txt", "share-not-found"],
    ["is in a file", "existing.txt/x", "share-not-found"],
    ["has a NUL in its name", "x\0y", "path-invalid"],
  ])("%s is refused, and nobody hears of it", async (_, given, expected) => {
    expect(await share(typeof given === "string" ? given : given())).toBe(expected);
    expect(await ana.call("tunnel_listen", { timeoutMs: 0 })).toMatchObject({ unread: 0 });
  });

  it.skipIf(!POSIX)("is a device is refused (Windows has none in its folders)", async () => {
    expect(await share("/dev/zero")).toBe("share-not-a-file");
  });

  it.skipIf(!POSIX).each([
    ["10:30?.log", "10:30?.log", false],
    ["aux.txt", "aux.txt", false],
    ["dot.", "dot.", false],
    ["two\nlines.txt", "twolines.txt", true],
    ["back\\slash.txt", "back_slash.txt", true],
    [" space.txt", "space.txt", true],
  ])(
    "has the name %j, which another system cannot hold, is offered all the same, as %j (Windows has no such names)",
    async (path, name, isRenamed) => {
      put(ben, path, "x");
      const { fileId: id, shared } = await offer(ben, { path }, ana);
      // In quotation marks where it reads like a speaker.
      expect([name, `“${name}”`]).toContain(shared["name"]);
      expect(typeof shared["renamed"]).toBe(isRenamed ? "string" : "undefined");
      expect(await ana.call("tunnel_receive", { fileId: id, savePath: name })).toMatchObject({
        status: "received",
      });
      rmSync(own(path));
    },
  );

  it("is in a folder that the human has named, or let through by name, is shared", async () => {
    for (const name of ["report.txt", "allowed.pfx"]) {
      const { fileId: id } = await offer(ben, { path: at(`share/${name}`) }, ana);
      await ana.call("tunnel_receive", { fileId: id, savePath: name });
      expect(read(ana, name)).not.toHaveLength(0);
    }
  });

  it.each([
    [{}, "input-invalid"],
    [{ path: "existing.txt", patch: true }, "input-invalid"],
    [{ path: "existing.txt", range: "HEAD" }, "input-invalid"],
    [{ path: "existing.txt", to: ["nobody"] }, "member-unknown"],
    [{ path: "existing.txt", to: ["ben"] }, "member-unknown"],
    [{ path: "existing.txt", note: "x".repeat(501) }, "note-invalid"],
    [{ path: "existing.txt", note: " " }, "note-invalid"],
    [{ path: "" }, "input-invalid"],
  ])("is asked for with %j is refused as %s", async (args, expected) => {
    expect(await code(ben, "tunnel_share", args)).toBe(expected);
  });
});

/** Last: what is said later waits behind it. */
describe("a file that", () => {
  /** It waits for a person, and nobody else hears of it. */
  async function expectHeld(path: string, ...gates: string[]): Promise<void> {
    const held = await ben.call("tunnel_share", { path });
    expect(held).toMatchObject({ status: "held", gates, askId: expect.any(Number) });
    expect(held["offeredTo"]).toBeUndefined();
    const { fileId: id } = held;
    expect(await code(ana, "tunnel_receive", { fileId: id, savePath: "got.txt" })).toBe("file-unknown");
  }

  it("is in a folder that another human has named waits for a person", async () => {
    const held = await ana.call("tunnel_share", { path: at("share/report.txt") });
    expect(held).toMatchObject({ status: "held", gates: ["outside-roots"] });
  });

  it.each<[string, string | (() => string), ...string[]]>([
    ["is outside", () => at("secret.txt"), "outside-roots"],
    ["is one of the system", POSIX ? "/etc/passwd" : "C:\\Windows\\win.ini", "outside-roots"],
    ["has secrets of the environment", ".env", "sensitive-file"],
    ["has those of production", ".env.production", "sensitive-file"],
    ["has them in a named folder", () => at("share/.env"), "sensitive-file"],
    ["is a private key", "id_rsa", "sensitive-file"],
    ["is another one", ".ssh/id_ed25519", "sensitive-file"],
    ["is a key store", "server.pfx", "sensitive-file"],
    ["holds a private key", "key.txt", "secret"],
    ["holds a token", "token.txt", "secret"],
    ["is let through by its name and holds a key", () => at("share/id_rsa"), "secret"],
  ])("%s waits for a person", async (_, given, ...gates) => {
    await expectHeld(typeof given === "string" ? given : given(), ...gates);
  });

  it.skipIf(!POSIX).each<[string, string, ...string[]]>([
    ["is a link to one outside", "link.txt", "outside-roots"],
    ["is reached by a link to a folder outside", "linked/secret.txt", "outside-roots"],
    ["is a link to a secret with an innocent name", "innocent.txt", "sensitive-file"],
    ["is a second name of a secret", "hard.txt", "sensitive-file"],
  ])("%s waits for a person (Windows needs a privilege for links)", async (_, path, ...gates) => {
    await expectHeld(path, ...gates);
  });
});

it("a server that works in a home may reach nothing but what its human has named", async () => {
  const named = at("share/report.txt");
  // As `sandbox` has it: the working directory is around the home.
  const homely = await Agent.start({ TUNNEL_NAME: "homely", TUNNEL_SHARE_ROOTS: at("share") });
  const opened = await homely.call("tunnel_open", { goal: "x" });
  await ana.call("tunnel_join", { joinLink: opened.joinLink });
  put(homely, "here.txt", "x");
  expect(await homely.call("tunnel_share", { path: named })).toMatchObject({ name: "report.txt" });
  expect(await homely.call("tunnel_share", { path: "here.txt" })).toMatchObject({
    status: "held",
    gates: ["outside-roots"],
  });
});
