import { createHash } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import type { MemberId } from "../../src/protocol/base/ids.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import type { Config } from "../../src/cli/settings.ts";
import type { ContentScan } from "../../src/oversight/filter/filter.ts";
import { LocalFiles } from "../../src/session/files/local-files.ts";
import type { TextScanner } from "../../src/session/saying/judging.ts";
import { Sessions, type SessionsOptions } from "../../src/session/sessions.ts";
import { createLookup } from "../../src/net/resolve.ts";
import { createDirectOpener } from "../../src/tunnel/direct.ts";
import type { Provider, TunnelOpener } from "../../src/tunnel/provider.ts";
import { type ProviderName, PROVIDERS } from "../../src/tunnel/registry/registry.ts";

/** Ids are only ever compared here. */
export function memberIdFromText(text: string): MemberId {
  return text as MemberId;
}

export const CONFIG: Config = {
  transport: "direct",
  bind: "127.0.0.1",
  port: 0,
  publicUrl: undefined,
  name: undefined,
  cloudflaredPath: undefined,
  command: undefined,
  relay: undefined,
  relayToken: undefined,
  relayTokenFile: undefined,
  relayCa: undefined,
  commandUrl: undefined,
  doh: false,
  standby: true,
  keepMinutes: 0,
  idleMinutes: 30,
  inviteMinutes: 10,
  skipReachabilityCheck: true,
  context: false,
  channel: false,
  unattended: false,
  gates: [],
  toolsets: ["pair", "expose"],
  exposeAllow: [],
  shareServices: [],
  mcpServers: undefined,
  sharedMachine: false,
  notify: undefined,
  page: false,
  budgets: "off",
  saveRoots: [],
  shareRoots: [],
  shareAllow: [],
  resultLimit: undefined,
  answerSeconds: 50,
};

/** A filter that finds nothing: for tests about something else. */
export const NOTHING_FOUND: TextScanner = {
  scanTexts: () => Promise.resolve({ kind: "clear", digest: "" }),
  openContent: () => hashedOnly(),
};

/** The hash of a content, of which nothing else is found. */
export function hashedOnly(): ContentScan {
  const hash = createHash("sha256");
  return {
    write: async (bytes) => void hash.update(bytes),
    end: () => Promise.resolve({ kind: "clear", digest: hash.digest("hex") }),
    drop: () => undefined,
  };
}

export function sessionsOn(
  clock: Clock,
  config: Partial<Config> = {},
  openers: Partial<Record<ProviderName, TunnelOpener | Provider>> = {},
  {
    scanner = NOTHING_FOUND,
    cwd = process.cwd(),
    env = {},
    stays,
  }: {
    cwd?: string;
    env?: Record<string, string>;
    scanner?: TextScanner;
    stays?: SessionsOptions["stays"];
  } = {},
): Sessions {
  const direct = createDirectOpener({ bind: "127.0.0.1" });
  const whole = { ...CONFIG, ...config };
  return new Sessions({
    config: whole,
    localFiles: new LocalFiles({ cwd, home: "/nobody", env, config: whole, scanner }),
    stays,
    primitives: nodePrimitives,
    scanner,
    clock,
    lookup: createLookup({ doh: false }),
    providers(name) {
      const given = openers[name] ?? direct;
      return typeof given === "function" ? { ...PROVIDERS[name], open: given } : given;
    },
  });
}

export interface WatchedProvider {
  readonly provider: TunnelOpener;
  readonly ports: number[];
  stops: number;
}

/** The direct provider, and what was asked of it. */
export function watchedProvider(): WatchedProvider {
  const direct = createDirectOpener({ bind: "127.0.0.1" });
  const watched: WatchedProvider = {
    ports: [],
    stops: 0,
    async provider(request) {
      watched.ports.push(request.port);
      const tunnel = await direct(request);
      return {
        ...tunnel,
        async stop() {
          watched.stops += 1;
          await tunnel.stop();
        },
      };
    },
  };
  return watched;
}

export const hostRequest = (goal = "goal", signal = new AbortController().signal) => ({
  goal,
  invites: 1,
  history: false,
  transport: undefined,
  name: "ana",
  signal,
  onProgress: () => undefined,
});

export const joinRequest = (joinLink = "", signal = new AbortController().signal) => ({
  joinLink,
  name: "ben",
  signal,
});

/** A port that was free a moment ago. */
export async function takenPort(): Promise<{ port: number; free: () => void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, free: () => void server.close() };
}
