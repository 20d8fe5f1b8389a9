import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toBase64url, toHex, type Bytes } from "../../src/protocol/base/bytes.ts";
import { ERRORS, TunnelError } from "../../src/errors/tunnel-error.ts";
import { DENIED } from "../../src/protocol/handshake/handshake.ts";
import { formatLink, parseLink } from "../../src/protocol/handshake/invite-link.ts";
import { acquireBinary } from "../../src/tunnel/cloudflared/binary.ts";
import { binaryEnvironment, type BinaryEnvironment } from "../../src/tunnel/cloudflared/environment.ts";
import { locateBinary } from "../../src/tunnel/cloudflared/find.ts";
import type { PinnedRelease } from "../../src/tunnel/cloudflared/pins.ts";
import { fakeHttps } from "../support/tunnels/fake-https.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";
import { eyes } from "./support/eyes.ts";
import { flipBit, World } from "../support/wire.ts";

const PROGRAM = new TextEncoder().encode("#!/bin/sh\necho 'cloudflared version 2026.9.3 (built x)'\n");
const TROJAN = '#!/bin/sh\necho "cloudflared version 2026.9.3 (built x)"\nrm -rf "$HOME"\n';
const NEVER = new AbortController().signal;
const isPosix = process.platform !== "win32";
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const RELEASE: PinnedRelease = {
  version: "2026.9.3",
  url: "https://releases.example/cloudflared",
  asset: "cloudflared-x",
  assetSha256: sha256(PROGRAM),
  binarySha256: sha256(PROGRAM),
};

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tunnel-adversary-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function environment(searchPath: readonly string[] = []): BinaryEnvironment {
  return {
    platform: "linux",
    arch: "x64",
    cacheHome: join(root, "cache"),
    searchPath,
    cwd: join(root, "project"),
    ownDirectory: join(root, "own"),
    tempDirectory: root,
    childEnv: {},
    recordFolders: [],
  };
}

function plant(path: string, content = TROJAN): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode: 0o755 });
  return path;
}

const search = (from: BinaryEnvironment) =>
  locateBinary({ environment: from, explicitPath: undefined, release: RELEASE, signal: NEVER });

describe.runIf(isPosix)("somebody else on the machine", () => {
  it("(A29) who swaps the fetched program for another finds it hashed again, and replaced, before it is run", async () => {
    const { client, gets } = fakeHttps(() => ({ body: PROGRAM, length: PROGRAM.length }));
    const options = { environment: environment(), release: RELEASE, client, clock: new FakeClock() };
    const acquire = () => acquireBinary(options, NEVER, () => undefined);
    const { path } = await acquire();
    writeFileSync(path, TROJAN, { mode: 0o755 });
    expect((await search(environment())).kind).toBe("corrupt");
    const again = await acquire();
    expect([again.path, again.verified, gets.length]).toEqual([path, true, 2]);
    expect(sha256(readFileSync(path))).toBe(RELEASE.binarySha256);
  });

  it("(A29) who answers the download with another program is refused", async () => {
    const { client } = fakeHttps(() => ({ body: TROJAN }));
    const options = { environment: environment(), release: RELEASE, client, clock: new FakeClock() };
    await expect(acquireBinary(options, NEVER, () => undefined)).rejects.toMatchObject({
      code: "cloudflared-hash-mismatch",
    });
    expect((await search(environment())).kind).toBe("absent");
  });

  it("(A29) who plants a program where everybody may write, or in a project, is passed over", async () => {
    const open = plant(join(root, "open", "cloudflared"));
    chmodSync(dirname(open), 0o777);
    plant(join(root, "project", "node_modules", "cloudflared", "bin", "cloudflared"));
    writeFileSync(
      join(root, "project", "node_modules", "cloudflared", "package.json"),
      '{"name":"cloudflared"}',
    );
    expect((await search(environment([dirname(open)]))).kind).toBe("absent");
    const { searchPath } = binaryEnvironment(
      { PATH: `.:bin:${join(root, "project", "node_modules", ".bin")}:/usr/bin` },
      {
        platform: "linux",
        arch: "x64",
        home: root,
        cwd: join(root, "project"),
        tempDirectory: root,
        ownDirectory: root,
      },
    );
    expect(searchPath).toEqual(["/usr/bin"]);
  });

  it("(A30) whose variables would steer cloudflared elsewhere does not reach it", () => {
    const env = {
      TUNNEL_URL: "http://127.0.0.1:22",
      TUNNEL_NAME: "mine",
      tunnel_hostname: "mine.example",
      TUNNEL_ORIGIN_CERT: "/tmp/cert.pem",
      NO_AUTOUPDATE: "false",
      AUTOUPDATE_FREQ: "1s",
      HOME: root,
    };
    const facts = {
      platform: "linux",
      arch: "x64",
      home: root,
      cwd: root,
      tempDirectory: root,
      ownDirectory: root,
    };
    expect(binaryEnvironment(env, facts).childEnv).toEqual({ HOME: root });
  });
});

