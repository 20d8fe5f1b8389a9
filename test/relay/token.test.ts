import { execFile } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { expect, test } from "vitest";
import { hashOfToken, parseTokens, type TokenEntry } from "../../src/relay/auth/tokens.ts";
import { runToken } from "../../src/relay/token/command.ts";
import { systemClock, type Clock } from "../../src/runtime/clock.ts";
import { BUNDLE, NODE } from "../support/agent.ts";
import { RelayProcess } from "../support/relay-process.ts";
import { rejection } from "../support/rejection.ts";
import { atEnd, echoRoom, folder, hostOf, roomId } from "./support.ts";

const POSIX = process.platform !== "win32";

async function token(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  clock: Clock = systemClock,
): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const code = await runToken({
    args,
    env,
    clock,
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}

function tokensIn(file: string): readonly TokenEntry[] {
  const tokens = parseTokens(readFileSync(file, "utf8"));
  if (typeof tokens === "string") throw new Error(tokens);
  return tokens;
}

/** The value of a variable in the lines for a host. */
const valueOf = (lines: string, name: string): string =>
  new RegExp(`(?:^|\\s)${name}=(\\S+)`).exec(lines)?.[1] ?? "";

test("create prints the two lines that a host needs, and keeps a hash alone in a private file", async () => {
  const file = path.join(folder(), "tokens.json");
  const { code, out, err } = await token(["create", "laptop", "--token-file", file]);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^TUNNEL_TRANSPORT=relay TUNNEL_RELAY=http:\/\/127\.0\.0\.1:8080\nTUNNEL_RELAY_TOKEN=tmr_[\w-]{43}\n$/,
  );
  const secret = valueOf(out, "TUNNEL_RELAY_TOKEN");
  expect(err).not.toContain(secret);
  const text = readFileSync(file, "utf8");
  expect(text).not.toContain(secret);
  expect(tokensIn(file)).toEqual([
    expect.objectContaining({
      label: "laptop",
      sha256: hashOfToken(secret),
      kinds: ["room", "http"],
      names: ["*"],
      limits: {},
    }),
  ]);
  if (POSIX) expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(path.dirname(file))).toEqual(["tokens.json"]);
});

test("create takes names, kinds, an end and limits", async () => {
  const file = path.join(folder(), "tokens.json");
  const clock = { ...systemClock, now: () => Date.UTC(2030, 0, 1) };
  const { code, out } = await token(
    [
      ..."create ci --names pr-*,shop --names=blog --kinds http,tcp --expires 30d --max-tunnels 2 --json".split(
        " ",
      ),
      ..."--max-in-flight=9 --bytes-per-second 1000 --max-request-bytes 0 --max-response-bytes 7".split(" "),
      ...`--url https://relay.example/ --token-file ${file}`.split(" "),
    ],
    {},
    clock,
  );
  expect(code).toBe(0);
  const told: unknown = JSON.parse(out);
  expect(told).toMatchObject({
    name: "ci",
    names: ["pr-*", "shop", "blog"],
    expiresAt: "2030-01-31T00:00:00.000Z",
    env: { TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: "https://relay.example" },
  });
  expect(tokensIn(file)[0]).toMatchObject({
    kinds: ["http", "tcp"],
    limits: { tunnels: 2, inFlight: 9, bytesPerSecond: 1_000, requestBytes: 0, responseBytes: 7 },
  });
});

test("the address comes from the relay's own options, and where they do not tell it that is said", async () => {
  const file = path.join(folder(), "tokens.json");
  const given = { RELAY_TOKEN_FILE: file };
  const named = await token(["create", "a"], { ...given, RELAY_DOMAIN: "tunnel.example.com" });
  expect(valueOf(named.out, "TUNNEL_RELAY")).toBe("https://tunnel.example.com");
  const unknown = await token(["create", "b"], { ...given, RELAY_LISTEN: "0.0.0.0:80" });
  expect(valueOf(unknown.out, "TUNNEL_RELAY")).toBe("https://YOUR-RELAY");
  expect(unknown.err).toContain("Put the address of the relay in the place of https://YOUR-RELAY");
});

test.each([
  [[], "create, list or revoke is missing"],
  [["crate", "x"], "did you mean create?"],
  [["create"], "the NAME of the token is missing"],
  [["create", "a", "b"], 'unexpected argument "b"'],
  [["create", "a\nb"], "1 to 64 characters without line ends"],
  [["create", "x".repeat(65)], "1 to 64 characters"],
  [["create", "a", "--names", "Shop"], '"Shop" is no name'],
  [["create", "a", "--names", "a*b*"], '"a*b*" is no name'],
  [["create", "a", "--kinds", "shell"], "--kinds must be of room, http, tcp"],
  [["create", "a", "--expires", "soon"], "--expires must be a time to come"],
  [["create", "a", "--expires", "2001-01-01"], "--expires must be a time to come"],
  [["create", "a", "--expires", "0d"], "--expires must be a time to come"],
  [["create", "a", "--max-tunnels", "-1"], "--max-tunnels must be a whole number"],
  [["create", "a", "--max-tunels", "1"], "did you mean --max-tunnels?"],
  [["create", "a", "--names"], "--names needs a value"],
  [["create", "a", "--url", "ftp://x"], "--url must be an http or https address"],
  [["list", "--json=1"], "--json takes no value"],
  [["revoke"], "the ID or NAME is missing"],
  [["list"], "name the relay's file of tokens"],
] as const)("%j is refused with a sentence", async (args, sentence) => {
  const { code, out, err } = await token(args);
  expect(code).toBe(2);
  expect(out).toBe("");
  expect(err).toContain(sentence);
});

