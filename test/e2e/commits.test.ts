import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { closeAgents, unfenced, type Agent } from "../support/agent.ts";
import { meet, offer, worker } from "../support/files/file-agents.ts";
import { Repository } from "../support/files/temp-repository.ts";

const found = z.looseObject({
  applies: z.string(),
  baseIs: z.string(),
  commitCount: z.number(),
  commits: z.string(),
  am: z.string(),
  failing: z.string().optional(),
  failingCommit: z.number().optional(),
});

/** The sandboxes in the working directory are not part of the repository. */
function repositoryOf(agent: Agent): Repository {
  const repository = new Repository(agent.box.root);
  repository.put(".git/info/exclude", "tmp\ncache\nhome\n*.mbox\n");
  return repository;
}

const LOG = ["log", "--reverse", "--format=%an <%ae> %ad%n%B", "--date=iso-strict", "base..HEAD"] as const;

describe("commits between two clones", () => {
  let ana: Agent;
  let ben: Agent;
  let here: Repository;
  let there: Repository;
  let count = 0;
  beforeAll(async () => {
    [ana, ben] = await Promise.all([worker("ana"), worker("ben")]);
    [here, there] = [repositoryOf(ana), repositoryOf(ben)];
    here.put("a.txt", "one\ntwo\nthree\n");
    here.put("dos.txt", "one\r\ntwo\r\n");
    here.commit();
    here.git("branch", "base");
    there.git("pull", "--quiet", here.folder, "main");
    there.git("branch", "base");
    here.put("a.txt", "one\nTWO\nthree\n");
    here.git("-c", "user.name=Zoë Ünal", "commit", "-qam", "[api] change two\n\nA body, with ünïcode.\n");
    here.put("a.txt", "one\nTWO\nthree\nfour\n");
    here.put("dos.txt", "one\r\nTWO\r\n");
    here.put("new file.txt", "new\n");
    here.git("add", ".");
    here.git("commit", "-qm", "add a file");
    await meet(ana, ben);
  });
  afterAll(closeAgents);

  async function received(range: string): Promise<{ patch: z.infer<typeof found>; shared: unknown }> {
    const { fileId, shared } = await offer(ana, { patch: true, range, commits: true }, ben);
    const before = there.git("status", "--porcelain") + there.git("rev-parse", "HEAD");
    count += 1;
    const got = await ben.call("tunnel_receive", { fileId, savePath: `${count} it's.mbox` });
    expect(there.git("status", "--porcelain") + there.git("rev-parse", "HEAD")).toBe(before);
    return { patch: found.parse(got.patch), shared };
  }

  it("commits come with messages, authors and order, and the command that is named makes the same ones", async () => {
    const { patch, shared } = await received("base..HEAD");
    expect(shared).toMatchObject({ status: "sent", patch: { files: 3 } });
    expect(patch).toMatchObject({ applies: "yes", baseIs: "head", commitCount: 2 });
    const [first, second] = unfenced(patch.commits).split("\n");
    expect(first).toMatch(/^1\. \[api\] change two \| Zoë Ünal <.+> \| .+ \| 1 file \+1 -1: a\.txt$/);
    expect(second).toMatch(/^2\. add a file \| .+ \| 3 files \+3 -1: a\.txt, dos\.txt, new file\.txt$/);
    // As a person would type it.
    if (process.platform !== "win32")
      execFileSync("sh", ["-c", patch.am], { cwd: there.folder, stdio: "pipe" });
    else there.git("am", "--keep-cr", "--keep-non-patch", join(ben.box.root, `${count} it's.mbox`));
    expect(there.git(...LOG)).toBe(here.git(...LOG));
    expect(there.git("rev-parse", "HEAD^{tree}")).toBe(here.git("rev-parse", "HEAD^{tree}"));
  });

  it("commits that are there already do not apply, and the first one that fails is named", async () => {
    const { patch } = await received("base..HEAD");
    expect(patch).toMatchObject({ applies: "no", failingCommit: 1 });
    expect(unfenced(patch.failing ?? "")).toContain("a.txt");
  });

  it("a change that nobody has committed is in the way of git am, and is named", async () => {
    there.git("reset", "--quiet", "--hard", "base");
    there.put("a.txt", "mine\n");
    const { patch } = await received("base..HEAD");
    expect(patch).toMatchObject({ applies: "no" });
    expect(unfenced(patch.failing ?? "")).toBe("changed-here: a.txt");
    there.git("checkout", "--quiet", "a.txt");
    there.put("new file.txt", "mine, not tracked\n");
    const { patch: other } = await received("base..HEAD");
    expect(unfenced(other.failing ?? "")).toBe("changed-here: new file.txt");
  });

  it("a merge cannot go this way: it is named, with what can", async () => {
    here.git("checkout", "--quiet", "-b", "side", "base");
    here.put("side.txt", "side\n");
    here.commit();
    here.git("checkout", "--quiet", "main");
    here.git("merge", "--quiet", "--no-ff", "-m", "bring the side in", "side");
    const args = { patch: true, range: "base..HEAD", commits: true };
    const refused = await ana.refused("tunnel_share", args);
    expect(refused.code).toBe("patch-merges");
    expect(JSON.stringify(refused)).toContain("bring the side in");
    const { shared } = await offer(ana, { patch: true, range: "base..HEAD" }, ben);
    expect(shared.status).toBe("sent");
  });

  it.each([
    { patch: true, commits: true },
    { path: "a.txt", commits: true },
    { paths: ["a.txt"], range: "HEAD" },
    { path: "a.txt", paths: ["a.txt"] },
    { paths: [] },
  ])("%j is refused", async (args) => {
    expect((await ana.refused("tunnel_share", args)).code).toBe("input-invalid");
  });
});
