import type { ServerCommand } from "../../../view/setup/registration.ts";

/** The registered name of the server; tools' names begin with it in some clients. */
export const SERVER = "tunnel";

/** The form in which a client writes down a server. */
export type Format = (JsonFormat | { readonly kind: "toml"; readonly table: string }) & {
  /** The client cannot read a file that begins with a byte order mark. */
  readonly refusesMark?: true;
};

export interface JsonFormat {
  readonly kind: "json";
  /** Paths of the object with its servers: the first that a file has, and otherwise the last one. */
  readonly containers: readonly (readonly string[])[];
  readonly entry: (server: ServerCommand) => Readonly<Record<string, unknown>>;
}
