/**
 * Stands in for the real server in the demo's test: answers each tool from a script by the name it runs under. Given
 * FAKE_REUSE=1 it lets a link be used twice, which the demo must notice. Given FAKE_SLOW=2 it is still opening at the first two
 * questions.
 */
import { createInterface } from "node:readline";

const name = process.env.TUNNEL_NAME;
const fenced = (text) => `[peer]\n${text}\n[/peer]`;
const chat = (text) => ({ seq: 1, fromName: "peer", kind: "chat", text: fenced(text), intent: "inform" });
const other = {
  question: {
    Ana: "Then which page size do you need? The handler allows 1 to 200.",
    Ben: process.env.FAKE_FIRST,
  },
  answer: {
    Ana: 'An object: { "items": [...], "nextCursor": "..." }; nextCursor is absent on the last page. See api/orders.ts.',
    Ben: "50. I send ?limit=50 and follow nextCursor until it is absent.",
  },
};
const inbox = {
  Ana: [chat(other.answer.Ana), chat(other.question.Ana)],
  Ben: [
    chat(other.question.Ben),
    chat(other.answer.Ben),
    { seq: 9, kind: "system", event: "ended", text: "the host closed the tunnel" },
  ],
}[name];

let slow = Number(process.env.FAKE_SLOW ?? 0);

function answer(tool) {
  if (slow > 0 && (tool === "tunnel_open" || tool === "tunnel_listen") && name === "Ana") {
    slow -= 1;
    return { status: "opening", tunnelId: "t" };
  }
  if (process.env.FAKE_SLOW !== undefined && tool === "tunnel_listen" && slow === 0 && name === "Ana") {
    slow = -1;
    return answer("tunnel_open");
  }
  switch (tool) {
    case "tunnel_open":
      return { joinLink: "ws://127.0.0.1:1/t/room#1.SECRETKEY.HOSTKEY" };
    case "tunnel_join":
      if (name === "Eve" && process.env.FAKE_REUSE !== "1")
        return { error: { code: "invite-refused", message: "no" } };
      return { goal: "goal", safetyCode: "12345 67890" };
    case "tunnel_say":
      return { status: "sent", seq: 1 };
    case "tunnel_listen":
      return { messages: inbox.splice(0, 1) };
    case "tunnel_status":
      return { members: [{}, {}], lastSeq: 9, safetyCode: "x" };
    default:
      return {};
  }
}

function respond({ method, params }) {
  switch (method) {
    case "initialize": {
      const { protocolVersion } = params;
      return {
        result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "fake", version: "1" } },
      };
    }
    case "tools/list":
      return { result: { tools: [] } };
    case "tools/call": {
      const structuredContent = answer(params.name);
      return { result: { content: [], structuredContent, isError: "error" in structuredContent } };
    }
    default:
      return { error: { code: -32601, message: "method not found" } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.id === undefined) continue;
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id: request.id, ...respond(request) })}\n`);
}
