/**
 * Cold start: from spawn to the last byte of the answer to `initialize`, in ms. The floor is `node -e 0` from spawn to exit,
 * which is what no program written for Node can go below. The bare SDK server beside them shows how much of the rest is the SDK's.
 *
 * `--against` names another build of the program, which then takes the place of the floor.
 *
 *   node bench/startup.mjs [--pairs 30] [--against FOLDER/tunnel-mcp.cjs]
 */
import { isAtMost, LEAST_PAIRS, measurePairs } from "./pairs.mjs";
import { counts, isMain, print, SERVER_ENV, start, stop, withPrograms } from "./support.mjs";

const TARGET_RATIO = 2.2;
const WARM_UP = 3;
/** An older build would warn of a setting that it does not know. */
const ENV = Object.fromEntries(Object.entries(SERVER_ENV).filter(([name]) => name !== "TUNNEL_BUDGETS"));

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

export async function measureStartup({ server, echo }, { pairs, against = "" }) {
  const { measured, floor, beside, ratio } = await measurePairs({
    measured: () => untilAnswer(server),
    floor: against === "" ? untilExit : () => untilAnswer(against),
    beside: { sdk: () => untilAnswer(echo) },
    pairs,
    warmUp: WARM_UP,
  });
  return {
    unit: "ms",
    measured,
    baseline: { what: against || "node -e 0", ...floor },
    bareSdk: beside.sdk,
    ratio,
    target: TARGET_RATIO,
    met: isAtMost(ratio, TARGET_RATIO),
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
  const child = start([program], ENV);
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
  const options = counts({ pairs: LEAST_PAIRS }, { against: "" });
  print(await withPrograms((programs) => measureStartup(programs, options)));
}
