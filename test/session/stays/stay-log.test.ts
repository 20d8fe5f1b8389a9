import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { StayLog, type Counter, type StayLogOptions } from "../../../src/session/stays/stay-log.ts";
import { byteStream } from "../../support/random.ts";
import { codeOf } from "../../support/thrown.ts";
import { FakeDisk } from "./fake-disk.ts";

const random = byteStream("stay-log");
const CHANGE = encodeUtf8("a change");

function stage() {
  const disk = new FakeDisk();
  const options = (epoch: number, boot = "boot-1"): StayLogOptions => ({
    disk,
    folder: "/stays/one",
    hash: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
    random,
    clock: { after: () => () => undefined },
    onFailure: (error) => expect.fail(error.message),
    epoch,
    boot,
  });
  const use = (log: StayLog, counter: Counter, upTo: number): void => {
    for (let number = 1; number <= upTo; number += 1) log.reserve(counter, number);
  };
  return { disk, options, use };
}

describe("the log of a stay", () => {
  it("gives back the changes of all its lives, and what it is told anew", () => {
    const { options } = stage();
    const first = StayLog.begin(options(1), [CHANGE]);
    first.keep(CHANGE);
    first.flush();
    const second = StayLog.open(options(2));
    expect(second.restored.changes).toEqual([CHANGE, CHANGE]);
    second.log.rewrite([CHANGE]);
    expect(StayLog.open(options(3)).restored.changes).toEqual([CHANGE]);
  });

  it("goes on with its numbers after a kill, and above all that may have been used after a power cut", () => {
    const { options, use } = stage();
    const log = StayLog.begin(options(1), [CHANGE]);
    use(log, "said", 3);
    use(log, "placed", 70);
    expect(StayLog.open(options(2)).restored.floors).toEqual({ said: 0, placed: 0 });
    const cut = { said: 65, placed: 130 };
    expect(StayLog.open(options(3, "boot-2")).restored.floors).toEqual(cut);
    // A kill right after that brings no lower number back.
    expect(StayLog.open(options(4, "boot-2")).restored.floors).toEqual(cut);
  });

  it("that had time to end needs no gap, whatever start of the machine it comes back in", () => {
    const { options, use } = stage();
    const log = StayLog.begin(options(1), [CHANGE]);
    use(log, "said", 3);
    log.close();
    expect(StayLog.open(options(2, "boot-2")).restored.floors).toEqual({ said: 0, placed: 0 });
  });

  it("waits for the disk once for many numbers", () => {
    const { disk, options, use } = stage();
    const log = StayLog.begin(options(1), [CHANGE]);
    let written = disk.bytesOf("/stays/one/1.journal").length;
    let times = 0;
    for (let number = 1; number <= 640; number += 1) {
      use(log, "said", number);
      const { length } = disk.bytesOf("/stays/one/1.journal");
      if (length > written) times += 1;
      written = length;
    }
    expect(times).toBe(10);
  });

  it("is not taken up in a time that it has had, which a restored disk comes with", () => {
    const { options } = stage();
    StayLog.begin(options(5), [CHANGE]);
    expect(codeOf(() => StayLog.open(options(5)))).toBe("stay-outdated");
    expect(StayLog.open(options(6)).log.epoch).toBe(6);
  });
});
