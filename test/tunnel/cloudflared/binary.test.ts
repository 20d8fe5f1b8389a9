import { createHash } from "node:crypto";
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
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { acquireBinary, inspectBinary, type BinaryOptions } from "../../../src/tunnel/cloudflared/binary.ts";
import type { BinaryEnvironment } from "../../../src/tunnel/cloudflared/environment.ts";
import type { PinnedRelease } from "../../../src/tunnel/cloudflared/pins.ts";
import { fakeHttps, silence, type FakeAnswer } from "../../support/tunnels/fake-https.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";
import { tarEntry } from "../../support/tunnels/fake-tar.ts";

const PROGRAM = new TextEncoder().encode("#!/bin/sh\necho pretend\n");
const NEVER = new AbortController().signal;
const posix = process.platform !== "win32";
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-test-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function release(asset: Uint8Array = PROGRAM, name = "cloudflared-x"): PinnedRelease {
  const url = "https://releases.example/cloudflared";
  return { version: "2026.9.3", url, asset: name, assetSha256: sha256(asset), binarySha256: sha256(PROGRAM) };
}

function environment(changed: Partial<BinaryEnvironment> = {}): BinaryEnvironment {
  const own = { cacheHome: join(root, "cache"), cwd: join(root, "project"), ownDirectory: join(root, "own") };
  return {
    platform: "linux",
    arch: "x64",
    searchPath: [],
    tempDirectory: root,
    childEnv: {},
    recordFolders: [],
    ...own,
    ...changed,
  };
}

function setUp(answer: () => FakeAnswer | Promise<FakeAnswer>, changed: Partial<BinaryOptions> = {}) {
  const clock = new FakeClock();
  const { client, gets } = fakeHttps(answer);
  const options: BinaryOptions = {
    environment: environment(),
    release: release(),
    client,
    clock,
    ...changed,
  };
  const acquire = (signal = NEVER) => acquireBinary(options, signal, () => undefined);
  return { clock, gets, options, acquire };
}

const cached = (): string => join(root, "cache", "tunnel-mcp", "cloudflared-2026.9.3", "cloudflared");
const leftovers = (): string[] => readdirSync(dirname(cached()));
const offline = (): never => {
  throw new Error("nothing may be fetched");
};

