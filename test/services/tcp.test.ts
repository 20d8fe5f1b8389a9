import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { until } from "../support/processes.ts";
import { dial, echo, rest, room, service, share } from "./scene.ts";

describe("a TCP service of a member", () => {
  it.each([
    ["host to guest", "ana", "ben"],
    ["guest to host", "ben", "ana"],
    ["guest to guest", "ben", "cid"],
  ] as const)("is reached, whole and with both ends ending for themselves, %s", async (_, from, to) => {
    const sides = await room(["ben", "cid"]);
    const { listening } = await share(sides[from], sides[to], { target: await echo() });
    const socket = await dial(listening);
    const content = randomBytes(3_000_000);
    socket.end(content);
    expect((await rest(socket)).equals(content)).toBe(true);
    const [own] = sides[from].services.owner.offers;
    await until("nothing is open", () => own?.connections.size === 0);
    expect(own?.stats).toEqual({ connections: 1, bytesIn: content.length, bytesOut: content.length });
  });

  it("lets one direction go on when the other has ended", async () => {
    const { ana, ben } = await room(["ben"]);
    const heard: string[] = [];
    const port = await service((socket) => {
      socket.write("greeting ");
      socket.on("data", (chunk) => heard.push(String(chunk)));
      socket.once("end", () => socket.end(`heard ${heard.join("")}`));
    });
    const { listening } = await share(ana, ben, { target: port });
    const socket = await dial(listening);
    expect(String((await once(socket, "data"))[0])).toBe("greeting ");
    socket.end("all of it");
    expect(String(await rest(socket))).toBe("heard all of it");
  });

  it("tells a reset as a reset, both ways", async () => {
    const { ana, ben } = await room(["ben"]);
    const errors: string[] = [];
    const heard: string[] = [];
    const port = await service((socket) => {
      socket.on("error", ({ message }) => errors.push(message));
      socket.on("data", (chunk) => {
        heard.push(String(chunk));
        if (String(chunk) === "reset") socket.resetAndDestroy();
      });
    });
    const { listening } = await share(ana, ben, { target: port });
    const one = await dial(listening);
    const failed = once(one, "error");
    one.write("reset");
    expect(String((await failed.catch((error: unknown) => [error]))[0])).toContain("ECONNRESET");
    const other = await dial(listening);
    other.write("hold");
    await until("it is there", () => heard.includes("hold"));
    other.resetAndDestroy();
    await until("the service sees it", () => errors.some((message) => message.includes("ECONNRESET")));
  });
});
