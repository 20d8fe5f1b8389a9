import * as z from "zod";
import { id } from "../../arguments/strings.ts";

export const tunnelId = id()
  .optional()
  .describe("The tunnel, where several are open. From tunnel_open or tunnel_join.");

export const memberName = z
  .string()
  .optional()
  .describe("Your name in the tunnel, e.g. the developer's first name. Defaults to the user name.");
