import { addressKind } from "../../net/address.ts";
import type { Authority } from "../auth/authority.ts";
import { StaticAuthority } from "../auth/static.ts";
import type { RelayEvent } from "../events.ts";
import type { Host } from "../hosts/host.ts";
import type { Tags } from "../log/tags.ts";
import type { Relay } from "../node/relay.ts";
import { makeToken, type TokenPlaces } from "./admin-token.ts";
import { Admin } from "./admin.ts";
import { addressOf, type PublicAddress } from "./addresses.ts";
import { Api } from "./api.ts";
import { Callers } from "./callers.ts";
import { HistoryFile } from "../records/history-file.ts";
import { History } from "../records/history.ts";
import { Metrics } from "./metrics.ts";
import { Records } from "../records/visits.ts";
import type { Status } from "./schemas.ts";

export interface StartAdminOptions {
  readonly relay: Relay;
  readonly version: string;
  readonly host: string;
  readonly port: number;
  /** The operator's own choice at this moment: it can change with the files. */
  readonly chosenToken: () => string | undefined;
  readonly places: TokenPlaces;
  readonly authority: Authority;
  readonly address: PublicAddress;
  readonly tags: Tags;
  /** Whether addresses of visitors are kept in whole. */
  readonly hasNames: boolean;
}

export interface RunningAdmin {
  readonly port: number;
  /** Where the token lies that was made for want of a chosen one. */
  readonly tokenFile: string | undefined;
  close(): Promise<void>;
}

/** @throws {TunnelError} port-in-use, bind-failed, relay-state */
export async function startAdmin(options: StartAdminOptions): Promise<RunningAdmin> {
  const { relay, version, host, port, chosenToken, places, authority, address, tags, hasNames } = options;
  const { events, hosts } = relay;
  const { clock } = relay.context;
  const now = (): number => clock.now();
  const onTrouble = (what: string): void => events.emit({ type: "trouble", what });
  const shown = (source: string, at: number): string => (hasNames ? source : tags.source(source, at));
  const addressOfHost = ({ facts }: Host): string => addressOf(facts, address);
  const file =
    places.state === undefined
      ? undefined
      : new HistoryFile(places.state, () =>
          onTrouble("the history cannot be written to the folder of state"),
        );
  const kept = (await file?.load()) ?? [];
  const history = new History({ now, hosts, addressOf: addressOfHost, shown, file, kept });
  const records = new Records(now, shown);
  const metrics = new Metrics(relay, version);
  const fileOfTokens = authority instanceof StaticAuthority ? authority : undefined;
  const api = new Api({
    relay,
    version,
    startedAt: now(),
    auth: authKind(authority),
    tags,
    addressOf: addressOfHost,
    records,
    history,
    metrics,
    tokens: () => fileOfTokens?.tokens ?? [],
  });
  const isLoopback = addressKind(host) === "loopback";
  const isChosen = chosenToken() !== undefined;
  let made: string | undefined;
  const callers = new Callers({
    adminToken: () => chosenToken() ?? made,
    isChosen: () => chosenToken() !== undefined,
    isLoopback,
    tokenIdOf: async (token) => {
      // A service that is asked about tokens is not asked because somebody knocks here.
      const verdict = await fileOfTokens?.check(token);
      return verdict?.kind === "granted" ? verdict.grant.tokenId : undefined;
    },
  });
  const admin = new Admin({ host, port, isLoopback, api, callers, onTrouble });
  await admin.listen();
  const take = (event: RelayEvent): void => {
    history.take(event);
    records.take(event);
    metrics.take(event);
  };
  // Those who were faster than this listener.
  for (const { facts, grant } of hosts.all) take({ type: "registered", ...facts, tokenId: grant.tokenId });
  const stop = events.subscribe(take);
  const end = async (): Promise<void> => {
    stop();
    await admin.close();
    await file?.close();
  };
  try {
    const token = isLoopback && !isChosen ? await makeToken(admin.port, places) : undefined;
    made = token?.token;
    return {
      port: admin.port,
      tokenFile: token?.file,
      async close() {
        await end();
        await token?.remove();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

function authKind(authority: Authority): Status["auth"] {
  if (authority.isOpen) return "open";
  return authority instanceof StaticAuthority ? "tokens" : "provider";
}
