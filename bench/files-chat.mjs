/**
 * How long a message takes while files are on their way: from the call of `tunnel_say` at one end to its return from
 * `tunnel_listen` at the other, in ms, both ends driven by MCP clients of this process. Said at a steady pace, whatever became of
 * those before. `withFile` goes the way of the bytes and may wait behind them; `against` goes the other way.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import { DIRECTIONS, receive, share, withRoom } from "./files-room.mjs";
import { sleep, summary } from "./support.mjs";

const TARGET_MS = 100;
const EVERY_MS = 50;
const IDLE_MESSAGES = 60;
const LISTEN_MS = 10_000;
const LAST = "That was the last one.";
export const AT_ONCE = [1, 3];

/** Says one message after the other until it is told to stop; resolves with how long each was on its way. */
function chat(speaker, listener) {
  const saidAt = [];
  const delays = [];
  const calls = [];
  const over = new AbortController();
  async function speak() {
    while (!over.signal.aborted) {
      saidAt.push(performance.now());
      calls.push(speaker.call("tunnel_say", { text: `@${saidAt.length - 1} ` }));
      await sleep(EVERY_MS);
    }
    await Promise.all(calls);
    await speaker.call("tunnel_say", { text: LAST });
  }
  async function hear() {
    for (;;) {
      const { messages } = await listener.call("tunnel_listen", { timeoutMs: LISTEN_MS });
      const at = performance.now();
      for (const { text } of messages) {
        if (text.includes(LAST)) return;
        const number = /@(\d+) /.exec(text)?.[1];
        if (number !== undefined) delays.push(at - saidAt[Number(number)]);
      }
    }
  }
  const done = Promise.all([speak(), hear()]);
  // Looked at when it is told to stop.
  done.catch(() => undefined);
  return async () => {
    over.abort();
    await done;
    if (delays.length !== saidAt.length) throw new Error("not all that was said was heard");
    return delays;
  };
}

/** Both ways at once, while `work` runs. */
async function chatDuring({ sender, receiver }, work) {
  const ends = [chat(sender, receiver), chat(receiver, sender)];
  await work();
  const [withFile, against] = await Promise.all(ends.map((end) => end()));
  return { withFile, against };
}

export async function measureChat(programs, folders) {
  const found = {};
  for (const [name, { title, room, roles }] of Object.entries(DIRECTIONS)) {
    found[name] = await withRoom(programs, room(folders), async (host, guest) => {
      const ends = roles(host, guest);
      const offered = await share(ends.sender, ends.receiver, { path: folders.source });
      // Who joined is news to the host, and the first messages are slow.
      await chatDuring(ends, () => sleep(IDLE_MESSAGES * EVERY_MS));
      const idle = await chatDuring(ends, () => sleep(IDLE_MESSAGES * EVERY_MS));
      const during = {};
      for (const count of AT_ONCE) {
        const targets = Array.from({ length: count }, (_, at) => path.join(folders.receiver, `${at}.bin`));
        const delays = await chatDuring(ends, () =>
          Promise.all(targets.map((target) => receive(ends.receiver, offered, target))),
        );
        for (const target of targets) await rm(target);
        during[count] = delays;
      }
      return { title, idle: ways(idle), during: judged(during) };
    });
  }
  return { unit: "ms", everyMs: EVERY_MS, target: TARGET_MS, ...found };
}

const ways = ({ withFile, against }) => ({ withFile: summary(withFile), against: summary(against) });

function judged(during) {
  return Object.fromEntries(
    Object.entries(during).map(([count, delays]) => {
      const found = ways(delays);
      return [count, { ...found, met: Math.max(found.withFile.p95, found.against.p95) <= TARGET_MS }];
    }),
  );
}
