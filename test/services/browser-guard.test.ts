import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { HAS_IPV6 } from "../support/local-servers.ts";
import { until } from "../support/processes.ts";
import { dial, later, rest, room, service, share } from "./scene.ts";

/** A web page whose owner offers it as TCP. */
async function page() {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.cookie ?? "none");
    response.end("page");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  const { ana, ben } = await room(["ben"]);
  const { listening } = await share(ana, ben, { target: (server.address() as AddressInfo).port });
  return { listening, seen };
}

async function answerTo(port: number, pieces: readonly string[]): Promise<string> {
  const socket = await dial({ host: "127.0.0.1", port });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  socket.end();
  return String(await rest(socket));
}

describe("a TCP listener", () => {
  it.each([
    ["Cookie: session=secret"],
    ["Origin: http://evil.example"],
    ["Sec-Fetch-Mode: no-cors"],
    ["sec-ch-ua: x"],
    ["COOKIE : session=secret"],
  ])("lets no browser through to a peer: %s", async (field) => {
    const { listening, seen } = await page();
    const head = `GET / HTTP/1.1\r\nHost: localhost:${listening.port}\r\n${field}\r\n\r\n`;
    expect(await answerTo(listening.port, [head])).toMatch(/^HTTP\/1\.1 421 /);
    expect(await answerTo(listening.port, Array.from(head))).toMatch(/^HTTP\/1\.1 421 /);
    expect(seen).toEqual([]);
  });

  it("lets programs through that speak HTTP, whole or in pieces", async () => {
    const { listening, seen } = await page();
    const head = `GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/8\r\nConnection: close\r\n\r\n`;
    expect(await answerTo(listening.port, [head])).toContain("page");
    expect(await answerTo(listening.port, [head.slice(0, 2), head.slice(2, 20), head.slice(20)])).toContain(
      "page",
    );
    expect(seen).toEqual(["none", "none"]);
  });

  it.each([
    "",
    "G",
    "GET",
    "GET x",
    "POST / HTTP/1.1\r\nhalf",
    "\0\0\0\u0008\u0004\u00d2\u0016/",
    "SSH-2.0-x\r\n",
  ])("changes nothing of what is no request of a browser: %j", async (words) => {
    const { ana, ben } = await room(["ben"]);
    const heard: string[] = [];
    const port = await service((socket) => {
      socket.on("data", (chunk) => heard.push(chunk.toString("latin1")));
      socket.once("end", () => socket.end(Buffer.from(heard.join(""), "latin1")));
    });
    const { listening } = await share(ana, ben, { target: port });
    const socket = await dial(listening);
    socket.end(Buffer.from(words, "latin1"));
    expect((await rest(socket)).toString("latin1")).toBe(words);
  });

  it.skipIf(!HAS_IPV6)("is not on a port that another program has at ::1 (needs IPv6)", async () => {
    const { ana, ben } = await room(["ben"]);
    const target = await service((socket) => socket.end("theirs"));
    const own = createServer((_request, response) => response.end("mine"));
    own.listen(target, "::1");
    await once(own, "listening");
    later(() => void own.close());
    const { listening } = await share(ana, ben, { target });
    expect(listening.port).not.toBe(target);
    const socket = connect({ host: "127.0.0.1", port: listening.port });
    later(() => void socket.destroy());
    expect(String((await once(socket, "data"))[0])).toBe("theirs");
    await until("it is over", () => socket.readableEnded);
  });
});
