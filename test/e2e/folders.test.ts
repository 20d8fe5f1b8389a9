import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { closeAgents, unfenced, type Agent, type Payload } from "../support/agent.ts";
import {
  code,
  holdAfter,
  meet,
  meetThrough,
  offer,
  parts,
  put,
  read,
  release,
  underWay,
  worker,
} from "../support/files/file-agents.ts";
import { Proxy } from "../support/proxy.ts";

/** The fields of a folder in an answer. */
const treeSchema = z.looseObject({
  files: z.number(),
  bytes: z.number(),
  saved: z.string().optional(),
  reusedBytes: z.number().optional(),
  notSaved: z.string().optional(),
});
const treeIn = (payload: Payload): z.infer<typeof treeSchema> => treeSchema.parse(payload["tree"]);

const sha256 = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

/** Made up, and in the form of a token that nothing accepts. */
const TOKEN = `ghp_${"x1Y2z3A4b5".repeat(4).slice(0, 36)}`;

const tree = (agent: Agent, folder: string): string[] =>
  readdirSync(join(agent.box.root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(agent.box.root, folder).length + 1))
    .map((name) => name.replaceAll("\\", "/"))
    .toSorted();

describe("folders between two servers", () => {
  let ana: Agent;
  let ben: Agent;
  beforeAll(async () => {
    [ana, ben] = await Promise.all([worker("ana"), worker("ben")]);
    await meet(ana, ben);
  });
  afterAll(closeAgents);

  it("[B8] [B9] a folder comes as it is, without what is ignored, secret or elsewhere", async () => {
    put(ana, "examples/a.txt", "one\n");
    put(ana, "examples/deep/er/b.txt", "two\n");
    put(ana, "examples/deep/same.txt", "one\n");
    put(ana, "examples/empty.txt", "");
    put(ana, "examples/.gitignore", "*.log\nbuild/\n");
    put(ana, "examples/noise.log", "noise\n");
    put(ana, "examples/build/out.js", "x\n");
    put(ana, "examples/.env", "A=1\n");
    put(ana, "examples/keys.txt", `token ${TOKEN}\n`);
    mkdirSync(join(ana.box.root, "examples/hollow"));
    if (process.platform !== "win32") {
      symlinkSync("/etc/hostname", join(ana.box.root, "examples/out"));
      symlinkSync("a.txt", join(ana.box.root, "examples/in"));
    }
    const { fileId, shared, heard } = await offer(ana, { paths: ["examples"], note: "to look at" }, ben);
    expect(shared).toMatchObject({ name: "examples", status: "sent" });
    const files = [".gitignore", "a.txt", "deep/er/b.txt", "deep/same.txt", "empty.txt", "in"];
    expect(shared["tree"]).toMatchObject({
      bytes: 29,
      entries: [
        { path: ".gitignore", size: 13 },
        { path: "a.txt", size: 4, sha256: sha256("one\n") },
        { path: "deep/er/b.txt" },
        { path: "deep/same.txt", sha256: sha256("one\n") },
        { path: "empty.txt", size: 0 },
        { path: "hollow/" },
        { path: "in", sha256: sha256("one\n") },
      ],
      ignored: { count: 2, first: ["build", "noise.log"] },
      leftOut: [
        { path: ".env", why: "environment file" },
        { path: "keys.txt", why: "a GitHub token in it" },
        { path: "out", why: "a link that leads outside of the folders that may be shared" },
      ],
    });
    expect(JSON.stringify(shared)).not.toContain(TOKEN);
    const [message] = heard;
    expect(message).toMatchObject({ name: "examples", tree: { files: 6, bytes: 29 } });
    expect(unfenced(String(message?.["holds"])).split("\n")).toContain("deep/er/b.txt (4 B)");
    const received = await ben.call("tunnel_receive", { fileId, savePath: "got" });
    expect(received).toMatchObject({ status: "received", name: "examples", sha256: shared.sha256 });
    // The same content came once for three files.
    expect(treeIn(received)).toMatchObject({ files: 6, bytes: 29, reusedBytes: 8 });
    expect(unfenced(treeIn(received).saved ?? "").split("\n")).toEqual(files);
    expect(tree(ben, "got")).toEqual(files);
    expect(read(ben, "got/deep/er/b.txt").toString()).toBe("two\n");
    expect(readdirSync(join(ben.box.root, "got/hollow"))).toEqual([]);
    expect(parts(ben)).toEqual([]);
  });

  it("[B10] a part comes by its paths, and the rest of it is not sent again", async () => {
    for (const name of ["a/one.txt", "a/two.txt", "b/three.txt"])
      put(ana, `parts/${name}`, `${name}\n`.repeat(50_000));
    const { fileId, shared } = await offer(ana, { paths: ["parts"] }, ben);
    const part = await ben.call("tunnel_receive", { fileId, savePath: "some", only: ["a"] });
    expect(treeIn(part)).toMatchObject({ files: 2 });
    expect(tree(ben, "some")).toEqual(["a/one.txt", "a/two.txt"]);
    const whole = await ben.call("tunnel_receive", { fileId, savePath: "all" });
    expect(treeIn(whole)).toMatchObject({ files: 3, reusedBytes: 1_000_000 });
    expect(tree(ben, "all")).toEqual(["a/one.txt", "a/two.txt", "b/three.txt"]);
    expect(Buffer.compare(read(ben, "all/a/two.txt"), read(ana, "parts/a/two.txt"))).toBe(0);
    expect(shared.size).toBeGreaterThan(1_600_000);
    const refused = { fileId, savePath: "other", only: ["a/one.txt", "nothing"] };
    expect(await code(ben, "tunnel_receive", refused)).toBe("tree-path-unknown");
    expect(await code(ben, "tunnel_receive", { fileId, savePath: "all", only: ["a"] })).toMatch(/^save-/);
    expect(await code(ben, "tunnel_receive", { fileId, savePath: "all", overwrite: true })).toMatch(/^save-/);
    expect(parts(ben)).toEqual([]);
  });

  it("what may not be saved here is left out and named", async () => {
    put(ana, "project/.github/workflows/ci.yml", "on: push\n");
    put(ana, "project/AGENTS.md", "do so\n");
    put(ana, "project/src/x.ts", "x\n");
    const { fileId } = await offer(ana, { paths: ["project"] }, ben);
    const received = await ben.call("tunnel_receive", { fileId, savePath: "project" });
    expect(tree(ben, "project")).toEqual(["src/x.ts"]);
    expect(unfenced(treeIn(received).notSaved ?? "").split("\n")).toEqual([
      ".github/workflows/ci.yml: workflows that run on GitHub",
      "AGENTS.md: instructions to agents",
    ]);
  });

  it("a file that is changed after it was offered ends it, and nothing stays", async () => {
    put(ana, "logs/a.txt", "one\n");
    put(ana, "logs/b.txt", "two\n");
    const { fileId } = await offer(ana, { paths: ["logs"] }, ben);
    appendFileSync(join(ana.box.root, "logs/b.txt"), "more\n");
    expect(await code(ben, "tunnel_receive", { fileId, savePath: "logs" })).toBe("file-changed");
    expect(parts(ben)).toEqual([]);
  });

  it("nothing is left where everything is secret or not there", async () => {
    put(ana, "secrets/.env", "A=1\n");
    expect(await code(ana, "tunnel_share", { paths: ["secrets"] })).toBe("share-nothing-left");
    expect(await code(ana, "tunnel_share", { paths: ["nowhere"] })).toBe("share-nothing-left");
  });

  it("what cannot be searched waits for a person, all of it once", async () => {
    put(ana, "images/a.txt", "text\n");
    put(ana, "images/b.bin", Buffer.from([0, 1, 2, 3, 255, 254, 0, 0]));
    const shared = await ana.call("tunnel_share", { paths: ["images"] });
    expect(shared).toMatchObject({ status: "held" });
  });
});

