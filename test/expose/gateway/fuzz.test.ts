import { connect, createServer } from "node:net";
import { expect, it } from "vitest";
import type { Gate } from "../../../src/expose/gate.ts";
import { Chance } from "../../support/random.ts";
import { ask, gatewayTo, HOST, listening, OPEN_GATE, request, statusOf, until } from "./harness.ts";

interface Arrived {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Reads requests from the beginning of a stream by the letter of the grammar (RFC 9112 §2 to §7), and throws at anything else. */
function readAll(stream: string): { requests: Arrived[]; rest: string } {
  const requests: Arrived[] = [];
  let rest = stream;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) return { requests, rest };
    const [start = "", ...lines] = rest.slice(0, end).split("\r\n");
    const parts = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\/[\x21\x22\x24-\x7e\x80-\xff]*|\*) HTTP\/1\.1$/.exec(
      start,
    );
    if (parts === null) throw new Error(`no start line: ${JSON.stringify(start)}`);
    const fields = lines.map(fieldOf);
    const body = bodyOf(fields, rest.slice(end + 4));
    if (body === undefined) return { requests, rest };
    requests.push({ method: parts[1] ?? "", target: parts[2] ?? "", fields, body: body.content });
    rest = body.rest;
  }
}

function fieldOf(line: string): [string, string] {
  const parts = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
  if (parts === null) throw new Error(`no field line: ${JSON.stringify(line)}`);
  return [(parts[1] ?? "").toLowerCase(), parts[2] ?? ""];
}

/** Nothing while it has not come whole. */
function bodyOf(fields: Arrived["fields"], text: string): { content: string; rest: string } | undefined {
  const lengths = valuesIn(fields, "content-length");
  const codings = valuesIn(fields, "transfer-encoding");
  if (lengths.length + codings.length > 1) throw new Error("framed twice");
  const [length] = lengths;
  if (codings.length === 0) {
    if (length !== undefined && !/^(?:0|[1-9][0-9]*)$/.test(length)) throw new Error(`length ${length}`);
    const bytes = Number(length ?? 0);
    return text.length < bytes ? undefined : { content: text.slice(0, bytes), rest: text.slice(bytes) };
  }
  if (codings[0] !== "chunked") throw new Error(`coding ${codings[0] ?? ""}`);
  let content = "";
  let at = 0;
  for (;;) {
    const end = text.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const size = text.slice(at, end);
    if (!/^[0-9a-f]+$/.test(size)) throw new Error(`chunk size ${JSON.stringify(size)}`);
    const bytes = Number.parseInt(size, 16);
    at = end + 2;
    if (bytes === 0) break;
    if (text.length < at + bytes + 2) return undefined;
    if (text.slice(at + bytes, at + bytes + 2) !== "\r\n") throw new Error("a chunk without its end");
    content += text.slice(at, at + bytes);
    at += bytes + 2;
  }
  for (;;) {
    const end = text.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const line = text.slice(at, end);
    at = end + 2;
    if (line === "") return { content, rest: text.slice(at) };
    const [name] = fieldOf(line);
    if (["host", "content-length", "transfer-encoding", "authorization"].includes(name))
      throw new Error(`trailer ${name}`);
  }
}

const valuesIn = (fields: Arrived["fields"], name: string): string[] =>
  fields.filter(([one]) => one === name).map(([, value]) => value);

