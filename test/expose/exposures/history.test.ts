import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ExposureHistory, type EndedExposure } from "../../../src/expose/exposures/history.ts";
import { EXPOSE } from "../../../src/expose/exposures/limits.ts";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "history-"));
  folder = path.join(root, "private");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const history = (pid = 1, folders = [folder]): ExposureHistory =>
  new ExposureHistory({ folders, platform: process.platform, pid });

function ended(id: string, over: Partial<EndedExposure> = {}): EndedExposure {
  return {
    id,
    name: "port-3000",
    protocol: "http",
    target: "http://localhost:3000",
    publicUrl: "https://a.example",
    startedAt: 1_000,
    endedAt: 2_000,
    why: "expired",
    requests: 3,
    ...over,
  };
}

const file = (): string => path.join(folder, "exposures.json");

describe("the exposures that have ended", () => {
  it("are read again by another server of this user, the newest first", async () => {
    await history(1).add(ended("a", { endedAt: 5 }));
    await history(2).add(ended("b", { endedAt: 9, why: "failed", code: "expose-unproved" }));
    expect((await history(3).read()).map(({ id }) => id)).toEqual(["b", "a"]);
  });

  it("are bounded: the oldest go", async () => {
    const one = history();
    for (let n = 0; n < EXPOSE.history + 5; n += 1) await one.add(ended(`e${n}`, { endedAt: n }));
    const read = await one.read();
    expect(read).toHaveLength(EXPOSE.history);
    expect(read[0]?.id).toBe(`e${EXPOSE.history + 4}`);
  });

  it("are all kept when several end at once", async () => {
    const one = history();
    await Promise.all(["a", "b", "c"].map((id) => one.add(ended(id))));
    expect((await one.read()).map(({ id }) => id).toSorted()).toEqual(["a", "b", "c"]);
  });

  it.skipIf(process.platform === "win32")("are for this user alone (Windows has no modes)", async () => {
    await history().add(ended("a"));
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it.skipIf(process.platform === "win32")(
    "are not read from a file that others can write (Windows has no modes)",
    async () => {
      await history().add(ended("a"));
      chmodSync(file(), 0o666);
      expect(await history().read()).toEqual([]);
    },
  );

  it.each([["no JSON"], ["{}"], ['{"ended":[{"id":1}]}'], ["[]"], [""]])(
    "are none where the file holds %j, and the next one is kept",
    async (content) => {
      mkdirSync(folder, { mode: 0o700 });
      writeFileSync(file(), content, { mode: 0o600 });
      const one = history();
      expect(await one.read()).toEqual([]);
      await one.add(ended("a"));
      expect((await one.read()).map(({ id }) => id)).toEqual(["a"]);
    },
  );

  it("go into the next folder where the first cannot be used, and nothing is thrown where none can", async () => {
    writeFileSync(path.join(root, "taken"), "a file in the way");
    const taken = path.join(root, "taken");
    const one = history(1, [taken, folder]);
    await one.add(ended("a"));
    expect(existsSync(file())).toBe(true);
    expect(await one.read()).toHaveLength(1);
    const none = history(1, [taken]);
    await none.add(ended("b"));
    expect(await none.read()).toEqual([]);
    expect(readFileSync(taken, "utf8")).toBe("a file in the way");
  });
});
