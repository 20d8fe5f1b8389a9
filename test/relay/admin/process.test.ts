import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { afterAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import * as S from "../../../src/relay/admin/schemas.ts";
import { OPTION_NAMES, RELAY_OPTIONS, variableOf } from "../../../src/relay/config/options.ts";
import { newToken, writeTokens } from "../../../src/relay/auth/tokens.ts";
import { BUNDLE, NODE } from "../../support/agent.ts";
import { until } from "../../support/processes.ts";
import { RelayProcess } from "../../support/relay-process.ts";
import { echoRoom, folder, hostOf, roomId } from "../support.ts";
import { asking, http, OPERATOR, service } from "./support.ts";

const running: RelayProcess[] = [];
afterAll(async () => {
  for (const relay of running) await relay.end();
});

async function relay(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<RelayProcess> {
  const started = await RelayProcess.start(args, env);
  running.push(started);
  return started;
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function command(args: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(NODE, [BUNDLE, "relay", ...args], {
    env: { ...getDefaultEnvironment(), ...env },
    encoding: "utf8",
    timeout: 20_000,
  });
  return { code: status, out: stdout, err: stderr };
}

const portOf = (url: string): number => Number(new URL(url).port);
const line = z.looseObject({ time: z.iso.datetime(), level: z.string(), event: z.string() });
const linesOf = ({ stdout }: RelayProcess) =>
  stdout
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => line.parse(JSON.parse(text)));

describe("a relay as a process", () => {
  it("is seen from a terminal of the same user without any token being handed over", async () => {
    const home = folder();
    const env = { XDG_RUNTIME_DIR: home };
    const one = await relay(["--access-log"], env);
    const echo = await echoRoom();
    const room = roomId();
    await hostOf(one.port)(echo.port, { kind: "room", room });
    const seen = command(["status", "--admin", one.admin], env);
    expect([seen.code, seen.err]).toEqual([0, ""]);
    expect(seen.out).toMatch(/: ready, up for \d+ s\n {2}tunnels {6}1 \(1 rooms, 0 HTTP, 0 TCP\)\n/);
    expect(seen.out).toContain(`ws://127.0.0.1:${one.port}/t/${room}`);
    const json = command(["status", `--admin=${one.admin}`, "--json"], env);
    const shape = z.object({ status: S.status, total: z.number(), tunnels: z.array(S.tunnel) });
    const told = shape.parse(JSON.parse(json.out));
    expect([told.total, told.tunnels[0]?.name, told.status.auth]).toEqual([1, room, "open"]);
    const stranger = command(["status", "--admin", one.admin], { XDG_RUNTIME_DIR: folder() });
    if (process.platform !== "win32") expect(stranger).toMatchObject({ code: 1, out: "" });
    const wrong = command(["status", "--admin", one.admin], {
      ...env,
      RELAY_ADMIN_TOKEN: "not-the-operators-token",
    });
    expect([wrong.code, wrong.out]).toEqual([1, ""]);
    expect(wrong.err).toContain("the token is none of the operator's");
    expect(wrong.err).not.toContain("not-the-operators-token");
  });

  it("shows the holder of a relay token what is theirs, and writes whole addresses of its own name", async () => {
    const { token, entry } = newToken({ label: "shop\u001b[2J", kinds: ["http"] }, Date.now());
    const tokens = path.join(folder(), "tokens.json");
    writeFileSync(tokens, writeTokens([entry]));
    const state = folder();
    const one = await relay(["--token-file", tokens, "--state", state], {
      RELAY_DOMAIN: "tunnel.test",
      RELAY_PUBLIC_URL: "https://relay.example.com",
    });
    const port = await service((_incoming, response) => void response.end());
    await hostOf(one.port, { token })(port, http("shop"));
    const byOperator = command(["status", "--admin", one.admin, "--state", state]);
    expect([byOperator.code, byOperator.err]).toEqual([0, ""]);
    expect(byOperator.out).toContain("https://shop.tunnel.test");
    expect(byOperator.out).not.toContain("\u001b");
    const byHolder = command(["status", "--admin", one.admin], { RELAY_ADMIN_TOKEN: token });
    expect(byHolder.code).toBe(0);
    expect(byHolder.out).toContain("https://shop.tunnel.test");
    expect(byHolder.out).not.toContain("connections");
    // The id outlives a restart with the folder, and so does what is over.
    const list = async () =>
      (await asking(portOf(one.admin), "/api/tunnels", { token })).as(S.tunnels).tunnels;
    const [before] = await list();
    await one.end("SIGTERM");
    await one.restart();
    await until("its host is back", async () => (await list()).length === 1);
    expect((await list())[0]?.id).toBe(before?.id);
    const history = await asking(portOf(one.admin), "/api/history", { token });
    expect(history.as(S.history).history.map(({ tunnel }) => tunnel)).toEqual([before?.id]);
  }, 60_000);

  it("writes a log of JSON lines without names, and takes a new operator's token on SIGHUP", async () => {
    const secret = path.join(folder(), "admin-token");
    writeFileSync(secret, `${OPERATOR}\n`);
    const one = await relay(["--admin-token-file", secret]);
    const echo = await echoRoom();
    const room = roomId();
    const tunnel = await hostOf(one.port)(echo.port, { kind: "room", room });
    await tunnel.stop();
    await until("it is logged", () => linesOf(one).some(({ event }) => event === "unregistered"));
    expect(linesOf(one).map(({ event }) => event)).toEqual(["listening", "registered", "unregistered"]);
    expect(one.stdout).not.toContain(room);
    expect(one.stdout).not.toContain(OPERATOR);
    const status = async (token: string) =>
      (await asking(portOf(one.admin), "/api/status", { token })).status;
    expect(await status(OPERATOR)).toBe(200);
    if (process.platform === "win32") return;
    writeFileSync(secret, "the-next-operators-token\n");
    one.signal("SIGHUP");
    await until("it is read", async () => (await status("the-next-operators-token")) === 200);
    expect(await status(OPERATOR)).toBe(401);
    // What was good goes on where the new file is none.
    writeFileSync(secret, "short\n");
    one.signal("SIGHUP");
    await until("it is told", () => one.stderr.includes("nothing is changed"));
    expect(await status("the-next-operators-token")).toBe(200);
    expect(await one.end("SIGTERM")).toBe(0);
    expect(
      linesOf(one)
        .slice(-2)
        .map(({ event }) => event),
    ).toEqual(["draining", "ended"]);
  }, 30_000);

  it("does not start where the admin listener has no place, and says which", async () => {
    const one = await relay();
    const second = command(["--listen", "127.0.0.1:0", "--admin-listen", `127.0.0.1:${portOf(one.admin)}`]);
    expect(second.code).toBe(1);
    expect(second.err).toContain(`admin-listen, port ${portOf(one.admin)}`);
  });
});

describe("relay --help", () => {
  it("names every option and its default, in lines for a terminal", () => {
    const { code, out, err } = command(["--help"]);
    expect([code, err]).toEqual([0, ""]);
    for (const name of OPTION_NAMES)
      expect(out).toContain("isSecret" in RELAY_OPTIONS[name] ? variableOf(name) : `--${name}`);
    expect(out).toContain("127.0.0.1:8081");
    for (const text of out.split("\n")) expect(text.length).toBeLessThanOrEqual(100);
    for (const words of [["-h"], ["status", "--help"], ["--listen", "nonsense", "--help"]])
      expect(command(words)).toEqual({ code, out, err });
  });
});

describe("relay --check", () => {
  it("says that all is good, and what may not be meant", () => {
    const good = command(["--check"]);
    expect([good.code, good.err]).toEqual([0, ""]);
    expect(good.out).toContain("the options are good");
    const open = command(["--check", "--admin-listen", "0.0.0.0:8081"]);
    expect(open.out).toContain("note: without admin-token-file only health is answered");
  });

  it("names the flag, the variable or the line that is wrong, with code 2, and no secret", () => {
    const file = path.join(folder(), "relay.toml");
    const tokens = path.join(folder(), "tokens.json");
    writeFileSync(file, '# a comment\nlisten = "x"\nmax_tunnels = -1\n\nlsiten = "127.0.0.1:1"\n');
    const wrong = command(["--check", "--config", file, "--domain", "-"], { RELAY_TCP_PORTS: "9-8" });
    expect([wrong.code, wrong.out]).toEqual([2, ""]);
    expect(wrong.err).toContain(`listen in ${file}, line 2 must be HOST:PORT`);
    expect(wrong.err).toContain(`max_tunnels in ${file}, line 3 must be a whole number`);
    expect(wrong.err).toContain(`lsiten in ${file}, line 5: unknown option`);
    expect(wrong.err).toContain("RELAY_TCP_PORTS must be FIRST-LAST");
    expect(wrong.err).toContain("--domain must be a domain");
    writeFileSync(file, `token_file = ${JSON.stringify(tokens)}\nauth_url = "https://a.test"\n`);
    writeFileSync(tokens, "hunter2hunter2");
    const clash = command(["--check", "--config", file], { RELAY_ADMIN_TOKEN: "hunter2" });
    expect(clash.code).toBe(2);
    expect(clash.err).toContain(`token_file in ${file}, line 1 and auth_url in ${file}, line 2: only one`);
    expect(clash.err).toContain(`line 1: ${tokens}: it is no JSON`);
    expect(clash.err).toContain("RELAY_ADMIN_TOKEN must be one word of 16 to 512 characters");
    expect(clash.err).not.toContain("hunter2");
    writeFileSync(file, "a = 1\nb = \n");
    expect(command(["--check", "--config", file]).err).toContain(`${file}, line 2, column `);
    const gone = command(["--check", "--token-file", path.join(folder(), "none.json")]);
    expect(gone.err).toMatch(/--token-file: .*none\.json cannot be read \(ENOENT\)/);
  });
});

describe("relay status", () => {
  it("says what is wrong where no relay answers, or something else does", async () => {
    const nobody = command(["status", "--admin", "http://127.0.0.1:1"]);
    expect([nobody.code, nobody.err]).toEqual([
      1,
      expect.stringContaining("no relay answers at http://127.0.0.1:1"),
    ]);
    for (const [admin, text] of [
      ["http://relay.example.com:8081", "--admin must be https"],
      ["nonsense", "--admin must be the address"],
      ["http://user:pass@127.0.0.1", "--admin must be the address"],
    ] as const)
      expect(command(["status", "--admin", admin])).toMatchObject({
        code: 2,
        err: expect.stringContaining(text),
      });
    expect(command(["status", "--nonsense"])).toMatchObject({ code: 2 });
    expect(command(["statsu"])).toMatchObject({ code: 2, err: expect.stringContaining("relay status?") });
  });
});
