import { relayStatus } from "../cli/relay/status.ts";
import { runRelay } from "../relay/program/run.ts";
import { favourSpeed, restoreEngineDefaults } from "../runtime/engine-defaults.ts";
import { describeSafely } from "./lifecycle.ts";
import type { Host } from "./host.ts";

/** The relay is a program that an operator leaves running: a bundle of its own, loaded by its command alone. */
export function relay(args: readonly string[], host: Host): Promise<0 | 1 | 2> {
  restoreEngineDefaults();
  favourSpeed();
  const { env, version, clock, out, err, exitNow, columns } = host;
  const [first, ...rest] = args;
  if (first === "status" && !rest.includes("--help") && !rest.includes("-h"))
    return relayStatus({
      args: rest,
      env,
      now: () => clock.now(),
      out,
      err,
      columns: columns.out() || undefined,
    });
  // One failed background promise must not end the tunnels of others.
  process.on("unhandledRejection", (cause) =>
    err(`tunnel-mcp relay: unhandled rejection: ${describeSafely(cause)}\n`),
  );
  // After an uncaught exception the state of the process is unknown, so it ends.
  process.on("uncaughtException", (cause) => {
    err(`tunnel-mcp relay: uncaught exception: ${describeSafely(cause)}\n`);
    exitNow(1);
  });
  return runRelay({
    args,
    env,
    version,
    clock,
    out,
    unread: () => process.stdout.writableLength,
    err,
    exitNow,
    onSignal(listener) {
      for (const signal of ["SIGTERM", "SIGINT", "SIGBREAK"] as const)
        process.on(signal, () => listener("end"));
      // On Windows it stands for the console being closed.
      process.on("SIGHUP", () => listener(process.platform === "win32" ? "end" : "reload"));
    },
  });
}
