import { declareProvider } from "../provider.ts";
import type { ExecSettings } from "./settings.ts";

/** Any command that opens a tunnel to a local port and prints its public URL. */
export const exec = declareProvider<ExecSettings>({
  title: "a tunnel command of your own",
  advice: "what TUNNEL_COMMAND opens",
  dialsLoopbackOnly: true,
  // A header that one edge sets can be forged through another, and the command may be any.
  sourceHeader: undefined,
  canHaveSpare: true,
  keepsAddress: false,
  staleCode: "exec-silent",
  async load(settings) {
    const { createExecOpener } = await import("./exec.ts");
    return createExecOpener(settings);
  },
});
