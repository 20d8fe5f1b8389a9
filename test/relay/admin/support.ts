import { createServer, request, type RequestListener } from "node:http";
import * as z from "zod/mini";
import { StaticAuthority } from "../../../src/relay/auth/static.ts";
import { newToken } from "../../../src/relay/auth/tokens.ts";
import { Tags } from "../../../src/relay/log/tags.ts";
import {
  startAdmin,
  type RunningAdmin,
  type StartAdminOptions,
} from "../../../src/relay/admin/start-admin.ts";
import type { Relay, RelayOptions } from "../../../src/relay/node/relay.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { aRelay, atEnd, folder } from "../support.ts";

export const OPERATOR = "operators-own-token-0001";

/** A relay with two tokens, and its admin listener. */
export interface Managed {
  readonly relay: Relay;
  readonly admin: RunningAdmin;
  readonly authority: StaticAuthority;
  readonly one: { readonly token: string; readonly id: string };
  readonly other: { readonly token: string; readonly id: string };
  readonly ask: (path: string, options?: AskOptions) => Promise<Answered>;
}

export interface AskOptions {
  readonly method?: string;
  /** The operator's where it is left out; none where it is empty. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body, in the shape that is expected. */
  readonly as: <Value>(shape: z.ZodMiniType<Value>) => Value;
}

const failureShape = z.object({
  error: z.object({ code: z.string(), message: z.string().check(z.minLength(1)) }),
});
/** The code of a failure, whose form is checked. */
export const codeOf = (answer: Answered): string => answer.as(failureShape).error.code;

export async function managed(
  options: Partial<RelayOptions> = {},
  admin: Partial<StartAdminOptions> = {},
): Promise<Managed> {
  const made = ["one", "other"].map((label) =>
    newToken({ label, kinds: ["room", "http", "tcp"] }, Date.now()),
  );
  const [one, other] = made;
  if (one === undefined || other === undefined) throw new Error("no tokens");
  const authority = new StaticAuthority([one.entry, other.entry], systemClock);
  const relay = await aRelay({ authority, domain: "tunnel.test", state: folder(), ...options });
  const running = await adminFor(relay, { authority, ...admin });
  const ask = (path: string, about: AskOptions = {}): Promise<Answered> => asking(running.port, path, about);
  const told = ({ token, entry }: typeof one) => ({ token, id: entry.id });
  return { relay, admin: running, authority, one: told(one), other: told(other), ask };
}

export async function adminFor(
  relay: Relay,
  options: Partial<StartAdminOptions> & Pick<StartAdminOptions, "authority">,
): Promise<RunningAdmin> {
  const running = await startAdmin({
    relay,
    version: "1.2.3",
    host: "127.0.0.1",
    port: 0,
    chosenToken: () => OPERATOR,
    places: { state: undefined, folders: [folder()], platform: process.platform },
    address: {
      chosen: new URL("https://relay.example.com"),
      listening: new URL("http://127.0.0.1:1"),
      tcpHost: undefined,
    },
    tags: new Tags(Buffer.alloc(32, 7)),
    hasNames: false,
    ...options,
  });
  atEnd(() => running.close());
  return running;
}

export function asking(
  port: number,
  path: string,
  { method = "GET", token = OPERATOR, headers = {}, body }: AskOptions = {},
): Promise<Answered> {
  const authorization = token === "" ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port, path, method, agent: false, headers: { ...authorization, ...headers } },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.once("error", reject);
        response.once("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            as: (shape) => shape.parse(JSON.parse(text)),
          }),
        );
      },
    );
    asked.once("error", reject);
    asked.end(body);
  });
}

/** A local service. */
export async function service(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

/** A visit to a service; its status. */
export async function visit(relay: Relay, name: string, path = "/", method = "GET"): Promise<number> {
  const { status } = await asking(relay.port, path, {
    method,
    token: "",
    headers: { Host: `${name}.tunnel.test` },
  });
  return status;
}

export const http = (subdomain: string) => ({ kind: "http", label: subdomain, subdomain }) as const;