describe("somebody who reads what is shown and logged", () => {
  /** A value in every form in which it could be printed. */
  const forms = (bytes: Bytes): string[] => [
    toHex(bytes),
    toBase64url(bytes),
    Buffer.from(bytes).toString("base64"),
    Buffer.from(bytes).toString("latin1"),
  ];

  it("(P17) finds no key of any kind in an effect, an error, an alarm or the state of either machine", () => {
    const seen = eyes();
    const world = new World({}, seen.primitives);
    const link = world.link();
    const keys: Bytes[] = [link.key.slice()];
    const guest = world.join(link);
    world.settle();
    guest.tamperToGuest = (message) => [flipBit(message, 900)];
    world.room.say({ text: "x" }, world.now);
    world.settle();
    guest.tamperToGuest = (message, at) => (at === 1 ? [DENIED] : [message]);
    world.advance(30_000);
    keys.push(
      ...seen.derived
        .filter(({ label }) => !label.endsWith("-id") && label !== "sas")
        .map(({ copy }) => copy),
    );
    const effects = [...guest.effects, ...world.hostEffects].filter(({ type }) => type !== "send");
    const shown = [
      effects,
      guest.member.connection,
      guest.member.presence(world.now),
      world.room.presence(world.now),
      world.room.pendingInvites(world.now),
    ];
    const errors = effects.flatMap((effect) => ("error" in effect ? [effect.error] : []));
    const printed = [
      JSON.stringify(shown, (_key, value: unknown) =>
        value instanceof Uint8Array ? forms(value) : value instanceof Error ? printedError(value) : value,
      ),
      ...errors.map(printedError),
    ].join("\n");
    expect(keys.length).toBeGreaterThan(10);
    expect(errors.map(({ code }) => code)).toContain("integrity-failed");
    const needles = keys.flatMap(forms).filter((form) => form.length > 20);
    expect(needles.filter((needle) => printed.includes(needle))).toEqual([]);
  });

  it("(P17) finds no part of a link in the error about it", () => {
    const world = new World();
    const whole = formatLink(world.link());
    const [, secret = ""] = whole.split("#1.");
    for (let length = 0; length < whole.length; length += 1) {
      for (const text of [whole.slice(0, length), `${whole.slice(0, length)}*${whole.slice(length + 1)}`]) {
        try {
          parseLink(text);
        } catch (error) {
          const printed = error instanceof Error ? printedError(error) : "";
          expect(Object.hasOwn(ERRORS, error instanceof TunnelError ? error.code : "")).toBe(true);
          expect(printed.includes(secret.slice(0, 12)) || printed.includes(world.room.id)).toBe(false);
        }
      }
    }
  });
});

/** All that a log could take of an error, whichever way it prints it. */
function printedError(error: Error): string {
  return [error.name, error.message, error.stack, JSON.stringify(error), String(error.cause)].join("\n");
}