test("list shows everything but the secret, and revoke takes one back by id or name", async () => {
  const file = path.join(folder(), "tokens.json");
  const at = ["--token-file", file];
  expect(await token(["list", ...at])).toMatchObject({ code: 1, out: "" });
  const first = await token(["create", "one", ...at]);
  await token(["create", "two words", "--expires", "1h", "--max-tunnels", "3", ...at]);
  const [one, two] = tokensIn(file);
  const later = { ...systemClock, now: () => Date.now() + 7_200_000 };
  const { out } = await token(["list", ...at], {}, later);
  expect(out).toMatch(/^ID +NAME +KINDS +NAMES +EXPIRES +LIMITS\n/);
  expect(out).toMatch(new RegExp(`${one?.id} +one +room,http +\\* +never\\n`));
  expect(out).toMatch(new RegExp(`${two?.id} +two words +room,http +\\* +\\S+Z \\(over\\) +tunnels=3\\n`));
  expect(out).not.toContain(valueOf(first.out, "TUNNEL_RELAY_TOKEN"));
  expect(out).not.toContain(one?.sha256);
  expect((await token(["create", "one", ...at])).err).toContain("revoke it first");
  expect(await token(["revoke", "three", ...at])).toMatchObject({ code: 1 });
  expect(await token(["revoke", "one", ...at])).toMatchObject({ code: 0 });
  expect(await token(["revoke", two?.id ?? "", ...at])).toMatchObject({ code: 0 });
  expect((await token(["list", "--json", ...at])).out).toBe("[]\n");
});

test("a file that holds something else is left alone", async () => {
  const file = path.join(folder(), "tokens.json");
  for (const text of ["no JSON", '{"tokens":[{"id":"x"}]}', ""]) {
    writeFileSync(file, text);
    for (const args of [["create", "a"], ["list"], ["revoke", "a"]]) {
      const { code, err } = await token([...args, "--token-file", file]);
      expect(code).toBe(1);
      expect(err).toContain("is no file of tokens");
    }
    expect(readFileSync(file, "utf8")).toBe(text);
  }
  expect(readdirSync(path.dirname(file))).toEqual(["tokens.json"]);
});

test("a lock that was left behind is named, and not taken", async () => {
  const file = path.join(folder(), "tokens.json");
  writeFileSync(`${file}.lock`, "");
  let now = 0;
  const clock: Clock = { ...systemClock, now: () => (now += 1_000) };
  const { code, err } = await token(["create", "a", "--token-file", file], {}, clock);
  expect(code).toBe(1);
  expect(err).toContain(`if none runs, remove ${file}.lock`);
  expect(readdirSync(path.dirname(file))).toEqual(["tokens.json.lock"]);
});

test.runIf(POSIX)("a link stays a link, and what it leads to keeps its mode", async () => {
  const [real, link] = [path.join(folder(), "real.json"), path.join(folder(), "link.json")];
  await token(["create", "a", "--token-file", real]);
  chmodSync(real, 0o640);
  symlinkSync(real, link);
  await token(["create", "b", "--token-file", link]);
  expect(tokensIn(real).map(({ label }) => label)).toEqual(["a", "b"]);
  expect(statSync(real).mode & 0o777).toBe(0o640);
});

const run = promisify(execFile);
const command = (args: readonly string[]) =>
  run(NODE, [BUNDLE, "relay", "token", ...args], { env: getDefaultEnvironment() });

test("processes that write at the same time lose nothing of each other", async () => {
  const file = path.join(folder(), "tokens.json");
  const names = Array.from({ length: 12 }, (_one, index) => `host-${index}`);
  const made = await Promise.all(names.map((name) => command(["create", name, "--token-file", file])));
  const tokens = tokensIn(file);
  expect(tokens.map(({ label }) => label).toSorted()).toEqual(names.toSorted());
  const hashes = new Map(tokens.map(({ label, sha256 }) => [label, sha256]));
  for (const [index, { stdout }] of made.entries())
    expect(hashes.get(names[index] ?? "")).toBe(hashOfToken(valueOf(stdout, "TUNNEL_RELAY_TOKEN")));
  expect(readdirSync(path.dirname(file))).toEqual(["tokens.json"]);
}, 60_000);

test.runIf(POSIX)(
  "a running relay takes a new token and a revoked one up on SIGHUP, and says so",
  async () => {
    const file = path.join(folder(), "tokens.json");
    await command(["create", "first", "--token-file", file]);
    const relay = await RelayProcess.start(["--token-file", file]);
    atEnd(() => relay.end());
    const { stdout } = await command(["create", "second", "--token-file", file]);
    const secret = valueOf(stdout, "TUNNEL_RELAY_TOKEN");
    const { port } = await echoRoom();
    const open = () => hostOf(relay.port, { token: secret })(port, { kind: "room", room: roomId() });
    expect(await rejection(open())).toMatchObject({ code: "relay-token" });
    relay.signal("SIGHUP");
    await expect.poll(() => relay.stdout).toMatch(/"event":"reloaded","tokens":2\b/);
    const tunnel = await open();
    const down = new Promise<{ code: string }>((resolve) => tunnel.onDown(resolve));
    await command(["revoke", "second", "--token-file", file]);
    expect(tunnel.health().state).toBe("up");
    relay.signal("SIGHUP");
    expect((await down).code).toBe("relay-token");
    await expect.poll(() => relay.stdout).toMatch(/"event":"reloaded","tokens":1\b/);
    writeFileSync(file, "broken");
    relay.signal("SIGHUP");
    await expect.poll(() => relay.stderr).toContain("nothing is changed");
  },
  30_000,
);
