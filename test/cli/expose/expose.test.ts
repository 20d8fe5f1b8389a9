import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeTerminal } from "../../support/fake-terminal.ts";
import { claim, Here } from "./here.ts";

let here: Here;
let port: number;
let answers: { status: number; body: string };
beforeEach(async () => {
  here = new Here();
  answers = { status: 200, body: '{"paid":false,"n":1}' };
  port = await here.service((_, response) => {
    response.writeHead(answers.status, { "Content-Type": "application/json" });
    response.end(answers.body);
  });
});
afterEach(() => here.close());

const CTRL_C = "\u0003";
/** A terminal that tells its rows as well. */
function terminal(columns: number, rows: number): FakeTerminal {
  return Object.assign(new FakeTerminal(columns), { getWindowSize: () => [columns, rows] });
}

const hooks = ["--open-path", "POST /hooks/*"];

describe("a person at a terminal who exposes a service", () => {
  it("is shown how others get in, sees who comes, and ends it with Ctrl-C", async () => {
    const run = here.run([String(port), "--name", "web", ...hooks], {}, terminal(100, 40));
    const url = await run.url();
    await run.shows("Type help for what you can do; Ctrl-C ends it.");
    expect(run.text).toContain("For anybody, without any of these:\n  POST /hooks/*");
    // The code is the last thing before the log.
    expect(run.text).toMatch(/for a phone:\n(?: *[█▀▄ ]*\n)+Requests are shown/);
    const cookie = await claim(run.link);
    await run.shows("* the first visitor has used a claim link");
    await fetch(`${url}/orders?page=2`, { headers: { Cookie: cookie } });
    await run.shows(/GET {4}200 .*\/orders\?page=2 {2}claim link/);
    await fetch(`${url}/hooks/pay`, { method: "POST", body: "x" });
    await run.shows(/POST {3}200 .*\/hooks\/pay {2}open path \(webhook\)/);
    await fetch(`${url}/secret`);
    await run.shows(/GET {4}401 .*\/secret {2}kept out: no-access/);
    expect(run.terminal.isRaw).toBe(true);
    run.terminal.type(CTRL_C);
    expect(await run.code).toBe(0);
    expect(run.text).toMatch(/web has ended after \d+ s and \d+ requests: it was stopped\. Nobody reaches/);
    expect(run.terminal.isRaw).toBe(false);
    await expect(fetch(url)).rejects.toThrow();
  });

  it("makes links, extends, lists, shows and replays by typed words", async () => {
    const run = here.run([String(port), "--for", "10m", ...hooks]);
    const url = await run.url();
    answers = { status: 500, body: '{"paid":false,"n":1}' };
    await fetch(`${url}/hooks/pay`, { method: "POST", body: '{"amount":50}' });
    await run.shows(/POST {3}500/);
    run.type("show 1");
    const shown = await run.shows('  │ {"paid":false,"n":1}');
    expect(shown).toMatch(
      /request 1 {2}from 127\.0\.0\.1, open path[\s\S]*│ POST \/hooks\/pay[\s\S]*│ \{"amount":50\}[\s\S]*500/,
    );
    answers = { status: 200, body: '{"paid":true,"n":1}' };
    run.type("replay 1");
    await run.shows("It was 500, and is 200 now:");
    await run.shows(/│ - \/paid {2}false\n {2}│ \+ \/paid {2}true/);
    const first = run.link;
    run.type("link");
    await run.shows("A link to pass on (claim-");
    expect(run.link).not.toBe(first);
    run.type("more 30m");
    await run.shows(/\* it ends at \d\d:\d\d now, in 40 min\n/);
    run.type("more 24h");
    await run.shows("in 24 h, which is the longest there is");
    await claim(first);
    run.type("claims");
    await run.shows(/claim-\w+ {2}used at [\d:]+[\s\S]*claim-\w+ {2}not used yet/);
    const [, id = ""] = /(claim-\w+) {2}not used yet/.exec(run.text) ?? [];
    run.type(`revoke ${id}`);
    await run.shows(`${id} is taken back`);
    expect(await claim(run.link)).toBe("");
    run.type("requests");
    await run.shows(/replay of 1[\s\S]*expose> requests[\s\S]*replay of 1/);
    run.type("stop");
    expect(await run.code).toBe(0);
  });

  it("takes a way in back also from those who are still being served", async () => {
    const events = await here.service((_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write("data: one\n\n");
    });
    const run = here.run([String(events)]);
    const url = await run.url();
    const cookie = await claim(run.link);
    const answer = await fetch(`${url}/events`, { headers: { Cookie: cookie } });
    run.type("claims");
    await run.shows(/claim-\w+ {2}used at/);
    const [, id = ""] = /(claim-\w+) {2}used at/.exec(run.text) ?? [];
    run.type(`revoke ${id}`);
    await expect(answer.text()).rejects.toThrow();
    run.type("quit");
    await run.code;
  });

  it("in an agent's shell waits for somebody's word on more time, and shows it", async () => {
    const run = here.run([String(port), "--for", "10m"], { isConsented: false });
    const { asks } = here.sessions.overseer;
    const decide = (verdict: "approve" | "refuse"): void => {
      const [ask] = asks.waiting;
      const decision = verdict === "approve" ? { verdict } : { verdict, reason: undefined };
      asks.decide(ask?.id ?? 0, ask?.digest ?? "", decision, { path: "watch" });
    };
    await run.shows("waits for a person");
    decide("approve");
    await run.url();
    run.type("more 30m");
    await run.shows("info shows what there");
    decide("approve");
    await run.shows(/\* it ends at \d\d:\d\d now, in 40 min\n/);
    await run.shows("* a person has let it be open for longer or for more people");
    run.type("link");
    await run.shows(/> link\nIt waits for a person/);
    decide("refuse");
    await run.shows("* a person has not let it be open for longer or for more people");
    run.type("quit");
    await run.code;
  });

  it("is told what was wrong with a word, and goes on", async () => {
    const run = here.run([String(port)]);
    await run.url();
    run.type("lnik");
    await run.shows("there is no such command; did you mean link?");
    run.type("more soon");
    await run.shows("more takes a time such as 2h");
    run.type("show 99");
    await run.shows("there is no such request any more");
    run.type("stop nobody");
    await run.shows("there is no such exposure");
    run.type("help");
    await run.shows("  replay ID         send a request to the service again, and compare");
    run.type("quit");
    expect(await run.code).toBe(0);
  });

  it("sees a stranger's text as text", async () => {
    const run = here.run([String(port), "--access", "open"]);
    const url = await run.url();
    await fetch(`${url}/x`, {
      method: "POST",
      body: "\u001b[2J\u202eevil\nexpose> quit",
      headers: { "X-Evil": "a" },
    });
    await run.shows("POST   200");
    const before = run.terminal.raw.length;
    run.type("show 1");
    await run.shows("  │ expose> quit");
    expect(run.text).toContain("  │ \\u{1B}[2J\\u{202E}evil");
    expect(run.terminal.raw.slice(before)).not.toContain("\u001b[2J");
    run.type("quit");
    await run.code;
  });

  it("with several targets names each, ends each by its name, and stays until the last is over", async () => {
    const other = await here.service((_, response) => response.end("other"));
    const run = here.run([String(port), String(other), "--access", "token"]);
    await run.shows(`port-${port} is open at`);
    await run.shows(`port-${other} is open at`);
    const [, url = ""] = new RegExp(`port-${other} is open at (\\S+)`).exec(run.text) ?? [];
    await fetch(`${url}/x`);
    await run.shows(`1@port-${other} GET    401`);
    run.type("stop");
    await run.shows("several exposures are running");
    run.type(`show 1@port-${other}`);
    await run.shows("  │ GET /x");
    run.type(`stop port-${other}`);
    await run.shows(`port-${other} has ended`);
    run.type("link");
    await run.shows("has no claim links");
    run.type("stop");
    expect(await run.code).toBe(0);
  });

  it("gets no code where the window is too small, but the way to one", async () => {
    const run = here.run([String(port)], {}, terminal(100, 12));
    await run.shows("The window is too small for the QR code. Make it larger, then type qr.");
    Object.assign(run.terminal, { getWindowSize: () => [100, 60] });
    run.type("qr");
    await run.shows(/[█▀▄]{7}/);
    run.type("quit");
    await run.code;
  });

  it("that nothing answers is told with the next step, and the code is 1", async () => {
    const run = here.run(["1"]);
    expect(await run.code).toBe(1);
    expect(run.text).toContain("tunnel-mcp: nothing answers at the target: nobody listens on 127.0.0.1:1");
    expect(run.text).toContain("Start the service, see which port it prints, and try again with that.");
  });
});

