import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  readDescriptors,
  removeStale,
  writeDescriptor,
  type Descriptor,
} from "../../src/control/descriptor.ts";

const POSIX = process.platform !== "win32";
const { platform } = process;
const TOKEN = "t".repeat(43);
const running = (): boolean => true;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tunnel-control-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function descriptor(pid: number, more: Partial<Descriptor> = {}): Descriptor {
  return { pid, endpoint: `/e/${pid}`, token: TOKEN, folder: "/projects", ...more };
}

function leave(name: string, content: unknown, mode = 0o600): void {
  const file = join(folder, name);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  chmodSync(file, mode);
}

const found = async (): Promise<number[]> =>
  (await readDescriptors([folder], platform, running)).map(({ pid }) => pid);

describe("a descriptor", () => {
  it("is read back as it was written, by this user alone, and leaves no draft", async () => {
    const written = descriptor(7, { session: "s" });
    const file = await writeDescriptor(folder, written, { platform, kind: "ask" });
    expect(readdirSync(folder)).toEqual(["7.json"]);
    if (POSIX) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await readDescriptors([folder], platform, running)).toEqual([written]);
  });

  it("replaces one that a process of the same number has left, its draft included", async () => {
    leave("7.json", descriptor(7));
    leave("7.json.part", "half");
    await writeDescriptor(folder, descriptor(7, { folder: "/new" }), { platform, kind: "ask" });
    expect(await readDescriptors([folder], platform, running)).toEqual([descriptor(7, { folder: "/new" })]);
  });

  it("may have fields of later versions", async () => {
    leave("7.json", { ...descriptor(7), later: true });
    expect(await found()).toEqual([7]);
  });

  it.each<[string, unknown]>([
    ["no JSON", "{"],
    ["nothing", ""],
    ["another shape", { pid: 7 }],
    ["the number of another process", descriptor(8)],
    ["a token that is none", descriptor(7, { token: "short" })],
    ["no endpoint", descriptor(7, { endpoint: "" })],
    ["too much", `${JSON.stringify(descriptor(7))}${" ".repeat(70_000)}`],
  ])("with %s in it is ignored", async (_, content) => {
    leave("7.json", content);
    expect(await found()).toEqual([]);
  });

  it.skipIf(!POSIX)("that others can read is ignored, and so is a link", async () => {
    leave("7.json", descriptor(7), 0o640);
    leave("8.json", descriptor(8));
    symlinkSync(join(folder, "8.json"), join(folder, "9.json"));
    expect(await found()).toEqual([8]);
  });

  it.skipIf(!POSIX)("in a folder that is open to others, or a link, is ignored", async () => {
    leave("7.json", descriptor(7));
    const link = join(folder, "link");
    symlinkSync(folder, link);
    expect(await readDescriptors([link], platform, running)).toEqual([]);
    chmodSync(folder, 0o755);
    expect(await found()).toEqual([]);
  });

  it("in no folder at all is none", async () => {
    expect(await readDescriptors([join(folder, "missing")], platform, running)).toEqual([]);
  });
});

describe("what a killed server has left", () => {
  it("is ignored, and removed by the next one; what is not a server's stays", async () => {
    for (const name of ["7.json", "7.json.part", "7-ab12.sock", "8.json", "8-cd34.sock", "notes.txt"])
      leave(name, descriptor(Number.parseInt(name, 10) || 1));
    mkdirSync(join(folder, "9"));
    const isRunning = (pid: number): boolean => pid === 8;
    const left = await readDescriptors([folder], platform, isRunning);
    expect(left.map(({ pid }) => pid)).toEqual([8]);
    await removeStale(folder, isRunning);
    expect(readdirSync(folder).toSorted()).toEqual(["8-cd34.sock", "8.json", "9", "notes.txt"]);
  });

  it.skipIf(!POSIX)(
    "stays, and is found, when somebody listens there whose number means nothing here, as in another container (sockets of POSIX)",
    async () => {
      const endpoint = join(folder, "7-ab12.sock");
      leave("7.json", descriptor(7, { endpoint }));
      const server = createServer().listen(endpoint);
      await once(server, "listening");
      const isRunning = (): boolean => false;
      await removeStale(folder, isRunning);
      expect(readdirSync(folder).toSorted()).toEqual(["7-ab12.sock", "7.json"]);
      expect((await readDescriptors([folder], platform, isRunning)).map(({ pid }) => pid)).toEqual([7]);
      await new Promise<void>((resolve) => void server.close(() => resolve()));
      await removeStale(folder, isRunning);
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});
