import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { Agent, closeAgents, NODE, sandbox } from "../support/agent.ts";
import { until } from "../support/processes.ts";

afterEach(closeAgents);

const problemsSchema = z.looseObject({
  problems: z.array(z.looseObject({ code: z.string(), text: z.string() })).default([]),
});

it("runs a person's own program when they are needed, and answers the call at once", async () => {
  const box = sandbox();
  try {
    const [program, notes] = [path.join(box.root, "a program.cjs"), path.join(box.root, "notes")];
    writeFileSync(
      program,
      `require("node:fs").writeFileSync(process.argv[2], process.argv.slice(3).join(" "))`,
    );
    const command = JSON.stringify([NODE, program, notes]);
    const host = await Agent.start({ TUNNEL_NOTIFY: command, TUNNEL_GATES: "hold-out" });
    const { tunnelId = "" } = await host.call("tunnel_open", { goal: "alone" });
    expect(await host.call("tunnel_say", { text: "hello" })).toMatchObject({ status: "held" });
    await until("it was run", () => existsSync(notes) && readFileSync(notes, "utf8") !== "");
    expect(readFileSync(notes, "utf8")).toBe(`ask ${tunnelId}`);
  } finally {
    box.remove();
  }
});

it("names a program that cannot be understood among the problems, and goes on without", async () => {
  const host = await Agent.start({ TUNNEL_NOTIFY: '["notify-me", 1]', TUNNEL_GATES: "hold-out" });
  const { structuredContent } = await host.result("tunnel_status");
  const { problems } = problemsSchema.parse(structuredContent);
  expect(problems.map(({ text }) => text).join("\n")).toContain("TUNNEL_NOTIFY");
  await host.call("tunnel_open", { goal: "alone" });
  expect(await host.call("tunnel_say", { text: "hello" })).toMatchObject({ status: "held" });
});
