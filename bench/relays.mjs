/** Relays of our own in processes of their own, with limits that no measurement meets. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Kills a child, and waits for its end. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** @param cluster the addresses of the engine's servers; undefined: a relay by itself */
export async function startRelay(server, cluster) {
  const limits = { "max-connections-per-source": 100_000, "max-tunnels": 100_000, "max-in-flight": 20_000 };
  const numbers = { ...limits, "max-response-bytes": 0, "registrations-per-minute": 1_000_000 };
  const child = spawn(
    process.execPath,
    [
      server,
      "relay",
      "--listen",
      "127.0.0.1:0",
      "--admin-listen",
      "127.0.0.1:0",
      "--allow-open-http",
      ...Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ...(cluster === undefined ? [] : ["--cluster", cluster, "--node-address", "127.0.0.1:0"]),
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, RELAY_MAX_TUNNELS_PER_SOURCE: "100000" },
    },
  );
  const [line] = await once(child.stdout, "data");
  child.stdout.resume();
  const { url } = JSON.parse(line.toString().split("\n")[0]);
  return { child, url, port: Number(new URL(url).port) };
}
