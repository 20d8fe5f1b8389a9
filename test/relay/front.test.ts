import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { NO_PROXIES } from "../../src/net/proxy.ts";
import { trustOf } from "../../src/net/trust.ts";
import { readProxyHeader } from "../../src/relay/front/proxy-protocol.ts";
import { sourceOfRequest, trustedProxies } from "../../src/relay/front/sources.ts";
import { RELAY_LIMITS } from "../../src/relay/limits/limits.ts";
import { sourceOf } from "../../src/relay/rooms/source-tag.ts";
import type { Relay } from "../../src/relay/node/relay.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { createRelayOpener } from "../../src/tunnel/relay/opener.ts";
import { until } from "../support/processes.ts";
import { aRelay, atEnd, echoRoom, folder, guest, hostOf, roomId } from "./support.ts";

const loopback = trustedProxies(["loopback"]) ?? (() => false);
const nobody = trustedProxies([]) ?? (() => true);

describe("the source of a visitor", () => {
  const of = (remoteAddress: string, forwarded: string | undefined, isTrusted = loopback): string =>
    sourceOfRequest(
      {
        socket: { remoteAddress } as Socket,
        headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
      },
      isTrusted,
    );

  it("is the connection's own, and a proxy's word only where that is trusted", () => {
    expect(of("127.0.0.1", "203.0.113.1", nobody)).toBe("127.0.0.1");
    expect(of("127.0.0.1", "203.0.113.1")).toBe("203.0.113.1");
    expect(of("198.51.100.1", "203.0.113.1")).toBe("198.51.100.1");
    expect(of("::ffff:127.0.0.1", "203.0.113.1")).toBe("203.0.113.1");
  });

  it("is the last hop that is no trusted proxy: what a visitor has written before it counts for nothing", () => {
    expect(of("127.0.0.1", "10.9.9.9, 203.0.113.1")).toBe("203.0.113.1");
    expect(of("127.0.0.1", "203.0.113.7, 203.0.113.1, 127.0.0.1")).toBe("203.0.113.1");
    expect(of("127.0.0.1", "garbage")).toBe("127.0.0.1");
    expect(of("127.0.0.1", "203.0.113.1:4711")).toBe("203.0.113.1");
    expect(of("127.0.0.1", "[2001:db8::1]:4711")).toBe("2001:db8::1");
  });

  it("counts by network where it is IPv6", () => {
    expect(sourceOf("2001:db8:1:2:3:4:5:6")).toBe(sourceOf("2001:db8:1:2::9"));
    expect(sourceOf("2001:db8:1:2::9")).not.toBe(sourceOf("2001:db8:1:3::9"));
    expect(sourceOf("::ffff:192.0.2.1")).toBe("192.0.2.1");
  });

  it("has ranges that are ranges", () => {
    for (const bad of ["10.0.0.0/33", "x", "10.0.0.0/", "::1/129", "10.0.0.0/8/8"])
      expect(trustedProxies([bad]), bad).toBeUndefined();
  });
});

/** Version 2 with an IPv4 source. */
function binary(source: readonly number[], command = 0x21): Buffer {
  const head = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
  return Buffer.concat([
    head,
    Buffer.from([command, 0x11, 0, 12, ...source, 127, 0, 0, 1, 0x12, 0x34, 0, 80]),
  ]);
}

