/**
 * What the gateway's benchmark runs in processes of their own: a service, our gateway in front of it, and in its place two bare
 * proxies that keep no rules, one on node:http and one on undici's dispatch.
 */
import { Agent, createServer, request as httpRequest } from "node:http";
import { Pool } from "undici";
import { openGateway } from "../src/expose/gateway/gateway.ts";
import { OPEN_GATE } from "../src/expose/gateway/open-gate.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { serve, usage } from "./side.mjs";

const HOST = "bench.example";
const BLOCK = Buffer.alloc(64 * 1024, 7);
const PAGE = Buffer.alloc(1_000, "a");

const listen = (server) =>
  new Promise((resolve) => void server.listen(0, "127.0.0.1", () => resolve(server.address().port)));

/** `/N`: N bytes. POST: takes all in. Else a page of a kilobyte. */
function service() {
  return listen(
    createServer((request, response) => {
      if (request.method === "POST") {
        request.on("data", () => undefined).on("end", () => response.end("taken"));
        return;
      }
      const bytes = Number(request.url.slice(1));
      if (bytes === 0) {
        response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": PAGE.length }).end(PAGE);
        return;
      }
      response.writeHead(200, { "Content-Length": bytes });
      let left = bytes;
      const fill = () => {
        while (left > 0) {
          const block = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left);
          left -= block.length;
          if (!response.write(block)) return;
        }
        response.end();
      };
      response.on("drain", fill);
      fill();
    }),
  );
}

async function gateway({ port }) {
  const opened = await openGateway({
    bind: "127.0.0.1",
    port: 0,
    gate: OPEN_GATE,
    upstream: () => upstream,
    proof: { path: "/proof", answer: "proof" },
    sourceHeader: undefined,
    hostHeader: undefined,
    pseudonym: "bench",
    clock: systemClock,
  });
  const upstream = { scheme: "http", address: "127.0.0.1", port, host: `localhost:${port}` };
  opened.publish(new URL(`https://${HOST}`));
  return opened.port;
}

function httpProxy({ port }) {
  const agent = new Agent({ keepAlive: true });
  return listen(
    createServer((request, response) => {
      const { method, url: path, headers } = request;
      const out = httpRequest({ agent, host: "127.0.0.1", port, method, path, headers }, (incoming) => {
        response.writeHead(incoming.statusCode, incoming.rawHeaders);
        incoming.pipe(response);
      });
      request.pipe(out);
    }),
  );
}

function undiciProxy({ port }) {
  const pool = new Pool(`http://127.0.0.1:${port}`);
  return listen(
    createServer((request, response) => {
      const { method, url: path } = request;
      const { "transfer-encoding": coding, ...headers } = request.headers;
      delete headers.connection;
      const hasBody = coding !== undefined || headers["content-length"] !== undefined;
      pool.dispatch(
        { method, path, headers, body: hasBody ? request : null },
        {
          onConnect: () => undefined,
          onHeaders(status, raw, resume) {
            response.writeHead(
              status,
              raw.map((one) => one.toString("latin1")),
            );
            response.on("drain", resume);
            return true;
          },
          onData: (chunk) => response.write(chunk),
          onComplete: () => response.end(),
          onError: () => response.destroy(),
        },
      );
    }),
  );
}

serve({ service, gateway, httpProxy, undiciProxy, usage });
