import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterEach, expect, it } from "vitest";
import { BUNDLE, NODE, sandbox, type Sandbox } from "../support/agent.ts";

let box: Sandbox | undefined;
afterEach(() => box?.remove());

it("a client that writes a byte order mark is answered, and a call that is not UTF-8 is refused by its id", async () => {
  box = sandbox();
  const server = spawn(NODE, [BUNDLE], { env: box.env, stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
  const call = (id: number, method: string, params: object): string =>
    `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;
  const clientInfo = { name: "e2e", version: "0" };
  server.stdin.write(
    `\ufeff${call(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo })}`,
  );
  expect(await answer()).toMatchObject({ id: 1, result: { serverInfo: {} } });
  server.stdin.write(
    Buffer.from(call(2, "tools/call", { name: "tunnel_say", arguments: { text: "caf\u00e9" } }), "latin1"),
  );
  expect(await answer()).toMatchObject({ id: 2, error: { code: -32_700 } });
  const text = Buffer.from(call(3, "tools/call", { name: "tunnel_say", arguments: { text: "café" } }));
  const middle = text.indexOf(0xc3) + 1;
  server.stdin.write(text.subarray(0, middle));
  await new Promise((resolve) => setTimeout(resolve, 50));
  server.stdin.write(text.subarray(middle));
  expect(await answer()).toMatchObject({
    id: 3,
    result: { structuredContent: { error: { code: "no-tunnel" } } },
  });
  server.stdin.end();
  await new Promise((resolve) => server.once("exit", resolve));
});
