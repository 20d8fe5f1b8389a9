import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ROOM } from "../../../src/protocol/base/limits.ts";
import { Transcript } from "../../../src/protocol/room/log.ts";

interface Item {
  readonly seq: number;
  readonly text: string;
}
const chat = (seq: number, text = "x"): Item => ({ seq, text });
const create = (): Transcript<Item> => new Transcript(({ text }) => text.length);
const seqs = (transcript: Transcript<Item>, after: number): number[] =>
  [...transcript.after(transcript.positionOf(after))].map(([, item]) => item.seq);

describe("transcript", () => {
  it("gives back what came after any point", () => {
    fc.assert(
      fc.property(
        fc.nat(60),
        fc.integer({ min: -2, max: 70 }),
        fc.integer({ min: 1, max: 9 }),
        (count, after, first) => {
          const transcript = create();
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

  it("counts positions by item and not by number: what shares a number comes in turn", () => {
    const transcript = create();
    for (const [seq, text] of [
      [4, "a"],
      [4, "b"],
      [5, "c"],
    ] as const)
      transcript.append(chat(seq, text));
    expect([...transcript.after(1)]).toEqual([
      [2, chat(4, "b")],
      [3, chat(5, "c")],
    ]);
    expect([3, 4, 5].map((seq) => transcript.positionOf(seq))).toEqual([0, 2, 3]);
  });

  it("positions stay what they were when the oldest items are given up", () => {
    const transcript = create();
    for (let seq = 1; seq <= ROOM.maxTranscriptEntries + 700; seq += 1) transcript.append(chat(seq));
    const [[position, item] = []] = transcript.after(0);
    expect([position, item?.seq]).toEqual([701, 701]);
    expect(transcript.positionOf(5_000)).toBe(5_000);
    expect(transcript.positionOf(3)).toBe(700);
  });

  it("[D6] keeps 5,000 entries and says up to where it has forgotten", () => {
    const transcript = create();
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
    const transcript = create();
    const mebibyte = "x".repeat(1024 * 1024);
    for (let seq = 1; seq <= 17; seq += 1) transcript.append(chat(seq, mebibyte));
    expect(transcript.trimmedTo).toBe(1);
    transcript.append(chat(18, "x".repeat(17 * 1024 * 1024)));
    expect(seqs(transcript, 0)).toEqual([18]);
    expect([transcript.trimmedTo, transcript.lastSeq]).toEqual([17, 18]);
  });
});
