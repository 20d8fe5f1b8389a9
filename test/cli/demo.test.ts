import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { withoutSettings } from "../../src/cli/env.ts";
import { demo } from "../../src/cli/demo/demo.ts";
import { withoutSecret } from "../../src/cli/demo/pairing.ts";
import { withoutFence } from "../../src/cli/demo/agent.ts";
import { handClock, recorder } from "./support.ts";

const fake = fileURLToPath(new URL("fake-server.mjs", import.meta.url));
const FIRST = "Does GET /orders return a bare array, or an object with a cursor? My client pages.";

async function run(settings: Record<string, string>, bundle = fake) {
  const output = recorder();
  const env = { ...process.env, FAKE_FIRST: FIRST, ...settings };
  const options = {
    transport: "direct",
    bundle,
    env,
    plainEnv: withoutSettings(env),
    cwd: process.cwd(),
    clock: handClock(),
  } as const;
  const code = await demo({ ...options, output, onShutdown: () => undefined });
  return { code, out: output.stdout(), err: output.stderr() };
}

test("tells the whole story and exits with 0; the secret of the link is not in it", async () => {
  const { code, out, err } = await run({});
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const steps = [
    "Two coding agents talk",
    "Ana  opens a tunnel",
    "ws://127.0.0.1:1/t/room#1.(secret key)",
    "Ben  joins",
    "12345 67890",
    "Ana to Ben (request)",
    "Ben to Ana (inform)",
    "Ben to Ana (request)",
    "Ana to Ben (inform)",
    "refused (invite-refused)",
    "2 members",
    "Ana  closes",
    "Ben  is told: the host closed the tunnel",
    "paired in 0 ms",
  ];
  expect(steps.map((step) => out.indexOf(step))).toEqual(
    steps.map((step) => out.indexOf(step)).sort((a, b) => a - b),
  );
  for (const step of steps) expect(out).toContain(step);
  expect(out).not.toMatch(/SECRETKEY|HOSTKEY|\[\/?peer\]/);
});

test("a tunnel that takes longer to open than a call may is waited for", async () => {
  const { code, out } = await run({ FAKE_SLOW: "2" });
  expect(code).toBe(0);
  expect(out).toContain("ws://127.0.0.1:1/t/room#1.(secret key)");
});

test.each([
  ["a link that works twice", { FAKE_REUSE: "1" }, "the link could be used twice"],
  [
    "a message that arrives altered",
    { FAKE_FIRST: "something else" },
    "Ben received something else than Ana sent",
  ],
])("%s fails the demo", async (_, settings, reason) => {
  expect(await run(settings)).toMatchObject({ code: 1, err: `\nThe demo failed: ${reason}\n` });
});

test("no secret of a link is printed, and a message is printed without its fence", () => {
  expect(withoutSecret("ws://127.0.0.1:1/t/room#1.KEY.HOST")).toBe("ws://127.0.0.1:1/t/room#1.(secret key)");
  expect(withoutFence("[peer x]\nhello\nworld\n[/peer x]")).toBe("hello\nworld");
  expect(withoutFence("plain")).toBe("plain");
});
