import { describe, expect, it } from "vitest";
import { concat, toBase64url } from "../../../src/protocol/base/bytes.ts";
import { ROOM } from "../../../src/protocol/base/limits.ts";
import {
  parseTranscript,
  toJson,
  transcriptHash,
  type TranscriptDocument,
  type TranscriptEntry,
} from "../../../src/session/transcript/document.ts";
import { exportTranscript, type TranscriptLimit } from "../../../src/session/transcript/export.ts";
import { verifyTranscript, type Verdict } from "../../../src/session/transcript/verify.ts";
import type { Primitives } from "../../../src/protocol/base/primitives.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import type { MemberRecord } from "../../../src/protocol/room/frames.ts";
import { memberIdOf } from "../../../src/protocol/room/order.ts";
import { cheapPrimitives } from "../../simulation/primitives.ts";
import { must } from "../../../src/errors/must.ts";
import { HostileHost, signedAs } from "../../hostile-peers/support/host.ts";
import { codeOf } from "../../support/thrown.ts";
import {
  conversation,
  LINK,
  mutations,
  reread,
  resigned,
  transcriptOf,
  type Json,
} from "../../support/transcripts.ts";
import { nodePrimitives, World } from "../../support/wire.ts";

/**
 * The same key, message and signature have the same answer, so each is computed once: the thousand documents that differ
 * in one thing have nearly all of their signatures in common.
 */
function rememberingSignatures(): Primitives {
  const known = new Map<string, boolean>();
  return {
    ...nodePrimitives,
    verifySignature: (key, message, signature) => {
      const id = [key, message, signature].map((part) => Buffer.from(part).toString("latin1")).join("|");
      const isRight = known.get(id) ?? nodePrimitives.verifySignature(key, message, signature);
      known.set(id, isRight);
      return isRight;
    },
  };
}

const primitives = rememberingSignatures();
const verify = (document: TranscriptDocument): Verdict => verifyTranscript(primitives, document);
const chains = ({ entries }: TranscriptDocument): Map<number, string> =>
  new Map(entries.map(({ seq, chain }) => [seq, toBase64url(chain)]));
const statuses = (verdict: Verdict): string[] => verdict.entries.map(({ status }) => status);
const plain = (document: TranscriptDocument): Json => JSON.parse(toJson(document)) as Json;

/** Whether a document with this content is taken for the real one. */
function isAccepted(json: Json, repair = (document: TranscriptDocument) => document): boolean {
  let document: TranscriptDocument;
  try {
    document = repair(parseTranscript(JSON.stringify(json)));
  } catch (error) {
    expect(
      codeOf(() => {
        throw error;
      }),
    ).toBe("transcript-invalid");
    return false;
  }
  return verify(document).ok;
}

