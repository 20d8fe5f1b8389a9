import { once } from "node:events";
import { createServer, request as open, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { PublicGet } from "../../../src/net/public-get.ts";
import type { SignInNotice } from "../../../src/expose/oauth/notices.ts";
import { AuthorizationServer } from "../../../src/expose/oauth/server.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import { later, realServer, serve, stdioBackend } from "../../bridge/support.ts";
import { consentAt } from "./app.ts";
import { jsonDocument } from "./stand.ts";

export interface Guarded {
  readonly url: URL;
  readonly server: AuthorizationServer;
  readonly notices: SignInNotice[];
  /** Paths that were asked for, with their methods. */
  readonly asked: string[];
  /** What the owner does: opens the page, types the code, and is led on to the client. */
  readonly consent: (page: URL) => Promise<URL>;
}

/** A small MCP server behind the bridge, with the authorization server in front of it, on a real port. */
export async function guarded(documents: Readonly<Record<string, object>> | "none" = {}): Promise<Guarded> {
  const bridge = await serve(stdioBackend(realServer("both").start));
  const notices: SignInNotice[] = [];
  const asked: string[] = [];
  const get: PublicGet = async ({ href }) => {
    const found = documents === "none" ? undefined : documents[href];
    if (found === undefined) throw new Error("there is none");
    return jsonDocument(found);
  };
  const authorization = new AuthorizationServer({
    name: "store",
    clock: systemClock,
    primitives: nodePrimitives,
    documents: documents === "none" ? undefined : get,
    announce: (notice) => void notices.push(notice),
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url: target = "", rawHeaders: fields } = request;
    asked.push(`${method} ${target.split("?")[0] ?? ""}`);
    if (target !== "/mcp") {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      const said = await authorization.handle({ method, target, fields, body, source: "127.0.0.1" });
      return void response.writeHead(said?.status ?? 404, [...(said?.fields ?? [])]).end(said?.body);
    }
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    if (!authorization.check(token)) {
      const challenge = `Bearer resource_metadata="${authorization.resourceMetadata.href}"`;
      return void response.writeHead(401, { "WWW-Authenticate": challenge }).end();
    }
    const { authorization: _, ...headers } = request.headers;
    const onward = open(bridge.url, { method, headers: { ...headers, host: bridge.url.host } });
    onward.on("error", () => response.destroy());
    onward.on("response", (said) => void said.pipe(response.writeHead(said.statusCode ?? 500, said.headers)));
    request.pipe(onward);
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  later(() => {
    server.closeAllConnections();
    return new Promise((resolve) => void server.close(resolve));
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  authorization.publish(new URL(url.origin));
  return {
    url,
    server: authorization,
    notices,
    asked,
    consent: (page) =>
      consentAt(page, () => {
        const told = notices.findLast((notice) => notice.what === "code");
        return told?.what === "code" ? told.code : "";
      }),
  };
}
