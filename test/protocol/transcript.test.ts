import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memberIdFrom } from "../../src/protocol/ids.ts";
import { ROOM } from "../../src/protocol/limits.ts";
import { Transcript, type Entry } from "../../src/protocol/transcript.ts";

const from = memberIdFrom(new Uint8Array(8));
const chat = (seq: number, text = "x"): Entry => ({
  kind: "chat",
  seq,
  ts: seq,
  from,
  fromName: "ben",
  own: false,
  text,
  intent: undefined,
  replyTo: undefined,
});
const seqs = (transcript: Transcript, after: number): number[] =>
  [...transcript.after(after)].map((entry) => entry.seq);

describe("transcript", () => {
  it("gives back what came after any point", () => {
    fc.assert(
      fc.property(
        fc.nat(60),
        fc.integer({ min: -2, max: 70 }),
        fc.integer({ min: 1, max: 9 }),
        (count, after, first) => {
          const transcript = new Transcript();
          for (let index = 0; index < count; index += 1) transcript.append(chat(first + index));
          const expected = Array.from({ length: count }, (_, index) => first + index).filter(
            (seq) => seq > after,
          );
          expect(seqs(transcript, after)).toEqual(expected);
          expect(transcript.lastSeq).toBe(count === 0 ? 0 : first + count - 1);
          expect(transcript.trimmedTo).toBe(0);
        },
      ),
    );
  });

  it("[D6] keeps 5,000 entries and says up to where it has forgotten", () => {
    const transcript = new Transcript();
    const count = ROOM.maxTranscriptEntries + 1_300;
    for (let seq = 1; seq <= count; seq += 1) {
      transcript.append(chat(seq));
      expect(transcript.trimmedTo).toBe(Math.max(0, seq - ROOM.maxTranscriptEntries));
    }
    const kept = seqs(transcript, 0);
    expect(kept).toHaveLength(ROOM.maxTranscriptEntries);
    expect([kept[0], kept.at(-1)]).toEqual([1_301, count]);
    expect(seqs(transcript, count - 2)).toEqual([count - 1, count]);
  });

  it("[D6] keeps 16 MiB of text, but never less than the newest entry", () => {
    const transcript = new Transcript();
    const mebibyte = "x".repeat(1024 * 1024);
    for (let seq = 1; seq <= 17; seq += 1) transcript.append(chat(seq, mebibyte));
    expect(transcript.trimmedTo).toBe(1);
    transcript.append(chat(18, "x".repeat(17 * 1024 * 1024)));
    expect(seqs(transcript, 0)).toEqual([18]);
    expect([transcript.trimmedTo, transcript.lastSeq]).toEqual([17, 18]);
  });
});
