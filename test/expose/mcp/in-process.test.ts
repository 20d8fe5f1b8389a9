import { once } from "node:events";
import { createServer, request } from "node:http";
import type { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { dialInProcess } from "../../../src/expose/mcp/in-process.ts";
import { until } from "../../support/processes.ts";

/** Both ends of a connection inside this process. */
async function pair(): Promise<{ readonly near: Duplex; readonly far: Duplex }> {
  let far: Duplex | undefined;
  const near = dialInProcess((socket) => (far = socket));
  await once(near, "connect");
  if (far === undefined) throw new Error("nobody accepted");
  return { near, far };
}

describe("a connection inside the process", () => {
  it("carries bytes both ways, and the end of each direction by itself", async () => {
    const { near, far } = await pair();
    near.end("question");
    far.end("answer");
    const [asked, answered] = await Promise.all([far.toArray(), near.toArray()]);
    expect([String(Buffer.concat(asked as Buffer[])), String(Buffer.concat(answered as Buffer[]))]).toEqual([
      "question",
      "answer",
    ]);
  });

  it("holds a writer back while nobody reads, and lets it go on then", async () => {
    const { near, far } = await pair();
    const block = Buffer.alloc(64 * 1024);
    let written = 0;
    while (near.write(block)) written += 1;
    let isTaken = false;
    near.write(block, () => (isTaken = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(written).toBeLessThan(4);
    expect(isTaken).toBe(false);
    far.resume();
    await until("all is taken", () => isTaken);
  });

  it("that is cut at one end is cut at the other, also where a write waits", async () => {
    for (const side of ["near", "far"] as const) {
      const ends = await pair();
      const other = side === "near" ? ends.far : ends.near;
      const closed = once(other, "close");
      while (other.write(Buffer.alloc(64 * 1024)));
      ends[side].destroy();
      await closed;
      expect(other.destroyed).toBe(true);
    }
  });

  it("is taken by a server of HTTP, whose last answer is read whole although it closes behind it", async () => {
    const server = createServer((_request, response) => {
      response.setHeader("Connection", "close");
      response.end("x".repeat(300_000));
    });
    const asked = request({
      createConnection: () => dialInProcess((socket) => server.emit("connection", socket)),
    });
    asked.end();
    const [response] = (await once(asked, "response")) as [AsyncIterable<Buffer>];
    let bytes = 0;
    for await (const chunk of response) bytes += chunk.length;
    expect(bytes).toBe(300_000);
  });
});
