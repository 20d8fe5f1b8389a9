import { afterAll, expect, it } from "vitest";
import { Agent, closeAgents, closeTunnels, pair, unfenced } from "../support/agent.ts";

/** Four times what was once remembered of it; the benchmark says five thousand. */
const BURST = 1_000;
/** A burst is no talk of agents. */
const UNBOUNDED = { TUNNEL_BUDGETS: "off" };

afterAll(closeAgents);

it.each([["a host"], ["a guest"]])(
  "a burst of %s is answered message by message: `sent` is there, nothing is queued for ever, and the order is kept",
  async (who) => {
    const [host, guest] = [await Agent.start(UNBOUNDED), await Agent.start(UNBOUNDED)];
    await pair(host, guest);
    const [speaker, listener] = who === "a host" ? [host, guest] : [guest, host];
    const texts = Array.from({ length: BURST }, (_, at) => `message ${at}`);
    const results = await Promise.all(texts.map((text) => speaker.call("tunnel_say", { text })));
    const sent = results.filter(({ status }) => status === "sent").map(({ seq = 0 }) => seq);
    // At this moment, and not some time later.
    const { lastSeq = 0 } = await listener.call("tunnel_status");
    expect(lastSeq).toBeGreaterThanOrEqual(Math.max(...sent));
    // In the order in which they were said.
    expect(sent).toEqual([...new Set(sent)].toSorted((a, b) => a - b));
    const others = results.filter(({ status }) => status !== "sent");
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set(others.length > 0 ? ["queued"] : []));
    const heard = await listener.hear(BURST, { limit: 200 });
    expect(heard.map(({ text }) => unfenced(text))).toEqual(texts);
    await closeTunnels(guest, host);
  },
);