describe("a transcript", () => {
  it("[J1] [J3] of the host and of a guest of the same room verify, and agree on the chain", () => {
    const { world, ben, cid } = conversation();
    const [host, guest, late] = [
      transcriptOf(world, "host"),
      transcriptOf(world, ben),
      transcriptOf(world, cid),
    ];
    for (const document of [host, guest, late]) {
      expect(verify(reread(document))).toMatchObject({
        ok: true,
        isAsExported: true,
        problems: [],
        gaps: [],
      });
    }
    expect(chains(guest)).toEqual(chains(host));
    for (const [seq, chain] of chains(late)) expect(chains(host).get(seq)).toBe(chain);
    expect([host, guest, late].map((one) => verify(one).isFromBeginning)).toEqual([true, true, false]);
    expect(statuses(verify(host))).toEqual([
      "verified",
      "verified",
      "verified",
      "verified",
      "redacted",
      "sealed",
      "sealed",
      "verified",
      "verified",
      "verified",
    ]);
    // What is not for somebody is in its transcript without its text, and holds its place.
    expect(statuses(verify(late))).toEqual([
      "verified",
      "redacted",
      "hidden",
      "hidden",
      "verified",
      "verified",
    ]);
  });

  it("[J3] names up to which place each member has signed the order", () => {
    const { world, ben } = conversation();
    const { confirmedBy } = verify(transcriptOf(world, ben));
    expect(Object.fromEntries(confirmedBy.map(({ name, upTo }) => [name, upTo]))).toEqual({
      ana: 8,
      ben: 5,
      cid: 7,
    });
  });

  it("[J2] [J3] is refused after any change of a single thing", () => {
    const { world, ben, cid } = conversation();
    for (const who of ["host" as const, ben, cid]) {
      const json = plain(transcriptOf(world, who));
      let count = 0;
      const accepted: string[] = [];
      for (const [path, changed] of mutations(json)) {
        count += 1;
        if (isAccepted(changed)) accepted.push(path);
      }
      expect(accepted).toEqual([]);
      expect(count).toBeGreaterThan(150);
    }
  });

  it("[J3] is refused after a change by its exporter, too, but for what only its exporter vouches for", () => {
    const { world, ben, cid } = conversation();
    for (const who of ["host" as const, ben, cid]) {
      const accepted: string[] = [];
      for (const [path, changed] of mutations(plain(transcriptOf(world, who))))
        if (isAccepted(changed, (document) => resigned(world, who, document))) accepted.push(path);
      const entry = (path: string): string => path.replace(/\[\d+\]/, "[]");
      // The signature itself is made anew here; a text that was shortened, sealed or left out proves nothing.
      const known = [".goal", ".exportedAt", ".signature", ".entries[].text", ".entries[].-text"];
      expect(accepted.filter((path) => !known.includes(entry(path)))).toEqual([]);
      const shown = accepted.filter((path) => path.endsWith("].text"));
      const places = shown.map((path) => Number(/\d+/.exec(path)?.[0]));
      const document = verify(transcriptOf(world, who));
      expect(places.length).toBeGreaterThan(0);
      expect(places.map((at) => document.entries[at]?.status).every((status) => status !== "verified")).toBe(
        true,
      );
    }
  });

  it("[J3] without an entry shows the gap, and trusts nothing across it", () => {
    const { world } = conversation();
    const document = transcriptOf(world, "host");
    const entries = document.entries.filter(({ seq }) => seq !== 4 && seq !== 5);
    const verdict = verify(resigned(world, "host", { ...document, entries }));
    expect(verdict).toMatchObject({ ok: false, gaps: [{ from: 4, to: 5 }] });
    expect(verdict.entries.find(({ seq }) => seq === 6)).toMatchObject({ status: "broken" });
    expect(verdict.entries.find(({ seq }) => seq === 3)).toMatchObject({ status: "verified" });
  });

  describe("[J3] [O12] of a room whose host came back", () => {
    function returned(limit?: TranscriptLimit) {
      const host = new HostileHost();
      const ben = host.session("ben");
      ben.tell(signedAs(host.signing, host.room, { view: ben.view }, "one").event, "one");
      ben.tell({ kind: "returned" }, "", { seq: 50 });
      ben.speaks("two");
      ben.place(1);
      const { attestation } = ben.member;
      const said = () => ben.entries.filter((entry) => entry.kind !== "system");
      const options = { now: host.now, ...(limit === undefined ? {} : { limit }) };
      const source = { goal: "go on", attestation, inbox: { said } };
      const document = exportTranscript(nodePrimitives, source, options);
      const again = (change: Partial<TranscriptDocument>): TranscriptDocument => {
        const changed = { ...document, ...change };
        return {
          ...changed,
          signature: must(attestation, "it").attest(transcriptHash(nodePrimitives, changed)),
        };
      };
      return { document, again };
    }

    it("is whole where places are skipped, and not where something was taken out of them", () => {
      const { document, again } = returned();
      const places = (verdict: Verdict) => verdict.entries.map(({ seq, status }) => [seq, status]);
      const verdict = verify(reread(document));
      expect([verdict.ok, verdict.gaps, verdict.problems]).toEqual([true, [], []]);
      expect(places(verdict)).toEqual([1, 2, 50, 51].map((seq) => [seq, "verified"]));
      const less = verify(again({ entries: document.entries.filter(({ seq }) => seq !== 2) }));
      expect([less.ok, less.gaps]).toEqual([false, [{ from: 2, to: 49 }]]);
      expect(places(less)).toEqual([
        [1, "verified"],
        [50, "broken"],
        [51, "verified"],
      ]);
      // Nor can anything else skip places.
      const moved = document.entries.map((entry) => (entry.seq === 51 ? { ...entry, seq: 52 } : entry));
      expect(verify(again({ entries: moved })).gaps).toEqual([{ from: 51, to: 51 }]);
    });

    it("has as many of its last entries as were asked for, whatever places were skipped", () => {
      const { document } = returned({ entries: 3, chars: 1_000 });
      expect(document.entries.map(({ seq }) => seq)).toEqual([2, 50, 51]);
      expect(document.start.seq).toBe(1);
      expect(verify(reread(document)).ok).toBe(true);
    });
  });

  it("[J3] shortened at its end by somebody else is not as exported; by its exporter it is a shorter one", () => {
    const { world, ben } = conversation();
    const whole = transcriptOf(world, ben);
    const entries = whole.entries.slice(0, -2);
    const last = entries.at(-1);
    const end = { seq: last?.seq ?? 0, chain: last?.chain ?? whole.end.chain };
    expect(verify({ ...whole, entries, end })).toMatchObject({
      ok: false,
      isAsExported: false,
      problems: [],
    });
    expect(verify(resigned(world, ben, { ...whole, entries, end }))).toMatchObject({ ok: true });
  });

  it("[J2] of one room is none of another", () => {
    const [one, two] = [conversation(), conversation()];
    const document = { ...transcriptOf(one.world, "host"), room: two.world.room.id };
    const verdict = verify(resigned(one.world, "host", document));
    expect(verdict.ok).toBe(false);
    expect(verdict.problems).toEqual(["its members cannot be: a member that has not proved its keys"]);
  });

  it("[J3] [O2] with a key under which anything is signed is none, in its roster as in an arrival", () => {
    const { world, ben } = conversation();
    const neutral = Uint8Array.of(1, ...new Uint8Array(31));
    const free = concat(neutral, new Uint8Array(32));
    // Whatever the message: the signature is right by the equation alone.
    for (const text of ["yes", "no"])
      expect(nodePrimitives.verifySignature(neutral, encodeUtf8(text), free)).toBe(true);
    const weak: MemberRecord = {
      id: memberIdOf(nodePrimitives, neutral),
      name: "eve",
      key: neutral,
      box: nodePrimitives.generateDhKeyPair().publicKey,
      hash: nodePrimitives.random(32),
      proof: free,
    };
    const whole = transcriptOf(world, ben);
    const { start, entries } = whole;
    const joined: TranscriptEntry = {
      kind: "event",
      seq: 99,
      ts: 1,
      chain: start.chain,
      event: { kind: "joined", member: weak },
    };
    for (const document of [
      { ...whole, start: { ...start, members: [...start.members, weak] } },
      { ...whole, entries: [...entries, joined] },
    ])
      expect(codeOf(() => reread(resigned(world, ben, document)))).toBe("transcript-invalid");
  });

  it("[J3] [O11] in which somebody comes back without a resume is broken there (F1)", () => {
    const { world, cid } = conversation();
    const whole = transcriptOf(world, "host");
    const [last] = whole.entries.slice(-1);
    const member = whole.entries.flatMap((entry) =>
      entry.kind === "event" && entry.event.kind === "joined" && entry.event.member.id === cid.member.self
        ? [entry.event.member]
        : [],
    )[0];
    if (last === undefined || member === undefined) throw new Error("cid never came");
    const { publicKey: box } = nodePrimitives.generateDhKeyPair();
    for (const returned of [member, { ...member, box }]) {
      const again: TranscriptEntry = {
        kind: "event",
        seq: last.seq + 1,
        ts: last.ts,
        chain: last.chain,
        event: { kind: "joined", member: returned },
      };
      const entries = [...whole.entries, again];
      const end = { seq: again.seq, chain: again.chain };
      const verdict = verify(resigned(world, "host", { ...whole, entries, end }));
      expect(verdict.ok).toBe(false);
      expect(verdict.entries.at(-1)).toMatchObject({
        status: "broken",
        reason: "a member that the room has had before",
      });
    }
  });

  it("[J3] [O2] in which the host leaves, or was never there, is broken", () => {
    const { world, cid } = conversation();
    const whole = transcriptOf(world, cid);
    const [last] = whole.entries.slice(-1);
    if (last === undefined) throw new Error("an empty transcript");
    const gone: TranscriptEntry = {
      kind: "event",
      seq: last.seq + 1,
      ts: last.ts,
      chain: last.chain,
      event: { kind: "left", id: whole.host, cause: "left" },
    };
    const entries = [...whole.entries, gone];
    const end = { seq: gone.seq, chain: gone.chain };
    const left = verify(resigned(world, cid, { ...whole, entries, end }));
    expect([left.ok, left.entries.at(-1)?.reason]).toEqual([false, "the host left"]);
    const { start } = whole;
    const members = start.members.filter(({ id }) => id !== whole.host);
    const without = verify(resigned(world, cid, { ...whole, start: { ...start, members } }));
    expect(without.problems).toContain("its host is not among its members");
  });

  it("[J3] of which everything is broken costs as many signatures as it has members and messages", () => {
    const { world } = conversation();
    const whole = transcriptOf(world, "host");
    const entries = whole.entries.map((entry) => ({ ...entry, ts: entry.ts + 1 }));
    let count = 0;
    const counting: Primitives = {
      ...nodePrimitives,
      verifySignature: (...one) => {
        count += 1;
        return nodePrimitives.verifySignature(...one);
      },
    };
    const verdict = verifyTranscript(counting, resigned(world, "host", { ...whole, entries }));
    expect(new Set(statuses(verdict))).toEqual(new Set(["broken"]));
    expect(count).toBeLessThanOrEqual(whole.entries.length + whole.start.members.length + 2);
  });

  it("[J4] has no link in it, and keeps what proves the message without", () => {
    const { world } = conversation();
    const text = toJson(transcriptOf(world, "host"));
    expect(text).toContain("I came by [tunnel link removed] just now");
    expect(text).not.toContain(LINK.slice(0, 20));
    expect(text).not.toContain("k".repeat(16));
  });

  it("[J1] of a part is a transcript of its own", () => {
    const { world, ben } = conversation();
    for (const entries of [1, 3, 6, 100]) {
      const part = transcriptOf(world, ben, { entries, chars: 10_000 });
      expect(part.entries).toHaveLength(Math.min(entries, 10));
      expect(verify(reread(part)).ok).toBe(true);
    }
    const short = transcriptOf(world, ben, { entries: 100, chars: 30 });
    expect(short.entries.map(({ seq }) => seq)).toEqual([8, 9, 10]);
    expect(verify(short).ok).toBe(true);
  });

  it("[J1] of a room without a word is one, and so is an empty part", () => {
    const world = new World();
    expect(verify(transcriptOf(world, "host"))).toMatchObject({ ok: true, entries: [] });
    world.pair("ben");
    expect(verify(transcriptOf(world, "host", { entries: 0, chars: 0 }))).toMatchObject({
      ok: true,
      entries: [],
    });
  });

  it.each(["", "{}", "null", "[1]", "no JSON", '{"format":"tunnel-mcp transcript","version":2}'])(
    "[J1] is not %j",
    (json) => {
      expect(codeOf(() => parseTranscript(json))).toBe("transcript-invalid");
    },
  );

  it.each<[string, (json: string) => string]>([
    ["a key twice", (json) => json.replace('"version":1', '"version":1,"version":1')],
    ["a number with a fraction of nothing", (json) => json.replace('"version":1', '"version":1.0')],
    ["a number with an exponent", (json) => json.replace(/"exportedAt":(\d+)/, '"exportedAt":$1e0')],
    ["an escape that nothing needs", (json) => json.replace('"goal":"a', '"goal":"\\u0061')],
    ["a byte order mark", (json) => `\ufeff${json}`],
    ["a space that JSON does not have", (json) => json.replace(":", ":\u00a0")],
  ])("[J1] is none with %s, of which another reader could make something else", (_what, change) => {
    const { world } = conversation();
    const json = JSON.stringify(JSON.parse(toJson(transcriptOf(world, "host"))));
    expect(change(json)).not.toBe(json);
    expect(codeOf(() => parseTranscript(change(json)))).toBe("transcript-invalid");
    expect(verify(parseTranscript(json)).ok).toBe(true);
  });

  it("[J1] may be laid out in any way, and keeps the white space in its texts", () => {
    const { world, ben } = conversation();
    ben.member.say({ text: 'a  "quoted" \\ text : [ 1 , 2 ] \\' }, world.now);
    world.settle();
    const document = transcriptOf(world, ben);
    const compact = JSON.stringify(JSON.parse(toJson(document)));
    for (const json of [
      compact,
      toJson(document),
      `\r\n\t ${JSON.stringify(JSON.parse(compact), null, "\t")} \n`,
    ])
      expect(parseTranscript(json)).toEqual(document);
    expect(codeOf(() => parseTranscript(compact.replace("a  ", "a \n ")))).toBe("transcript-invalid");
  });

  it("[J1] keeps as many entries as a transcript has, and starts with the roster of then", () => {
    // What is looked at is which entries are kept, and not what keeps them from being forged.
    const cheap = cheapPrimitives(1);
    const world = new World({}, cheap);
    const ben = world.pair("ben");
    const eve = world.pair("eve");
    eve.member.leave(world.now);
    for (let index = 0; index < ROOM.maxTranscriptEntries + 20; index += 1) {
      world.room.say({ text: `${index}` }, world.now);
      world.advance(5);
    }
    world.settle();
    const [host, guest] = [
      transcriptOf(world, "host", undefined, cheap),
      transcriptOf(world, ben, undefined, cheap),
    ];
    expect(host.entries).toHaveLength(ROOM.maxTranscriptEntries);
    expect(host.start.members.map(({ name }) => name)).toEqual(["ana", "ben"]);
    expect(verifyTranscript(cheap, host).ok).toBe(true);
    expect(chains(guest)).toEqual(chains(host));
  });
});