describe("the PROXY protocol", () => {
  it("is read in both versions, whole and in pieces", () => {
    const line = Buffer.from("PROXY TCP4 203.0.113.5 127.0.0.1 4711 80\r\n");
    for (let at = 1; at < line.length; at += 1)
      expect(readProxyHeader(line.subarray(0, at)).kind).toBe("more");
    expect(readProxyHeader(line)).toEqual({ kind: "header", source: "203.0.113.5", length: line.length });
    const bytes = binary([203, 0, 113, 6]);
    for (let at = 1; at < bytes.length; at += 1)
      expect(readProxyHeader(bytes.subarray(0, at)).kind).toBe("more");
    expect(readProxyHeader(bytes)).toEqual({ kind: "header", source: "203.0.113.6", length: bytes.length });
    expect(readProxyHeader(Buffer.from("PROXY UNKNOWN\r\nGET"))).toEqual({
      kind: "header",
      source: undefined,
      length: 15,
    });
    expect(readProxyHeader(binary([1, 2, 3, 4], 0x20))).toMatchObject({ kind: "header", source: undefined });
  });

  it("is refused where it is something else, or too long", () => {
    expect(readProxyHeader(Buffer.from("GET / HTTP/1.1\r\n")).kind).toBe("none");
    expect(readProxyHeader(Buffer.from(`PROXY TCP4 ${"1".repeat(200)}`)).kind).toBe("none");
    expect(readProxyHeader(Buffer.from("PROXY TCP4 nonsense 127.0.0.1 1 2\r\n")).kind).toBe("none");
    expect(readProxyHeader(binary([1, 2, 3, 4], 0x11)).kind).toBe("none");
  });

  it("names the source of a guest, whatever comes in one packet with it; without it nobody gets in", async () => {
    const relay = await aRelay({ isTrusted: loopback, hasProxyHeader: true });
    const heard = (first: Buffer): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect(relay.port, "127.0.0.1", () => socket.end(first));
        let text = "";
        socket.on("data", (chunk: Buffer) => (text += chunk.toString())).on("error", () => undefined);
        socket.once("close", () => resolve(text));
      });
    const sources: string[] = [];
    relay.events.subscribe((event) => {
      if ("source" in event) sources.push(event.source);
    });
    const ask = Buffer.from(
      `GET /t/${roomId()} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    expect(await heard(Buffer.concat([binary([203, 0, 113, 6]), ask]))).toMatch(/^HTTP\/1\.1 404/);
    expect(sources).toEqual(["203.0.113.6"]);
    expect(await heard(ask)).toBe("");
  });
});

/** A certificate of an authority of one's own, for 127.0.0.1. */
function certificate(name: string): { cert: string; key: string } {
  const where = folder();
  const [cert, key] = [path.join(where, "cert.pem"), path.join(where, "key.pem")];
  const kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" ");
  const named = [
    "-subj",
    `/CN=${name}`,
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-keyout",
    key,
    "-out",
    cert,
  ];
  execFileSync("openssl", [...kind, ...named], { stdio: "ignore" });
  return { cert, key };
}

function secured(relay: Relay, ca: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port: relay.port, host: "127.0.0.1", ca: readFileSync(ca) }, () =>
      resolve(socket),
    );
    atEnd(() => socket.destroy());
    socket.once("error", reject);
  });
}

describe("TLS of the relay's own", () => {
  const opener = (relay: Relay, ca: string | undefined) => {
    return createRelayOpener({
      relay: `https://127.0.0.1:${relay.port}`,
      network: { proxies: NO_PROXIES, trust: trustOf({}, [ca]) },
      env: {},
      cwd: "/",
      home: folder(),
      clock: systemClock,
    });
  };
  const request = (port: number, room: string) => ({
    port,
    proof: { path: `/${room}`, answer: "x" },
    purpose: { kind: "room", room } as const,
    signal: new AbortController().signal,
  });

  it("carries rooms for a host that knows the authority, and for nobody else", async () => {
    const files = certificate("first");
    const relay = await aRelay({ certificates: files });
    const { port } = await echoRoom();
    const room = roomId();
    await expect(opener(relay, undefined)(request(port, room))).rejects.toMatchObject({
      code: "relay-untrusted",
    });
    const tunnel = await opener(relay, files.cert)(request(port, room));
    atEnd(() => tunnel.stop());
    expect(tunnel.url).toBe(`wss://127.0.0.1:${relay.port}`);
    const one = await secured(relay, files.cert);
    one.write(`GET /t/${room} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    let heard = "";
    one.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    await until("the guest is in", () => heard.includes("\r\n\r\n"));
    one.write("through TLS twice");
    await until("it is back", () => heard.endsWith("through TLS twice"));
  });

  it("takes a new certificate without a restart, and keeps the old one while the new is no good", async () => {
    const files = certificate("first");
    const relay = await aRelay({ certificates: files });
    const name = async (ca: string): Promise<unknown> =>
      (await secured(relay, ca)).getPeerCertificate().subject.CN;
    const old = path.join(folder(), "old.pem");
    copyFileSync(files.cert, old);
    expect(await name(old)).toBe("first");
    const next = certificate("second");
    copyFileSync(next.cert, files.cert);
    // The key does not fit yet.
    relay.reload();
    expect(await name(old)).toBe("first");
    copyFileSync(next.key, files.key);
    relay.reload();
    expect(await name(next.cert)).toBe("second");
  });

  it.each(["apart", "together"])(
    "works behind the PROXY protocol: header and first TLS record %s",
    async (how) => {
      const files = certificate("first");
      const relay = await aRelay({ certificates: files, isTrusted: loopback, hasProxyHeader: true });
      const sources: string[] = [];
      relay.events.subscribe((event) => {
        if ("source" in event) sources.push(event.source);
      });
      const raw = connect(relay.port, "127.0.0.1");
      atEnd(() => raw.destroy());
      await new Promise((resolve) => raw.once("connect", resolve));
      // What the client writes first goes out behind the header, in one packet or not.
      const through = new Duplex({
        read: () => undefined,
        write(chunk: Buffer, _encoding, callback) {
          raw.write(isFirst && how === "together" ? Buffer.concat([binary([203, 0, 113, 7]), chunk]) : chunk);
          isFirst = false;
          callback();
        },
      });
      let isFirst = true;
      raw.on("data", (chunk: Buffer) => through.push(chunk));
      if (how === "apart") {
        raw.write(binary([203, 0, 113, 7]));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const secure = connectTls({ socket: through, host: "127.0.0.1", ca: readFileSync(files.cert) });
      await new Promise((resolve, reject) => secure.once("secureConnect", resolve).once("error", reject));
      secure.write(
        `GET /t/${roomId()} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      );
      let heard = "";
      secure.on("data", (chunk: Buffer) => (heard += chunk.toString()));
      await until("it has answered", () => heard.startsWith("HTTP/1.1 404"));
      expect(sources).toEqual(["203.0.113.7"]);
    },
  );
});

it("lets one stranger not take all connections of others", async () => {
  const relay = await aRelay({
    isTrusted: nobody,
    limits: { ...RELAY_LIMITS, connectionsPerSource: 6, forgetfulMs: 0 },
  });
  const { port } = await echoRoom();
  const room = roomId();
  await hostOf(relay)(port, { kind: "room", room });
  const idle = Array.from({ length: 12 }, () => {
    const socket = connect(relay.port, "127.0.0.1");
    socket.on("error", () => undefined);
    atEnd(() => socket.destroy());
    return socket;
  });
  await until(
    "the surplus is closed",
    () => idle.filter((one) => one.destroyed || one.readableEnded).length >= 7,
  );
  for (const one of idle) one.destroy();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await guest(relay.port, room);
});