/** A service that keeps all that comes, answers what is whole, and remembers what it cannot read. */
async function strictService() {
  const arrived: Arrived[] = [];
  const faults: string[] = [];
  const server = createServer((socket) => {
    let waiting = "";
    socket
      .on("error", () => undefined)
      .on("data", (chunk: Buffer) => {
        try {
          const { requests, rest } = readAll(waiting + chunk.toString("latin1"));
          waiting = rest;
          arrived.push(...requests);
          for (const { method } of requests)
            socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${method === "HEAD" ? "" : "ok"}`);
        } catch (error) {
          faults.push(`${String(error)} in ${JSON.stringify(waiting + chunk.toString("latin1"))}`);
          socket.destroy();
        }
      });
  });
  return { port: await listening(server), arrived, faults };
}

/** What stands in a body or behind it, for whoever reads the framing in another way. */
const SMUGGLED = `GET /forbidden HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** Every visitor may reach all but this. */
const GATE: Gate = {
  judge(head, source, facts) {
    if (!head.target.includes("forbidden")) return OPEN_GATE.judge(head, source, facts);
    return { kind: "answer", answer: { status: 403, why: "forbidden", fields: [], body: "no" } };
  },
};

/** Makes requests that are faulty in one way or several, or in none. */
class Hostile {
  readonly #chance: Chance;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
  }

  /** One to four requests on one connection, perhaps cut or with a byte changed. */
  connection(id: string): { bytes: string; requests: number } {
    const requests = 1 + this.#chance.below(4);
    let bytes = Array.from({ length: requests }, (_, index) => this.#request(`${id}-${index}`)).join("");
    if (this.#one(16)) bytes = bytes.slice(0, this.#chance.below(bytes.length));
    if (this.#one(10)) {
      const at = this.#chance.below(bytes.length);
      const byte = String.fromCodePoint(this.#chance.below(256));
      bytes = `${bytes.slice(0, at)}${byte}${bytes.slice(at + this.#chance.below(2))}`;
    }
    return { bytes, requests };
  }

  #one(of: number): boolean {
    return this.#chance.below(of) === 0;
  }

  #pick(...among: readonly string[]): string {
    return among[this.#chance.below(among.length)] ?? "";
  }

  /** Mostly the first one. */
  #mostly(usual: string, ...others: readonly string[]): string {
    return this.#one(12) ? this.#pick(...others) : usual;
  }

  #request(id: string): string {
    const end = this.#mostly("\r\n", "\n", "\r", "\r\n\r\n", "\n\r");
    const lines = [this.#start(id), ...this.#hosts(), ...this.#extras()];
    const { fields, body } = this.#body();
    const order = this.#one(2) ? [...lines, ...fields] : [lines[0] ?? "", ...fields, ...lines.slice(1)];
    return `${order.join(this.#one(8) ? end : "\r\n")}\r\n\r\n${body}`;
  }

  #start(id: string): string {
    const method = this.#mostly(
      "POST",
      "GET",
      "HEAD",
      "PUT",
      "post",
      "OPTIONS",
      "CONNECT",
      "TRACE",
      "P OST",
      "GET\0",
      "",
    );
    const target = this.#mostly(
      `/${id}`,
      `http://${HOST}/${id}`,
      `http://other.example/${id}`,
      `https://${HOST}@other.example/${id}`,
      `/${id}#/forbidden`,
      `/${id}/../forbidden`,
      `//${id}`,
      `/${id} /forbidden`,
      `/${id}\t`,
      `/${id}%2e%2e%2f\xff`,
      "*",
      "forbidden",
      "/forbidden",
      "",
    );
    const version = this.#mostly(
      "HTTP/1.1",
      "HTTP/1.0",
      "HTTP/2.0",
      "HTTP/1.2",
      "HTTP/1.01",
      "http/1.1",
      "HTTP /1.1",
      "",
    );
    return [method, target, version].join(this.#mostly(" ", "  ", "\t", "\v"));
  }

  #hosts(): string[] {
    const host = `Host: ${HOST}`;
    const one = this.#mostly(
      host,
      "Host: other.example",
      `Host: ${HOST}:443`,
      `Host: ${HOST}.`,
      `Host: a@${HOST}`,
      `Host:${HOST}, other.example`,
      `Host : ${HOST}`,
      "Host:",
      `Host: ${HOST}\r\n other.example`,
      "X-Host: none",
    );
    return this.#one(10) ? [one, this.#pick(host, "Host: other.example", "host: localhost")] : [one];
  }

  #extras(): string[] {
    const extras = [
      "Connection: Host, Via, X-Forwarded-For, Content-Length",
      "Connection: close",
      "Connection: keep-alive, Transfer-Encoding",
      "X-Forwarded-For: 10.0.0.1",
      "X-Forwarded-Host: other.example",
      'Forwarded: for="_x"',
      "Proxy-Connection: keep-alive",
      "Keep-Alive: timeout=9",
      "TE: trailers, gzip",
      "Trailer: Host",
      "Expect: 100-continue",
      "Upgrade: websocket",
      "Upgrade: h2c",
      "Connection: Upgrade, HTTP2-Settings",
      "HTTP2-Settings: AAMAAABkAAQAAP__",
      "X-A: one\r\n two",
      "X-B: a\0b",
      "X-C: a\rGET /forbidden HTTP/1.1",
      "X D: space",
      ": none",
      "X-E",
      "X-F: \xe9\xff",
      " X-G: folded at the beginning",
      `X-H: ${"h".repeat(this.#chance.below(20_000))}`,
    ];
    return Array.from({ length: this.#chance.below(3) }, () => this.#pick(...extras));
  }

  #body(): { fields: string[]; body: string } {
    const content = this.#pick(
      "",
      "x",
      SMUGGLED,
      `0\r\n\r\n${SMUGGLED}`,
      "y".repeat(this.#chance.below(5_000)),
    );
    const { length } = content;
    switch (this.#chance.below(4)) {
      case 0:
        return { fields: [], body: this.#one(2) ? content : "" };
      case 1: {
        const told = this.#mostly(
          String(length),
          `+${length}`,
          `-${length}`,
          `0${length}`,
          `0x${length.toString(16)}`,
          `${length}, ${length}`,
          `${length},0`,
          `${length} 0`,
          `${length}.0`,
          "99999999999999999999",
          String(length + 3),
          String(Math.max(0, length - 3)),
          "",
        );
        const again = this.#one(6) ? [`Content-Length: ${this.#pick(String(length), "0", "5")}`] : [];
        return {
          fields: [
            this.#mostly(`Content-Length: ${told}`, `Content-Length : ${told}`, `Content-Length:\v${told}`),
            ...again,
          ],
          body: content,
        };
      }
      default: {
        const coding = this.#mostly(
          "Transfer-Encoding: chunked",
          "Transfer-Encoding: Chunked",
          "Transfer-Encoding: gzip, chunked",
          "Transfer-Encoding: chunked, identity",
          "Transfer-Encoding: identity",
          "Transfer-Encoding: xchunked",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
          "Transfer-Encoding: chunked\r\nTransfer-encoding: identity",
          "Transfer-Encoding : chunked",
          "Transfer-Encoding:\vchunked",
          "Transfer-Encoding:\r\n chunked",
          'Transfer-Encoding: "chunked"',
          "Transfer-Encoding: chunked;q=1",
          "Transfer_Encoding: chunked",
        );
        const both = this.#one(5) ? [`Content-Length: ${this.#pick("0", "5", String(length))}`] : [];
        return { fields: [coding, ...both], body: this.#chunked(content) };
      }
    }
  }

  #chunked(content: string): string {
    const eol = (): string => (this.#one(24) ? this.#pick("\n", "\r", "") : "\r\n");
    let text = "";
    for (let at = 0; at < content.length;) {
      const part = content.slice(at, at + 1 + this.#chance.below(1_000));
      at += part.length;
      const size = part.length.toString(16);
      const told = this.#one(20)
        ? this.#pick(
            `0x${size}`,
            `+${size}`,
            ` ${size}`,
            `${size} `,
            `${size};a=b`,
            `${size};a="\r\n"`,
            `fffffffff${size}`,
            `${size}\n`,
            "g",
            "",
          )
        : size;
      text += `${told}${eol()}${part}${eol()}`;
    }
    const trailer = this.#one(4)
      ? this.#pick(
          "X-T: 1\r\n",
          "Host: other.example\r\n",
          "Content-Length: 5\r\n",
          "X T: 1\r\n",
          " folded\r\n",
        )
      : "";
    return `${text}0${eol()}${trailer}${eol()}`;
  }
}