describe("folders on a bad connection", () => {
  let wire: Proxy;
  afterEach(async () => {
    await wire.close();
    await closeAgents();
  });

  it("[B5] [B10] a cut in the middle goes on where it was, and the folder appears whole", async () => {
    wire = await Proxy.start();
    const [ana, ben] = await Promise.all([worker("ana"), worker("ben")]);
    const { crossing } = await meetThrough(wire, ana, ben);
    for (let at = 0; at < 200; at += 1) put(ana, `many/d${at % 7}/f${at}.txt`, `line ${at}\n`.repeat(3_000));
    const { fileId } = await offer(ana, { paths: ["many"] }, ben);
    holdAfter(crossing, "toGuest", 2_000_000);
    const receiving = ben.call("tunnel_receive", { fileId, savePath: "many" });
    await underWay(ben, 1_000_000);
    expect(parts(ben).length).toBeGreaterThan(0);
    release(crossing);
    crossing.cut();
    expect(await receiving).toMatchObject({ status: "received" });
    expect(tree(ben, "many")).toEqual(tree(ana, "many"));
    for (const name of tree(ana, "many").slice(0, 20))
      expect(Buffer.compare(read(ben, `many/${name}`), read(ana, `many/${name}`))).toBe(0);
    expect(parts(ben)).toEqual([]);
  });
});
