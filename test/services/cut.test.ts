import { describe, expect, it } from "vitest";
import { until } from "../support/processes.ts";
import { Proxy } from "../support/proxy.ts";
import { closing, dial, later, rest, room, service, share } from "./scene.ts";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

describe("a cut of the link", () => {
  it("[X6] resets what is connected, and the listener stays, says so, and serves again", async () => {
    const wire = await Proxy.start();
    later(() => wire.close());
    const { ana, ben } = await room(["ben"], { wire });
    const held: unknown[] = [];
    const target = await service((socket) => {
      socket.on("error", (error) => held.push(error));
      socket.on("data", (chunk) => socket.write(chunk));
      socket.on("end", () => socket.end());
    });
    const { listening } = await share(ana, ben, { target });
    const socket = await dial(listening);
    const errors: unknown[] = [];
    socket.on("error", (error) => errors.push(error)).resume();
    socket.write("held");
    await until("it is connected", () => ana.services.owner.offers[0]?.connections.size === 1);
    const closed = closing(socket);
    wire.isDown = true;
    for (const crossing of wire.open) crossing.cut("reset");
    await closed;
    expect(String(errors)).toContain("ECONNRESET");
    await until("the service sees it", () => held.length === 1);
    expect(String(held[0])).toContain("ECONNRESET");
    expect(ben.services.taker.taken).toHaveLength(1);
    // One that comes now waits a moment for the owner, and is then refused.
    const early = await dial(listening);
    early.resume();
    await closing(early);
    expect(ben.services.taker.taken[0]?.trouble).toBe("away");
    wire.isDown = false;
    await until("the owner is back", () => ben.session.streamPort.isConnected(ana.session.self));
    const again = await dial(listening);
    again.end("again");
    expect(String(await rest(again))).toBe("again");
    expect(ben.services.taker.taken[0]?.trouble).toBeUndefined();
  });

  it("is told to a browser as one, and not as an answer of the service", async () => {
    const wire = await Proxy.start();
    later(() => wire.close());
    const { ana, ben } = await room(["ben"], { wire });
    const page = createServer((_request, response) => response.end("page"));
    page.listen(0, "127.0.0.1");
    await once(page, "listening");
    later(() => void page.close());
    const { port } = page.address() as AddressInfo;
    const { listening } = await share(ana, ben, { target: port, kind: "http" });
    const { host, port: at, token } = listening;
    const ask = (): Promise<Response> =>
      fetch(`http://${host}:${at}/`, { headers: { [token?.field ?? ""]: token?.value ?? "" } });
    expect(await (await ask()).text()).toBe("page");
    wire.isDown = true;
    for (const crossing of wire.open) crossing.cut("reset");
    const answer = await ask();
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(answer.headers.get("x-tunnel-answer")).toBe("destination_unavailable");
    wire.isDown = false;
    await until("the owner is back", () => ben.session.streamPort.isConnected(ana.session.self));
    expect(await (await ask()).text()).toBe("page");
  });
});
