/**
 * Stays that survive a restart, in ms on loopback.
 *
 * What keeping costs: one message after the other, from the call of tunnel_say until its answer `sent`, between two servers that keep
 * their tunnel and between two that do not, in turns. The ratio is of the medians of blocks.
 *
 * What a return takes: the host's server is killed in the middle of the conversation; from the call of tunnel_join with `resume` at a
 * server that has been started again until a message of the guest, said right then, is confirmed. The start of that server is measured beside it.
 *
 * Start: from spawn to the answer to tools/list, of a server that keeps its tunnels in a folder where another one has left a tunnel,
 * and of one that does not, in turns. `--against` names an older build, which takes the place of the latter.
 *
 *   node bench/restarts.mjs [--pairs 30] [--messages 20] [--restarts 15] [--against FOLDER/tunnel-mcp.cjs]
 */
import { tmpdir } from "node:os";
import path from "node:path";
import { isAtMost, LEAST_PAIRS, measurePairs, spread } from "./pairs.mjs";
import { connect, counts, isMain, now, print, sleep, withFolder, withPrograms } from "./support.mjs";

const TARGET_RATIO = 1.1;
const TARGET_RETURN_MS = 1_500;
/** Unchanged, as far as pairs on a machine that does other things can tell. */
const TARGET_START_RATIO = 1.05;
const TEXT = "x".repeat(400);

const envIn = (folder, minutes) => ({
  TUNNEL_KEEP_MINUTES: String(minutes),
  XDG_STATE_HOME: path.join(folder, "state"),
});

async function paired(server, folder, minutes) {
  const options = { cwd: folder, env: envIn(folder, minutes) };
  const [host, guest] = [await connect(server, options), await connect(server, options)];
  const { joinLink } = await host.call("tunnel_open", { goal: "measure" });
  await guest.call("tunnel_join", { joinLink });
  return { host, guest, close: () => Promise.all([guest.close(), host.close()]) };
}

async function exchange({ host, guest }, messages) {
  const began = now();
  for (let at = 0; at < messages; at += 1)
    await (at % 2 === 0 ? host : guest).call("tunnel_say", { text: `${TEXT} ${at}` });
  const took = (now() - began) / messages;
  for (const one of [host, guest]) await one.call("tunnel_listen", { timeoutMs: 0, limit: 100 });
  return took;
}

async function measureKeeping(server, { pairs, messages }) {
  return await withFolder(tmpdir(), async (folder) => {
    const [kept, bare] = [await paired(server, folder, 10), await paired(server, folder, 0)];
    try {
      const { measured, floor, ratio } = await measurePairs({
        measured: () => exchange(kept, messages),
        floor: () => exchange(bare, messages),
        pairs,
        warmUp: 2,
      });
      const met = isAtMost(ratio, TARGET_RATIO);
      return {
        unit: "ms",
        measured,
        baseline: { what: "0 minutes", ...floor },
        ratio,
        target: TARGET_RATIO,
        met,
      };
    } finally {
      await Promise.all([kept.close(), bare.close()]);
    }
  });
}

async function measureReturns(server, restarts) {
  return await withFolder(tmpdir(), async (folder) => {
    const found = { started: [], returned: [] };
    const env = envIn(folder, 10);
    const pair = await paired(server, folder, 10);
    const { guest } = pair;
    let { host } = pair;
    try {
      for (let round = 0; round < restarts; round += 1) {
        await host.call("tunnel_say", { text: `${TEXT} ${round}` });
        process.kill(host.pid, "SIGKILL");
        await host.close().catch(() => undefined);
        // As long as it takes a person to start their client again, the wait of the guest between two dials has grown by then.
        await sleep(5_000);
        const before = now();
        host = await connect(server, { cwd: folder, env });
        const { resumable } = await host.call("tunnel_status", {});
        const began = now();
        found.started.push(began - before);
        await host.call("tunnel_join", { resume: resumable[0].tunnelId });
        // A look costs nothing that is waited for; words that are queued meanwhile would.
        for (;;) {
          const { status } = await guest.call("tunnel_status", {});
          if (status === "open") break;
          await sleep(20);
        }
        const { status } = await guest.call("tunnel_say", { text: `back ${round}` });
        if (status !== "sent") throw new Error(`the first words are ${status}`);
        found.returned.push(now() - began);
      }
    } finally {
      await Promise.all([guest.close(), host.close()]);
    }
    const returned = spread(found.returned);
    const met = returned.median <= TARGET_RETURN_MS;
    return { unit: "ms", started: spread(found.started), returned, target: TARGET_RETURN_MS, met };
  });
}

async function untilTools(program, cwd, env) {
  const began = now();
  const server = await connect(program, { cwd, env });
  await server.tools();
  const took = now() - began;
  await server.close();
  return took;
}

async function measureStart(server, { pairs, against }) {
  return await withFolder(tmpdir(), async (folder) => {
    const left = await connect(server, { cwd: folder, env: envIn(folder, 10) });
    await left.call("tunnel_open", { goal: "measure" });
    await left.close();
    // An older build does not know the setting, and would warn of it.
    const other = against === "" ? envIn(folder, 0) : { TUNNEL_KEEP_MINUTES: undefined };
    const { measured, floor, ratio } = await measurePairs({
      measured: () => untilTools(server, folder, envIn(folder, 10)),
      floor: () => untilTools(against || server, folder, other),
      pairs,
      warmUp: 3,
    });
    const what = against || "0 minutes";
    const met = isAtMost(ratio, TARGET_START_RATIO);
    return { unit: "ms", measured, baseline: { what, ...floor }, ratio, target: TARGET_START_RATIO, met };
  });
}

export async function measureRestarts({ server }, { pairs, messages, restarts, against }) {
  const keeping = await measureKeeping(server, { pairs, messages });
  const starting = await measureStart(server, { pairs, against });
  return { keeping, starting, returning: await measureReturns(server, restarts) };
}

if (isMain(import.meta.url)) {
  const options = counts({ pairs: LEAST_PAIRS, messages: 20, restarts: 15 }, { against: "" });
  print(await withPrograms((programs) => measureRestarts(programs, options)));
}
