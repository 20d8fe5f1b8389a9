import type { ExposedElsewhere } from "../../control/exposed.ts";
import type { Overseer } from "../../oversight/overseer.ts";
import type { Primitives } from "../../protocol/base/primitives.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Provider } from "../../tunnel/provider.ts";
import type { ProviderName } from "../../tunnel/registry/registry.ts";
import type { Authorization } from "../authorization.ts";
import type { StdioMeans } from "../../bridge/stdio/stdio-servers.ts";
import type { MemoryBudget } from "../inspector/budget.ts";
import type { SignInDesk } from "../oauth/desk.ts";
import type { Redactor } from "../inspector/secrets.ts";
import type { ProveOptions } from "../proving/prove.ts";
import type { FindOptions } from "./found.ts";

/** What every exposure of a server works with. */
export interface ExposeContext {
  readonly clock: Clock;
  readonly primitives: Primitives;
  readonly overseer: Pick<Overseer, "asks" | "closed">;
  readonly providers: (name: ProviderName) => Provider;
  readonly config: {
    readonly transport: ProviderName;
    /** IP address to listen on where the address is this machine's own. */
    readonly bind: string;
    readonly port: number;
    readonly publicUrl?: string | undefined;
  };
  /** The working directory of this server. */
  readonly cwd: string;
  readonly find: FindOptions;
  /** How stdio MCP servers are found and started. */
  readonly stdio: StdioMeans;
  /** Makes the authorization of one exposure of an MCP server that has a token; left out: the token is the only way in. */
  readonly authorize?: (about: { readonly exposureId: string; readonly name: string }) => Authorization;
  /** Where clients of MCP servers sign in; left out: a token is the only way in. */
  readonly signIns?: SignInDesk;
  /** The means of a visit from outside. */
  readonly prover: Pick<ProveOptions, "resolver" | "isSkipped" | "client" | "openSocket">;
  /** Those of this user's other servers. */
  readonly others: () => Promise<readonly ExposedElsewhere[]>;
  /** The bytes of bodies that all inspectors together may keep. */
  readonly bodies: MemoryBudget;
  /** The same secret has the same mark everywhere. */
  readonly redactor: Redactor;
}
