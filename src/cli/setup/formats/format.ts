import type { ServerCommand } from "../../../view/registration.ts";

/** The name under which the server is registered; the tools' names begin with it in some clients. */
export const SERVER = "tunnel";

/** How a client writes down a server. */
export type Format =
  | {
      readonly kind: "json";
      /** Where its servers are: the first of these objects that a file has, and otherwise the last one. */
      readonly containers: readonly (readonly string[])[];
      readonly entry: (server: ServerCommand) => Readonly<Record<string, unknown>>;
    }
  | { readonly kind: "toml"; readonly table: string };