/** A program that says it is cloudflared of that version. */
function plant(path: string, version: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho "cloudflared version ${version} (built 2026-01-01)"\n`, {
    mode: 0o755,
  });
  return path;
}

describe("fetching", () => {
  it("puts the checked program in a private place, once", async () => {
    const { acquire, gets } = setUp(() => ({ body: PROGRAM, length: PROGRAM.length }));
    expect(await acquire()).toEqual({ path: cached(), origin: "cache", version: "2026.9.3", verified: true });
    expect((await acquire()).verified).toBe(true);
    expect(gets).toHaveLength(1);
    expect(leftovers()).toEqual(["cloudflared"]);
    if (posix)
      expect([statSync(dirname(cached())).mode & 0o777, statSync(cached()).mode & 0o777]).toEqual([
        0o700, 0o755,
      ]);
  });

  it("follows redirects, but only to TLS", async () => {
    const hops = (location: string) => {
      const answers: FakeAnswer[] = [{ status: 302, location }, { body: PROGRAM }];
      return () => answers.shift() ?? {};
    };
    expect((await setUp(hops("https://assets.example/x")).acquire()).verified).toBe(true);
    rmSync(cached());
    await expect(setUp(hops("http://assets.example/x")).acquire()).rejects.toMatchObject({
      code: "cloudflared-download-failed",
    });
    await expect(setUp(() => ({ status: 302, location: "/loop" })).acquire()).rejects.toThrow(
      "too many redirects",
    );
  });

  it.each([
    [
      "the network is down",
      { status: 503 },
      "cloudflared-download-failed",
      "the server answered with status 503",
    ],
    ["another file comes as well", { body: "something else" }, "cloudflared-hash-mismatch", "fresh download"],
  ])(
    "says that the copy here has been altered where no other one could be fetched: %s",
    async (_why, answer, code, detail) => {
      await setUp(() => ({ body: PROGRAM })).acquire();
      writeFileSync(cached(), "something else");
      await expect(setUp(() => answer).acquire()).rejects.toMatchObject({
        code,
        detail: `the copy here has been altered and was not run, and no other one could be fetched (${detail})`,
      });
    },
  );

  it("refuses a file with another hash, and leaves nothing", async () => {
    const { acquire } = setUp(() => ({ body: "something else" }));
    await expect(acquire()).rejects.toMatchObject({ code: "cloudflared-hash-mismatch" });
    expect(leftovers()).toEqual([]);
  });

  it("leaves nothing when the connection breaks, ends early or is refused", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield PROGRAM.subarray(0, 4);
      await Promise.resolve();
      throw new Error("reset");
    }
    const answers: (() => FakeAnswer)[] = [
      () => ({ body: broken() }),
      () => ({ body: PROGRAM.subarray(0, 4), length: PROGRAM.length }),
      () => ({ status: 404 }),
    ];
    for (const answer of answers) {
      await expect(setUp(answer).acquire()).rejects.toMatchObject({ code: "cloudflared-download-failed" });
      expect(leftovers()).toEqual([]);
    }
  });

  it("gives up a stalled download, and stops when cancelled", async () => {
    async function* stalled(): AsyncGenerator<Uint8Array> {
      yield PROGRAM.subarray(0, 4);
      await silence();
    }
    const { acquire, clock } = setUp(() => ({ body: stalled() }));
    const failed = expect(acquire()).rejects.toMatchObject({ code: "cloudflared-download-failed" });
    while (clock.waiting === 0) await clock.advance(0);
    for (let i = 0; i < 20; i++) await clock.advance(0);
    await clock.advance(30_000);
    await failed;

    const abort = new AbortController();
    const cancelled = expect(setUp(() => ({ body: stalled() })).acquire(abort.signal)).rejects.toMatchObject({
      code: "cancelled",
    });
    abort.abort();
    await cancelled;
    expect(leftovers()).toEqual([]);
  });

  it("takes the program out of an archive and checks that, too", async () => {
    const archive = (program: Uint8Array): Uint8Array =>
      gzipSync(
        Buffer.concat([
          tarEntry("README", new Uint8Array(600)),
          tarEntry("cloudflared", program),
          Buffer.alloc(1024),
        ]),
      );
    const good = archive(PROGRAM);
    expect(
      (await setUp(() => ({ body: good }), { release: release(good, "x.tgz") }).acquire()).verified,
    ).toBe(true);
    expect(leftovers()).toEqual(["cloudflared"]);
    rmSync(cached());
    const bad = archive(new TextEncoder().encode("other"));
    const { acquire } = setUp(() => ({ body: bad }), { release: release(bad, "x.tgz") });
    await expect(acquire()).rejects.toMatchObject({ code: "cloudflared-hash-mismatch" });
    expect(leftovers()).toEqual([]);
  });

  it("names the platform that has no pinned release", async () => {
    const { options } = setUp(offline);
    const alien = { environment: environment({ platform: "sunos", arch: "sparc" }) };
    await expect(acquireBinary(alien, NEVER, () => undefined)).rejects.toThrow(/sunos on sparc$/);
    expect((await inspectBinary(alien)).problem?.code).toBe("cloudflared-unsupported");
    expect(await inspectBinary(options)).toEqual({ origin: "none", verified: false });
  });
});

describe("the cache", () => {
  it("replaces an altered copy by a checked one, and reports it without touching it", async () => {
    const { acquire, options, gets } = setUp(() => ({ body: PROGRAM }));
    await acquire();
    writeFileSync(cached(), "altered");
    expect(await inspectBinary(options)).toMatchObject({
      origin: "cache",
      verified: false,
      problem: { code: "cloudflared-hash-mismatch" },
    });
    expect(gets).toHaveLength(1);
    expect((await acquire()).verified).toBe(true);
    expect(gets).toHaveLength(2);
  });

  it.runIf(posix)("does not follow a link, and corrects an open directory", async () => {
    const { acquire } = setUp(() => ({ body: PROGRAM }));
    await acquire();
    rmSync(cached());
    writeFileSync(join(root, "elsewhere"), PROGRAM);
    symlinkSync(join(root, "elsewhere"), cached());
    chmodSync(dirname(cached()), 0o777);
    expect((await acquire()).verified).toBe(true);
    expect(statSync(dirname(cached())).mode & 0o777).toBe(0o700);

    rmSync(join(root, "cache", "tunnel-mcp"), { recursive: true });
    mkdirSync(join(root, "shared"), { mode: 0o777 });
    symlinkSync(join(root, "shared"), join(root, "cache", "tunnel-mcp"));
    await expect(acquire()).rejects.toMatchObject({ code: "cloudflared-download-failed" });
    expect(readdirSync(join(root, "shared"))).toEqual([]);
  });
});

describe.runIf(posix)("a cloudflared of the machine", () => {
  it("is taken from the path the user names, or that is an error", async () => {
    const path = plant(join(root, "mine", "cf"), "2020.1.1");
    const { acquire } = setUp(offline, { explicitPath: path });
    expect(await acquire()).toEqual({ path, origin: "explicit", version: "2020.1.1", verified: false });
    chmodSync(path, 0o644);
    await expect(acquire()).rejects.toMatchObject({ code: "cloudflared-missing" });
    writeFileSync(path, "#!/bin/sh\necho hello\n");
    chmodSync(path, 0o755);
    await expect(acquire()).rejects.toMatchObject({ code: "cloudflared-missing" });
  });

  it("is taken from PATH unless it is too old or anybody may have put it there", async () => {
    const [old, open, good] = ["old", "open", "good"].map((name) => join(root, name));
    plant(join(`${old}`, "cloudflared"), "2024.1.0");
    plant(join(`${open}`, "cloudflared"), "2026.9.3");
    chmodSync(`${open}`, 0o777);
    const path = plant(join(`${good}`, "cloudflared"), "2026.5.0");
    const { acquire } = setUp(offline, {
      environment: environment({ searchPath: [`${old}`, `${open}`, `${good}`] }),
    });
    expect(await acquire()).toEqual({ path, origin: "path", version: "2026.5.0", verified: false });
  });

  it("is taken from the npm package beside us, and from a project only when it is the pinned one", async () => {
    const inProject = plant(
      join(root, "project", "node_modules", "cloudflared", "bin", "cloudflared"),
      "2026.9.3",
    );
    await expect(setUp(offline).acquire()).rejects.toMatchObject({ code: "cloudflared-download-failed" });
    writeFileSync(inProject, PROGRAM);
    expect(await setUp(offline).acquire()).toMatchObject({ path: inProject, origin: "npm", verified: true });

    const modules = join(root, "install", "node_modules");
    const path = plant(join(modules, "cloudflared", "bin", "cloudflared"), "2026.8.2");
    const beside = environment({ ownDirectory: join(modules, "tunnel-mcp", "dist") });
    expect(await setUp(offline, { environment: beside }).acquire()).toMatchObject({
      path,
      origin: "npm",
      verified: false,
    });
  });
});
