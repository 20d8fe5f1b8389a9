import * as z from "zod";

/** Arguments that several tools share. */

export const tunnelId = z
  .string()
  .optional()
  .describe("Which tunnel, where several are open. From tunnel_open or tunnel_join.");

export const memberName = z
  .string()
  .optional()
  .describe(
    "How this side is called in the tunnel, e.g. the developer's first name. Defaults to the user name.",
  );
