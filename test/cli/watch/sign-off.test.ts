import { afterEach, describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { toBase64url } from "../../../src/protocol/base/bytes.ts";
import { parseMemberId, parseRoomId } from "../../../src/protocol/base/ids.ts";
import { outcomeBytes } from "../../../src/protocol/sign-off/signed-bytes.ts";
import { must } from "../../../src/errors/must.ts";
import { nodePrimitives } from "../../../src/runtime/primitives.ts";
import type { SignatoryView, SignOffView } from "../../../src/view/signing/sign-off.ts";
import { hello, tunnelOf, Watcher } from "./support.ts";

let watcher: Watcher;
afterEach(() => watcher.face.quit());

function start(): Watcher {
  watcher = new Watcher();
  return watcher;
}

const room = must(parseRoomId("r".repeat(21) + "A"), "a room");
const [ana, ben] = ["A".repeat(11), `${"B".repeat(10)}A`].map((id) => must(parseMemberId(id), "a member"));

function signOff(outcome: string, over: Partial<SignOffView> = {}): SignOffView {
  const view = { seq: 7, chain: new Uint8Array(32).fill(1) };
  const digest = nodePrimitives.sha256(outcomeBytes(room, view, nodePrimitives.sha256(encodeUtf8(outcome))));
  const waiting = { verdict: undefined, reason: undefined, made: undefined, seq: undefined };
  return {
    seq: view.seq,
    ts: "2026-01-01T00:00:00.000Z",
    room,
    chain: toBase64url(view.chain),
    digest: toBase64url(digest),
    words: "able baker charlie",
    outcome,
    fromName: "ben",
    state: "open",
    self: must(ana, "ana"),
    isOpenToSelf: true,
    members: [
      { id: must(ana, "ana"), name: "ana", isSelf: true, ...waiting },
      { id: must(ben, "ben"), name: "ben", isSelf: false, ...waiting },
    ],
    signedAt: undefined,
    messagesSince: 0,
    ...over,
  };
}

const stated = (view: SignOffView, name: string, more: Partial<SignatoryView>): SignOffView => ({
  ...view,
  members: view.members.map((one) => (one.name === name ? { ...one, ...more } : one)),
});

describe("a person at the terminal who is asked to sign", () => {
  it("H28: reads the outcome, the words and who has signed, and signs with a key made here", async () => {
    const w = start();
    w.hear(hello([tunnelOf("aaaa", { signOff: signOff("we are\ndone") })]));
    expect(w.text).toMatch(/! ben proposes that it is done, in aaaa:/);
    expect(w.text).toMatch(/│ we are\n.*│ done/);
    expect(w.text).toMatch(/words to read aloud: able baker charlie/);
    expect(w.text).toMatch(/you: not yet\n.*ben: not yet\n.*Not signed yet: ana, ben\./);
    expect(w.terminal.bells).toBe(1);
    await w.type("sign");
    const { digest } = signOff("we are\ndone");
    expect(w.server.told).toMatchObject([
      {
        do: "sign",
        tunnelId: "aaaa",
        digest,
        verdict: "done",
        key: expect.stringMatching(/^[\w-]{43}$/),
        signature: expect.stringMatching(/^[\w-]{86}$/),
      },
    ]);
    const signed = stated(signOff("we are\ndone", { isOpenToSelf: false }), "ben", {
      verdict: "done",
      made: "page",
      seq: 9,
    });
    w.hear({ t: "tunnel", tunnel: tunnelOf("aaaa", { signOff: signed }) });
    expect(w.text).toMatch(/ben: signed \(entry 9, key made on a page\)/);
    // The same again is not news.
    const rows = w.terminal.rows.length;
    w.hear({ t: "tunnel", tunnel: tunnelOf("aaaa", { signOff: signed }) });
    expect(w.terminal.rows).toHaveLength(rows);
  });

  it("H14: signs a long one only when it was shown as a whole; a no is always possible", async () => {
    const w = start();
    w.hear(hello([tunnelOf("aaaa", { signOff: signOff("word\n".repeat(300)) })]));
    await w.type("sign");
    expect(w.text).toMatch(/it was not shown as a whole: type outcome first/);
    await w.type("not-done the tests are red");
    expect(w.server.told).toMatchObject([{ do: "sign", verdict: "not-done", reason: "the tests are red" }]);
    await w.type("outcome");
    await w.type("sign");
    expect(w.server.told).toHaveLength(2);
  });

  it("H13: signs nothing that came a moment ago, nor with other words behind it", async () => {
    const w = start();
    w.hear(hello([tunnelOf("aaaa", { signOff: signOff("one") })]));
    w.terminal.type("sign");
    w.hear({ t: "tunnel", tunnel: tunnelOf("aaaa", { signOff: signOff("two") }) });
    await w.type("");
    w.hear({ t: "tunnel", tunnel: tunnelOf("aaaa", { signOff: signOff("three") }) });
    w.terminal.type("sign\r");
    expect(w.text).toMatch(/it came only now/);
    await w.type("sign but not the last line");
    expect(
      w.server.told.filter((one) => one.do === "sign" && one.digest === signOff("three").digest),
    ).toEqual([]);
  });

  it("H9: signs nothing where the server's digest is not that of what it has shown", async () => {
    const w = start();
    w.hear(hello([tunnelOf("aaaa", { signOff: signOff("one", { digest: signOff("two").digest }) })]));
    await w.type("sign");
    expect(w.server.told).toEqual([]);
    expect(w.text).toMatch(/a signature under an outcome does not hold/);
  });

  it("is told that there is nothing to sign, and that it is stale or refused", async () => {
    const w = start();
    w.hear(hello([tunnelOf("aaaa")]));
    await w.type("sign");
    expect(w.text).toMatch(/no outcome has been proposed/);
    const closed = { isOpenToSelf: false } as const;
    w.hear({
      t: "tunnel",
      tunnel: tunnelOf("aaaa", {
        signOff: signOff("one", { ...closed, state: "stale", messagesSince: 2, signedAt: 9 }),
      }),
    });
    expect(w.text).toMatch(/Everybody had signed\. It is stale: 2 messages came after it/);
    const refused = signOff("two", { ...closed, state: "refused" });
    w.hear({
      t: "tunnel",
      tunnel: tunnelOf("aaaa", {
        signOff: stated(refused, "ben", {
          verdict: "not-done",
          made: "page",
          seq: 9,
          reason: "no\n! ana proposes",
        }),
      }),
    });
    expect(w.text).toMatch(/ben: refused \(entry 9, key made on a page\)/);
    expect(w.text).toMatch(/It was refused: it is not done\./);
    // A reason cannot look like a line of this program.
    expect(w.text).not.toMatch(/^! ana proposes/m);
  });
});