/** Sends all at once and no more: the answers, until the gateway closes. */
function answered(port: number, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket
      .on("error", () => undefined)
      .on("close", () => resolve())
      .resume()
      .end(Buffer.from(bytes, "latin1"));
  });
}

/** Connections at a time: enough that the exchanges of several mix on the kept connections to the service. */
const AT_ONCE = 32;

it("10,000 requests with hostile framing: what arrives is well-formed, and is what the gate has let in", async () => {
  const service = await strictService();
  const { port, all, gateway } = await gatewayTo(service.port, { gate: GATE });
  const hostile = new Hostile(4_711);
  let made = 0;
  const visitor = async (): Promise<void> => {
    while (made < 10_000) {
      const { bytes, requests } = hostile.connection(`r${made}`);
      made += requests;
      await answered(port, bytes);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  expect(service.faults).toEqual([]);
  const passed = new Map<string, number>();
  for (const { request: head, requestBody } of all) {
    if ("refused" in head.decided) continue;
    const key = JSON.stringify([head.method, head.target, requestBody]);
    passed.set(key, (passed.get(key) ?? 0) + 1);
  }
  // Enough of both, or this would prove nothing.
  expect(service.arrived.length).toBeGreaterThan(1_000);
  expect(made - service.arrived.length).toBeGreaterThan(1_000);
  for (const { method, target, fields, body } of service.arrived) {
    const key = JSON.stringify([method, target, body]);
    const left = (passed.get(key) ?? 0) - 1;
    expect(left, `${key} arrived, and was not let in`).toBeGreaterThanOrEqual(0);
    passed.set(key, left);
    expect(target).not.toMatch(/forbidden/);
    expect(valuesIn(fields, "host")).toEqual([`localhost:${service.port}`]);
    expect(valuesIn(fields, "x-forwarded-for")).toEqual(["127.0.0.1"]);
    expect(valuesIn(fields, "x-forwarded-host")).toEqual([HOST]);
    expect(valuesIn(fields, "forwarded")).toHaveLength(1);
    expect(valuesIn(fields, "via")).toHaveLength(1);
    for (const name of ["proxy-connection", "keep-alive", "http2-settings", "trailer"])
      expect(valuesIn(fields, name)).toEqual([]);
    expect(valuesIn(fields, "connection").join()).toMatch(/^(?:|Upgrade|TE|TE, Upgrade)$/);
  }
  await until(() => gateway.stats.open === 0);
  expect(statusOf(await ask(port, request("GET /after")))).toBe(200);
}, 60_000);
