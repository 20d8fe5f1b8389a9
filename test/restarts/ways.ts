import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { portOf } from "../support/agent.ts";
import { atEnd } from "../support/at-end.ts";
import { worker } from "../support/files/file-agents.ts";
import { Proxy } from "../support/proxy.ts";
import { RelayProcess } from "../support/relay-process.ts";
import { standIn } from "../support/tunnels/stand-in.ts";
import { Side } from "./side.ts";

/** The transports whose address can come back. */
export const WAYS = ["direct", "relay", "cloudflared"] as const;
export type Way = (typeof WAYS)[number];

/** Two that talk, on a path that the test has in its hands. */
export interface Scene {
  readonly host: Side;
  readonly guest: Side;
  readonly wire: Proxy;
  /** Everything that their servers may write to. */
  readonly places: readonly string[];
  /** How often the tunnel program was started; 0 where there is none. */
  readonly starts: () => number;
}

interface Carrier {
  readonly env: Record<string, string>;
  /** The port on this machine to which a link leads. */
  readonly port: (joinLink: string) => number;
  readonly starts: () => number;
}

const startSchema = z.object({ proxyPort: z.number() });

function throughCloudflared(place: string): Carrier {
  const state = join(place, "starts");
  const starts = (): z.infer<typeof startSchema>[] =>
    readFileSync(state, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => startSchema.parse(JSON.parse(line)));
  return {
    env: {
      TUNNEL_TRANSPORT: "cloudflared",
      TUNNEL_CLOUDFLARED: standIn(place, { FAKE_CF_STATE: state }),
      TUNNEL_SKIP_REACHABILITY_CHECK: "1",
      TUNNEL_STANDBY: "off",
    },
    port: () => starts()[0]?.proxyPort ?? 0,
    starts: () => starts().length,
  };
}

async function carrier(way: Way, place: string): Promise<Carrier> {
  if (way === "cloudflared") return throughCloudflared(place);
  if (way === "direct")
    return { env: { TUNNEL_TRANSPORT: "direct" }, port: (joinLink) => portOf(joinLink), starts: () => 0 };
  const relay = await RelayProcess.start(["--drain-seconds", "1"]);
  atEnd(() => relay.end());
  const env = { TUNNEL_TRANSPORT: "relay", TUNNEL_RELAY: relay.url };
  return { env, port: () => relay.port, starts: () => 0 };
}

/** @param keepMinutes for which their stays are kept */
export async function meet(way: Way, keepMinutes = 10): Promise<Scene> {
  const place = mkdtempSync(join(tmpdir(), "tunnel-restarts-"));
  atEnd(() => rmSync(place, { recursive: true, force: true, maxRetries: 5 }));
  const { env, port, starts } = await carrier(way, place);
  const wire = await Proxy.start();
  atEnd(() => wire.close());
  const start = async (name: string, more: Record<string, string>): Promise<Side> => {
    const agent = await worker(name, {
      TUNNEL_KEEP_MINUTES: String(keepMinutes),
      // Nobody is there to ask about contents that cannot be searched, or to let the agents go on.
      TUNNEL_UNATTENDED: "1",
      TUNNEL_BUDGETS: "off",
      XDG_STATE_HOME: join(place, name),
      ...more,
    });
    const side = new Side(name, agent);
    atEnd(() => side.agent.close());
    return side;
  };
  const [host, guest] = [await start("ana", env), await start("ben", {})];
  const { joinLink = "" } = await host.agent.call("tunnel_open", { goal: "go on, whatever happens" });
  wire.target = port(joinLink);
  await guest.agent.call("tunnel_join", {
    joinLink: joinLink.replace(/^(\S*?)wss?:\/\/[^/]+/, `$1${wire.origin}`),
  });
  if (wire.newest === undefined) throw new Error("the guest did not come over the proxy");
  const places = [place, host.agent.box.root, guest.agent.box.root];
  return { host, guest, wire, places, starts };
}
