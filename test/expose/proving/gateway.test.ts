import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { openGateway } from "../../../src/expose/gateway/gateway.ts";
import type { Gateway } from "../../../src/expose/gateway/options.ts";
import { proveAddress, type Proof } from "../../../src/expose/proving/prove.ts";
import { socketProbe } from "../../../src/expose/proving/socket.ts";
import { serveFolder } from "../../../src/expose/target/folder/serve.ts";
import type { Upstream } from "../../../src/expose/upstream.ts";
import { NO_PROXIES } from "../../../src/net/proxy.ts";
import { trustOf } from "../../../src/net/trust.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { secretNameToShow } from "../../../src/session/paths/show.ts";
import { later, OPEN_GATE, PROOF } from "../gateway/harness.ts";
import { LocalServers } from "../../support/local-servers.ts";

const PROBES = { nonce: "0123456789abcdef0123456789abcdef" };

async function gatewayTo(upstream: Upstream): Promise<Gateway> {
  const gateway = await openGateway({
    bind: "127.0.0.1",
    port: 0,
    gate: OPEN_GATE,
    upstream: () => upstream,
    proof: PROOF,
    sourceHeader: undefined,
    hostHeader: undefined,
    pseudonym: "gateway-of-the-test",
    clock: systemClock,
    probes: PROBES,
  });
  later(() => gateway.close());
  gateway.publish(originOf(gateway));
  return gateway;
}

const originOf = ({ port }: Gateway): URL => new URL(`http://127.0.0.1:${port}`);

const prove = (gateway: Gateway): Promise<Proof> =>
  proveAddress({
    origin: originOf(gateway),
    proof: PROOF,
    probes: PROBES,
    resolver: undefined,
    isSkipped: false,
    client: () => Promise.reject(new Error("not asked")),
    openSocket: socketProbe({ proxies: NO_PROXIES, trust: trustOf({}) }),
    clock: systemClock,
    signal: new AbortController().signal,
  });

it("the gateway answers every probe", async () => {
  const servers = new LocalServers();
  later(() => servers.close());
  const port = await servers.http((_, response) => response.writeHead(418, { server: "teapot" }).end());
  const gateway = await gatewayTo({ scheme: "http", address: "127.0.0.1", port, host: `localhost:${port}` });
  expect(await prove(gateway)).toMatchObject({
    kind: "proved",
    service: { status: 418, server: "teapot" },
    streaming: { get: "live", post: "live" },
    websocket: true,
  });
  gateway.endProbes();
  expect(await prove(gateway)).toMatchObject({
    kind: "proved",
    service: { error: "HTTP 404 on the way" },
    streaming: { get: "blocked", post: "blocked" },
    websocket: false,
  });
});

it("a folder is seen through the gateway, and not beside it", async () => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "tunnel-shown-")));
  later(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, "index.html"), "<h1>hello</h1>");
  const served = await serveFolder(folder, {
    folder: (typed) => Promise.resolve(typed),
    secretName: secretNameToShow,
  });
  later(() => served.close());
  const gateway = await gatewayTo(served.upstream);
  const through = await fetch(originOf(gateway));
  expect([through.status, await through.text()]).toEqual([200, "<h1>hello</h1>"]);
  expect(through.headers.get(served.upstream.secretField?.[0] ?? "")).toBeNull();
  expect((await fetch(new URL(`http://127.0.0.1:${served.upstream.port}/`))).status).toBe(404);
});
