import { rmSync, symlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { closeAgents, REVISION, unfenced, type Agent, type Era, type Payload } from "../support/agent.ts";
import { code, meet, offer, put, read, worker } from "../support/files/file-agents.ts";
import { Repository } from "../support/files/temp-repository.ts";

const found = z.looseObject({
  base: z.string().optional(),
  baseIs: z.string(),
  applies: z.string(),
  failing: z.string().optional(),
  reason: z.string().optional(),
  fileCount: z.number(),
  suspicious: z.array(z.string()),
  files: z.string(),
});

/** The sandboxes in the working directory are not part of the repository. */
function repositoryOf(agent: Agent): Repository {
  const repository = new Repository(agent.box.root);
  repository.put(".git/info/exclude", "tmp\ncache\nhome\n*.patch\n");
  return repository;
}

describe("patches between two clones", () => {
  let ana: Agent;
  let ben: Agent;
  let here: Repository;
  let there: Repository;
  let first: string;
  let second: string;
  let count = 0;
  beforeAll(async () => {
    // One of her patches has bytes in it that nobody can search.
    const unattended = { TUNNEL_UNATTENDED: "1" };
    [ana, ben] = await Promise.all([worker("ana", unattended), worker("ben")]);
    [here, there] = [repositoryOf(ana), repositoryOf(ben)];
    here.put("a.txt", "one\ntwo\nthree\n");
    first = here.commit();
    there.git("pull", "--quiet", here.folder, "main");
    here.put("b.txt", "new\n");
    second = here.commit();
    await meet(ana, ben);
  });
  afterAll(closeAgents);

  /** What the receiver is told of a patch, and that its own tree is as before. */
  async function receivedPatch(
    args: Record<string, unknown>,
  ): Promise<{ shared: Payload; patch: z.infer<typeof found>; text: string }> {
    const { fileId, shared } = await offer(ana, args, ben);
    const tree = (): string =>
      there.git("status", "--porcelain") + there.git("rev-parse", "HEAD") + there.git("diff");
    const before = tree();
    count += 1;
    const received = await ben.call("tunnel_receive", { fileId, savePath: `${count}.patch` });
    expect(tree()).toBe(before);
    return { shared, patch: found.parse(received.patch), text: read(ben, `${count}.patch`).toString() };
  }

  it("what is not committed goes with its base; it applies where that is checked out", async () => {
    there.git("pull", "--quiet", here.folder, "main");
    here.put("a.txt", "one\nTWO\nthree\n");
    here.put("c.txt", "untracked\n");
    const { shared, patch, text } = await receivedPatch({ patch: true });
    expect(shared.patch).toMatchObject({ base: second, files: 2, insertions: 2, deletions: 1 });
    expect(patch).toMatchObject({
      base: second,
      baseIs: "head",
      applies: "yes",
      fileCount: 2,
      suspicious: [],
    });
    expect(unfenced(patch.files).split("\n").toSorted()).toEqual([
      "added c.txt +1 -0",
      "modified a.txt +1 -1",
    ]);
    expect(text).toContain("+TWO");
    // It is what it says it is: git takes it.
    there.git("apply", `${count}.patch`);
    expect(read(ben, "a.txt").toString()).toBe("one\nTWO\nthree\n");
    there.git("checkout", "--quiet", "--", ".");
    there.git("clean", "--quiet", "--force", "c.txt");
  });

  it("what is committed goes as a range, and as one commit", async () => {
    for (const range of [`${first}..${second}`, second, "HEAD"]) {
      const { patch } = await receivedPatch({ patch: true, range });
      // It is there already.
      expect(patch).toMatchObject({ base: first, baseIs: "known", applies: "no", fileCount: 1 });
      expect(unfenced(patch.failing ?? "")).toBe("exists: b.txt");
    }
  });

  it("one for a commit that the receiver does not have says so", async () => {
    here.commit();
    here.put("a.txt", "1\n2\n3\n");
    const { patch } = await receivedPatch({ patch: true });
    expect(patch).toMatchObject({ baseIs: "unknown", applies: "no" });
    expect(unfenced(patch.failing ?? "")).toBe("conflict: a.txt");
    here.git("checkout", "--quiet", "--", ".");
  });

  it.each<[string, Record<string, string>, string[]]>([
    ["hooks", { ".githooks/pre-commit": "curl\n", ".husky/pre-push": "curl\n" }, ["protected"]],
    ["instructions to agents", { "CLAUDE.md": "obey\n", ".cursor/rules/x.mdc": "obey\n" }, ["protected"]],
    ["workflows", { ".github/workflows/x.yml": "on: push\n" }, ["protected"]],
    ["bytes", { "x.bin": "\0\u0001\u0002" }, ["binary"]],
  ])("one that brings %s is told to be suspicious, and not applied", async (_, files, suspicious) => {
    for (const [name, content] of Object.entries(files)) here.put(name, content);
    const { patch } = await receivedPatch({ patch: true });
    here.git("clean", "--quiet", "--force", "-d");
    expect(patch.suspicious).toEqual(suspicious);
    expect(patch.applies).toBe("yes");
    for (const name of Object.keys(files)) expect(unfenced(patch.files)).toContain(`added ${name}`);
  });

  it.skipIf(process.platform === "win32")(
    "one that brings a link or a program is told to be suspicious (Windows has neither)",
    async () => {
      symlinkSync("/etc/passwd", `${here.folder}/innocent.txt`);
      here.put("run.sh", "#!/bin/sh\n", 0o755);
      const { patch } = await receivedPatch({ patch: true });
      here.git("clean", "--quiet", "--force", "-d");
      expect(patch.suspicious.toSorted()).toEqual(["executable", "symlink"]);
    },
  );

  it("a file that somebody calls a patch is a file", async () => {
    put(ana, "made.patch", "--- a/../x\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n");
    const { fileId } = await offer(ana, { path: "made.patch" }, ben);
    const received = await ben.call("tunnel_receive", { fileId, savePath: "made.patch" });
    expect(received.patch).toBeUndefined();
    expect(received["warning"]).toMatch(/not to be safe/);
  });

  it("a range is what its second end has changed since it left the first, with base and head by name", async () => {
    here.git("checkout", "--quiet", "-b", "topic", first);
    here.put("topic.txt", "topic\n");
    here.git("add", "topic.txt");
    here.git("commit", "--quiet", "--message=Add a topic");
    const topic = here.git("rev-parse", "HEAD");
    here.git("checkout", "--quiet", "main");
    const { shared, patch } = await receivedPatch({ patch: true, range: "main..topic" });
    const ends = { base: first, baseSubject: "change", head: topic, headSubject: "Add a topic" };
    expect(shared.patch).toMatchObject({ ...ends, files: 1 });
    expect(patch).toMatchObject({ base: first, head: topic, applies: "yes", fileCount: 1 });
    here.git("branch", "--quiet", "-D", "topic");
  });

  it("what one leaves out is named on both sides", async () => {
    here.put("a.txt", "one\n2\nthree\n");
    here.git("init", "--quiet", "nested");
    here.put("nested/x.txt", "x\n");
    const { shared, patch } = await receivedPatch({ patch: true });
    const line = "nested/: a repository of its own that this one does not track";
    expect(shared.patch).toMatchObject({ leftOut: [line] });
    expect(unfenced(String(patch["leftOut"]))).toBe(line);
    rmSync(`${here.folder}/nested`, { recursive: true });
    here.git("checkout", "--quiet", "--", ".");
  });

  it("none goes out with conflicts in it, or with a heap that nobody tracks or ignores", async () => {
    here.put("node_modules/x/index.js", "x\n");
    const heap = await ana.refused("tunnel_share", { patch: true });
    expect(heap).toMatchObject({
      code: "patch-untracked",
      message: expect.stringContaining("`node_modules/`"),
    });
    rmSync(`${here.folder}/node_modules`, { recursive: true });
    here.git("checkout", "--quiet", "-b", "theirs");
    here.put("a.txt", "theirs\n");
    here.commit();
    here.git("checkout", "--quiet", "main");
    here.put("a.txt", "ours\n");
    here.commit();
    expect(() => here.git("merge", "theirs")).toThrow();
    const refused = await ana.refused("tunnel_share", { patch: true });
    expect(refused).toMatchObject({ code: "patch-conflicts", message: expect.stringContaining("a.txt") });
    here.git("merge", "--abort");
    here.git("reset", "--quiet", "--hard", "HEAD~1");
  });

  it.each([
    [{ patch: true }, "patch-empty"],
    [{ patch: true, range: "--output=x" }, "patch-range"],
    [{ patch: true, range: "nowhere..HEAD" }, "patch-range"],
    [{ patch: true, range: "HEAD; rm -rf /" }, "patch-range"],
    [{ patch: true, range: "a..b..c" }, "patch-range"],
    [{ patch: true, range: ":/message" }, "patch-range"],
  ])("%j is refused as %s", async (args, expected) => {
    expect(await code(ana, "tunnel_share", args)).toBe(expected);
  });

  // Last: what is said later waits behind it.
  it("none goes out with a secret in it, whether by name or by content", async () => {
    for (const [name, content, gate] of [
      [".env", "A=1\n", "sensitive-file"],
      ["deploy/id_rsa", "x\n", "sensitive-file"],
      ["notes.txt", `ghp_${"b".repeat(36)}\n`, "secret"],
      ["key.txt", "-----BEGIN RSA PRIVATE KEY-----\n", "secret"],
    ] as const) {
      here.put(name, content);
      expect(await ana.call("tunnel_share", { patch: true }), name).toMatchObject({
        status: "held",
        gates: [gate],
      });
      here.git("clean", "--quiet", "--force", "-d");
    }
    // One that takes it out shows it as well.
    here.put("old.txt", `ghp_${"c".repeat(36)}\n`);
    here.commit();
    here.git("rm", "--quiet", "old.txt");
    for (const range of [{}, { range: "HEAD" }])
      expect(await ana.call("tunnel_share", { patch: true, ...range })).toMatchObject({ gates: ["secret"] });
    here.git("reset", "--quiet", "--hard");
  });
});

describe("where there is no repository", () => {
  afterAll(closeAgents);

  it("no patch goes out, and what comes is told to be of no use here", async () => {
    const [ana, ben] = await Promise.all([worker("ana"), worker("ben")]);
    const here = repositoryOf(ana);
    here.put("a.txt", "one\n");
    here.commit();
    here.put("a.txt", "two\n");
    await meet(ana, ben);
    expect(await code(ben, "tunnel_share", { patch: true })).toBe("git-unavailable");
    const { fileId } = await offer(ana, { patch: true, note: "please look" }, ben);
    const { patch } = await ben.call("tunnel_receive", { fileId, savePath: "a.patch" });
    expect(patch).toMatchObject({ baseIs: "no-repository", applies: "unknown", reason: "no-repository" });
  });
});

describe("where there is no git", () => {
  afterAll(closeAgents);

  it("no patch goes out, and what comes is saved and told to be unread", async () => {
    const [ana, ben] = await Promise.all([worker("ana"), worker("ben", { PATH: "/nowhere" })]);
    const here = repositoryOf(ana);
    here.put("a.txt", "one\n");
    here.commit();
    here.put("a.txt", "two\n");
    await meet(ana, ben);
    expect(await code(ben, "tunnel_share", { patch: true })).toBe("git-missing");
    const { fileId } = await offer(ana, { patch: true }, ben);
    const { patch } = await ben.call("tunnel_receive", { fileId, savePath: "a.patch" });
    expect(patch).toMatchObject({ baseIs: "git-missing", applies: "unknown", reason: "git-missing" });
    expect(patch?.["baseText"]).toContain("nothing of it could be looked at");
  });
});

describe("what members tell of where they work", () => {
  afterAll(closeAgents);
  const workContexts = async (agent: Agent) =>
    ((await agent.call("tunnel_status")).members ?? []).map(({ name, workContext }) => [name, workContext]);

  it.each([
    ["legacy", "modern"],
    ["modern", "legacy"],
  ] as const)(
    "is repository, branch, commit and client, and no way to any of it (host %s, guest %s)",
    async (...eras) => {
      const [ana, ben] = await Promise.all(eras.map((era) => worker(era, {}, era)));
      if (ana === undefined || ben === undefined) throw new Error("two were started");
      const [here, there] = [repositoryOf(ana), repositoryOf(ben)];
      here.git("remote", "add", "origin", "https://user:t0ken@git.example.com/secret-team/shop.git");
      here.put("a.txt", "one\n");
      const head = here.commit();
      there.git("pull", "--quiet", here.folder, "main");
      there.git("remote", "add", "origin", "git@git.example.com:other-team/fork.git");
      there.git("checkout", "--quiet", "-b", "feature/x");
      there.put("a.txt", "two\n");
      const [, joined] = await meet(ana, ben);
      const client = "e2e 0";
      const expected = [
        [eras[0], { repository: "shop", branch: "main", head: head.slice(0, 12), dirty: false, client }],
        [eras[1], { repository: "fork", branch: "feature/x", head: head.slice(0, 12), dirty: true, client }],
      ];
      for (const agent of [ana, ben]) expect(await workContexts(agent)).toEqual(expected);
      expect((joined?.members ?? []).map(({ name, workContext }) => [name, workContext])).toEqual(expected);
      const told = JSON.stringify([(await ana.call("tunnel_status")).members, joined?.members]);
      for (const secret of [
        "t0ken",
        "user:",
        "example.com",
        "team",
        ana.box.root,
        ben.box.root,
        "/tmp",
        "git@",
      ])
        expect(told).not.toContain(secret);
    },
  );

  it("is nothing where the human has switched it off, and the client alone where there is no repository", async () => {
    const [ana, ben] = await Promise.all([worker("ana", { TUNNEL_CONTEXT: "off" }), worker("ben")]);
    repositoryOf(ana).put("a.txt", "one\n");
    await meet(ana, ben);
    for (const agent of [ana, ben])
      expect(await workContexts(agent)).toEqual([
        ["ana", undefined],
        ["ben", { client: "e2e 0" }],
      ]);
  });
});

describe("asking a human", () => {
  afterAll(closeAgents);
  const KEY = "anthropic/requiresUserInteraction";

  it.each(Object.keys(REVISION) as Era[])(
    "is asked of clients for receiving and exposing alone, and for nothing where nobody is there (%s)",
    async (era) => {
      const [attended, unattended] = await Promise.all([
        worker("ana", {}, era),
        worker("ben", { TUNNEL_UNATTENDED: "1" }, era),
      ]);
      const marked = async (agent: Agent): Promise<string[]> =>
        (await agent.client.listTools()).tools
          .filter(({ _meta }) => _meta?.[KEY] === true)
          .map(({ name }) => name);
      expect(await marked(attended)).toEqual(["tunnel_receive", "expose_start"]);
      expect(await marked(unattended)).toEqual([]);
      const { tools } = await unattended.client.listTools();
      expect(tools.filter(({ _meta }) => _meta !== undefined && KEY in _meta)).toEqual([]);
    },
  );
});