describe("without a terminal", () => {
  /** Nothing wraps in a pipe. */
  const piped = (words: readonly string[], over: Parameters<Here["run"]>[1] = {}) =>
    here.run(words, { isInteractive: false, showsCodes: false, ...over }, new FakeTerminal(0));

  it("there are plain lines, no code and no keys, and a signal ends it cleanly", async () => {
    const run = piped([String(port)]);
    const url = await run.url();
    await fetch(url, { headers: run.token });
    await run.shows(/GET {4}200 .*\/ {2}token/);
    expect(run.output.stdout()).not.toContain("\u001b");
    expect(run.output.stdout()).not.toMatch(/[█▀▄]/);
    expect(run.terminal.raw).toBe("");
    expect(run.output.stderr()).toContain("asking http://localhost:");
    await run.shutDown();
    expect(await run.code).toBe(0);
    expect(run.output.stdout()).toContain("it was stopped");
    await expect(fetch(url)).rejects.toThrow();
  });

  it("--json has one object in each line, and secrets in `opened` alone", async () => {
    const run = piped([String(port), "--json", "--name", "web"]);
    await run.shows('"event":"opened"');
    const lines = () =>
      run.output
        .stdout()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const opened = lines().find(({ event }) => event === "opened");
    const { publicUrl, claimUrl, access } = opened as {
      publicUrl: string;
      claimUrl: string;
      access: { token: { field: string; value: string } };
    };
    await claim(claimUrl);
    await fetch(`${publicUrl}/a?token=hunter2`, { headers: { [access.token.field]: access.token.value } });
    await run.shows('"event":"request"');
    await run.shutDown();
    expect(await run.code).toBe(0);
    const events = new Set(lines().map(({ event }) => event));
    expect(events).toEqual(new Set(["progress", "opened", "claimed", "request", "ended"]));
    expect(lines().at(-1)).toMatchObject({ event: "ended", name: "web", why: "stopped", publicUrl });
    expect(lines().find(({ event }) => event === "claimed")).toMatchObject({ name: "web", isFirst: true });
    const [secret = ""] = /[^#]+$/.exec(claimUrl) ?? [];
    const others = run.output
      .stdout()
      .split("\n")
      .filter((line) => !line.includes('"opened"'))
      .join("\n");
    for (const one of [secret, access.token.value, "hunter2"]) expect(others).not.toContain(one);
  });

  it("--json tells of another end, and of a person's word on it", async () => {
    const run = piped([String(port), "--json", "--name", "web"]);
    await run.shows('"event":"opened"');
    const exposures = await here.exposures.get();
    exposures.start({ target: String(port), expiresInMinutes: 90 }, { isConsented: true });
    await run.shows('{"event":"extended","name":"web","expiresInSec":5400}');
    exposures.start({ target: String(port), expiresInMinutes: 95 }, { isConsented: false });
    const { asks } = here.sessions.overseer;
    const [ask] = asks.waiting;
    asks.decide(ask?.id ?? 0, ask?.digest ?? "", { verdict: "refuse", reason: undefined }, { path: "watch" });
    await run.shows('{"event":"widened","name":"web","isDone":false}');
    await run.shutDown();
  });

  it("--dry-run opens nothing, and says the command", async () => {
    const run = piped(["3999", "--for", "2h", "--dry-run", ...hooks]);
    expect(await run.code).toBe(0);
    expect(run.output.stdout()).toContain(
      "Nothing was opened. http://localhost:3999 would get a public address as port-3999",
    );
    expect(run.output.stdout()).toContain("through direct, for 2 h.");
    expect(run.output.stdout()).toContain("--for 120m --transport direct --open-path 'POST /hooks/*'\n");
    expect(here.exposures.loaded?.all).toEqual([]);
  });

  it.each([
    [["dist"], "a folder is written with a slash, as in ./dist"],
    [["3000", "--open-path", "hooks"], "this is no open path"],
    [["3000", "--name", "My app"], "name must be up to 40 letters"],
  ])("arguments that cannot be used: %j", async (words, message) => {
    const run = piped(words);
    expect(await run.code).toBe(2);
    expect(run.output.stderr()).toContain(message);
  });

  it("ends when nobody reads its output any more, and says so where it still can", async () => {
    let lose: (value: unknown) => void = () => undefined;
    const outputLost = new Promise((resolve) => (lose = resolve));
    const run = piped([String(port)], { outputLost });
    const url = await run.url();
    lose(undefined);
    expect(await run.code).toBe(0);
    expect(run.output.stderr()).toContain(`it was stopped. Nobody reaches ${url} any more.`);
  });

  it("an agent's shell is no consent: where a person is to be asked, it waits for them", async () => {
    const run = piped([String(port)], { isConsented: false });
    await run.shows(
      /waits for a person, who types tunnel-mcp watch in a terminal of their own, and there: approve \d+/,
    );
    const { asks } = here.sessions.overseer;
    const [ask] = asks.waiting;
    expect(ask?.subject.kind).toBe("exposure");
    asks.decide(ask?.id ?? 0, ask?.digest ?? "", { verdict: "refuse", reason: undefined }, { path: "watch" });
    expect(await run.code).toBe(1);
    expect(run.output.stderr()).toContain("It was refused in another window.");
  });
});
