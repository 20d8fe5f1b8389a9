import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SignInDesk } from "../../../src/expose/oauth/desk.ts";
import type { ExposeOptions } from "../../../src/cli/expose/expose.ts";
import { systemClock as clock } from "../../../src/runtime/clock.ts";
import { nodePrimitives as primitives } from "../../../src/runtime/primitives.ts";
import { cleanUp, exposuresOn } from "../../expose/support.ts";
import { FakeTerminal } from "../../support/fake-terminal.ts";
import { Here, type Run } from "./here.ts";

let here: Here;
beforeEach(() => void (here = new Here()));
afterEach(async () => {
  await cleanUp();
  await here.close();
});

/** The command runs, and a client comes to the page. */
async function asked(words: readonly string[], over: Partial<ExposeOptions>): Promise<[Run, code: string]> {
  const signIns = new SignInDesk({ clock, primitives, documents: undefined });
  const { exposures } = exposuresOn(clock, { signIns });
  const port = await here.service((_, response) => void response.end());
  const options = { exposures: async () => exposures, ...over };
  const run = here.run([String(port), ...words], options, new FakeTerminal(400));
  await expect.poll(() => exposures.running[0]?.state.name, { timeout: 10_000 }).toBe("running");
  const exposureId = exposures.running[0]?.id ?? "";
  const server = signIns.authorize({ exposureId, name: "web" });
  server.publish(new URL("https://quiet-river.example"));
  const ask = async (method: string, target: string, body = "") =>
    server.handle({
      method,
      target,
      fields: ["Content-Type", "application/json"],
      body,
      source: "192.0.2.1",
    });
  const metadata = { redirect_uris: ["https://app.example/cb"], client_name: "An app" };
  const registered = await ask("POST", "/register", JSON.stringify(metadata));
  const { client_id } = JSON.parse(registered?.body ?? "{}") as { client_id: string };
  const pkce = { code_challenge: "c".repeat(43), code_challenge_method: "S256" };
  const query = { client_id, redirect_uri: "https://app.example/cb", response_type: "code", ...pkce };
  await ask("GET", `/authorize?${new URLSearchParams(query).toString()}`);
  const [told] = server.waiting;
  return [run, told?.what === "code" ? told.code : "none"];
}

describe("a client that asks to be let in", () => {
  it("has its code shown to a person who has typed the command at a terminal", async () => {
    const [run, code] = await asked([], {});
    await run.shows(`type ${code} on the page https://quiet-river.example/authorize`);
    await run.shutDown();
  });

  it.each<[string, readonly string[], Partial<ExposeOptions>]>([
    ["in a pipe", [], { isInteractive: false, showsCodes: false }],
    ["in the shell of an agent, which may have a terminal", [], { isConsented: false }],
    ["for a program", ["--json"], { isInteractive: false }],
  ])("is told without its code %s", async (_, words, over) => {
    const [run, code] = await asked(words, over);
    await run.shows(/asks to be let in|"event":"sign-in"/);
    expect(code).toMatch(/^\w{4}-\w{4}$/);
    for (const part of [code, code.replace("-", ""), code.slice(0, 4)])
      expect(`${run.text}${run.output.stderr()}`).not.toContain(part);
    if (words.includes("--json"))
      expect(run.text).toMatch(/\{"event":"sign-in","name":"[^"]+","state":"asked","client":"An app"\}/);
    else expect(run.text).toContain("type tunnel-mcp watch in a terminal of your own");
    await run.shutDown();
  });
});
