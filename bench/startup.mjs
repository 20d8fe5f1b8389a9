/**
 * Cold start: from spawn to the last byte of the answer to `initialize`, in ms. The baseline is `node -e 0` from spawn to
 * exit, which is what no program written for Node can go below. The bare SDK server shows how much of the rest is the
 * SDK's. One run of each in turn, so that a busy moment of the machine hits all three.
 *
 *   node bench/startup.mjs [--samples 31]
 */
import { counts, isMain, print, rounded, start, stop, summary, withPrograms } from "./support.mjs";

const TARGET_RATIO = 2.2;
const WARM_UP = 3;

const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "tunnel-mcp-bench", version: "0" },
  },
};

export async function measureStartup({ server, echo }, { samples }) {
  const runs = { node: untilExit, tunnel: () => untilAnswer(server), sdk: () => untilAnswer(echo) };
  const times = { node: [], tunnel: [], sdk: [] };
  for (let round = -WARM_UP; round < samples; round += 1) {
    for (const [name, run] of Object.entries(runs)) {
      const ms = await run();
      if (round >= 0) times[name].push(ms);
    }
  }
  const baseline = summary(times.node);
  const measured = summary(times.tunnel);
  const ratio = rounded(measured.median / baseline.median);
  return {
    unit: "ms",
    measured,
    baseline: { what: "node -e 0", ...baseline },
    bareSdk: summary(times.sdk),
    ratio,
    target: TARGET_RATIO,
    met: ratio <= TARGET_RATIO,
  };
}

async function untilExit() {
  const began = performance.now();
  const child = start(["-e", "0"]);
  await new Promise((resolve) => child.once("exit", resolve));
  return performance.now() - began;
}

async function untilAnswer(program) {
  const began = performance.now();
  const child = start([program]);
  child.stdin.write(`${JSON.stringify(INITIALIZE)}\n`);
  try {
    const text = await firstLine(child);
    const took = performance.now() - began;
    if (JSON.parse(text).result?.serverInfo === undefined) throw new Error(`no answer but ${text}`);
    return took;
  } finally {
    await stop(child);
  }
}

function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (text.includes("\n")) resolve(text);
    });
  });
}

if (isMain(import.meta.url)) {
  const options = counts({ samples: 31 });
  print(await withPrograms((programs) => measureStartup(programs, options)));
}
