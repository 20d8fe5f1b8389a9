import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  asyncProperty,
  assert,
  constant,
  constantFrom,
  jsonValue,
  oneof,
  record,
  string,
  uint8Array,
} from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ACTIONS, peekSchema } from "../../src/control/actions.ts";
import { ask } from "../../src/control/ask.ts";
import { readDescriptors, type Descriptor } from "../../src/control/descriptor.ts";
import { Endpoint } from "../../src/control/endpoint.ts";
import { answerQuestions } from "../../src/control/questions.ts";
import { answerSchema, type Answer } from "../../src/control/messages.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";
import { seeded } from "../hostile-peers/support/input.ts";
import { until } from "../support/processes.ts";

const { platform, pid } = process;
const root = mkdtempSync(join(tmpdir(), "tunnel-fuzz-control-"));
const sessions = sessionsOn(systemClock);
const endpoint = new Endpoint({
  begins: sessions.onNews,
  clock: systemClock,
  accept: answerQuestions({ sessions, clock: systemClock, actions: ACTIONS }),
  kind: "ask",
  identity: { session: undefined, folder: root },
  folders: [join(root, "control")],
  platform,
  pid,
});
let descriptor: Descriptor;

beforeAll(async () => {
  await sessions.host(hostRequest());
  await until("the endpoint is open", () => endpoint.state === "open");
  const [found] = await readDescriptors([join(root, "control")], platform);
  if (found === undefined) throw new Error("no descriptor");
  descriptor = found;
});
afterAll(async () => {
  await sessions.shutDown();
  await endpoint.close();
  rmSync(root, { recursive: true, force: true });
});

/** All that comes back for these bytes; what is no whole line ends the connection. */
async function answerTo(bytes: Buffer): Promise<string> {
  const socket = createConnection(descriptor.endpoint);
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString())).on("error", () => socket.destroy());
  if (bytes.includes(10)) socket.write(bytes);
  else socket.end(bytes);
  await once(socket, "close");
  return text;
}

const action = oneof(constantFrom("peek", "wait", "__proto__", "toString"), string());
const input = oneof(
  constant({}),
  constant({ timeoutMs: 0 }),
  jsonValue(),
  record({ tunnelId: jsonValue(), seen: jsonValue(), timeoutMs: jsonValue() }, { requiredKeys: [] }),
);

it("whatever is sent to the local endpoint gets an answer of the known form or none, and the next is heard", async () => {
  const codes: Answer[] = [];
  const bytes = oneof(
    uint8Array({ maxLength: 2_000 }),
    string().map((line) => `${line}\n`),
    record({ action, input }).map((rest) => `${JSON.stringify({ token: descriptor.token, ...rest })}\n`),
    record({ token: jsonValue(), action, input }).map((all) => `${JSON.stringify(all)}\n`),
  );
  await assert(
    asyncProperty(bytes, async (sent) => {
      const text = await answerTo(Buffer.from(sent));
      if (text === "") return;
      codes.push(answerSchema.parse(JSON.parse(text)));
    }),
    seeded(0xc0, 300),
  );
  // It got as far as the actions, and as the refusal of a stranger.
  expect(codes.some(({ ok }) => ok)).toBe(true);
  for (const code of ["input-invalid", "control-failed"]) expect(codes).toContainEqual({ ok: false, code });
  const peek = await ask(descriptor, { action: "peek", input: {}, result: peekSchema }, systemClock);
  expect(peek.tunnels).toHaveLength(1);
});
