import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { TunnelError } from "../../../src/errors/tunnel-error.ts";
import { decodeUtf8, encodeUtf8 } from "../../../src/protocol/base/utf8.ts";
import { StayLog, type Counter, type StayLogOptions } from "../../../src/session/stays/stay-log.ts";
import { Chance } from "../../support/random.ts";
import { Died, FakeDisk } from "./fake-disk.ts";

/**
 * The lives of one stay, by chance: its process acts, and dies at any byte that it writes and any call of the disk, or the power goes.
 * A model beside it knows what was acknowledged. The real code and the model have to agree at every return.
 */

const FOLDER = "/stays/one";
/** A power cut takes nothing that is older. */
const BOUND_MS = 200;

/** Times at which something is due, moved by hand. */
class Timers {
  now = 0;
  #due: { readonly at: number; readonly callback: () => void }[] = [];

  readonly after = (ms: number, callback: () => void): (() => void) => {
    const timer = { at: this.now + ms, callback };
    this.#due.push(timer);
    return () => void (this.#due = this.#due.filter((one) => one !== timer));
  };

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.now = Math.max(this.now, next.at);
      next.callback();
    }
    this.now = end;
  }

  /** They end with their process. */
  clear(): void {
    this.#due = [];
  }
}

interface Change {
  readonly text: string;
  /** When it was written; undefined while it is not. */
  writtenAt: number | undefined;
}

/** A change as it is kept: one text, or all texts so far, of which a snapshot is made. */
function encode(texts: readonly string[]): Uint8Array {
  return encodeUtf8(JSON.stringify(texts));
}

function decode(changes: readonly Uint8Array[]): string[] {
  return changes.flatMap((change) => JSON.parse(decodeUtf8(change) ?? "") as string[]);
}

/** What happened, for a test that wants to know that it did. */
export interface Tally {
  kills: number;
  powerCuts: number;
  full: number;
  rewrites: number;
  returns: number;
  copies: number;
}

class Crashes {
  readonly chance: Chance;
  readonly disk = new FakeDisk();
  readonly timers = new Timers();
  readonly tally: Tally = { kills: 0, powerCuts: 0, full: 0, rewrites: 0, returns: 0, copies: 0 };
  /** What others have seen under a number. */
  readonly used = new Map<string, string>();
  log: StayLog | undefined;
  changes: Change[] = [];
  next: Record<Counter, number> = { said: 1, placed: 1 };
  epoch = 0;
  boot = "boot-0";
  texts = 0;
  /** Of the changes from the first on, so many are safe from a power cut, whatever the time. */
  syncedUpTo = 0;

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }

  options(): StayLogOptions {
    this.epoch += 1;
    return {
      disk: this.disk,
      folder: FOLDER,
      hash: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
      random: (length) => Uint8Array.from({ length }, () => this.chance.below(256)),
      clock: this.timers,
      onFailure: () => void (this.tally.full += 1),
      epoch: this.epoch,
      boot: this.boot,
    };
  }

  // --- one life ---

  live(): void {
    const steps = 1 + this.chance.below(30);
    for (let step = 0; step < steps; step += 1) this.act();
    if (this.chance.happens(0.2)) this.end();
  }

  act(): void {
    const { chance } = this;
    const kind = chance.below(12);
    if (kind < 4) this.number("said");
    else if (kind < 7) this.number("placed");
    else if (kind < 8) this.keep();
    else if (kind < 9) this.flushed(() => this.log?.flush());
    else if (kind < 10) this.timers.pass(chance.below(BOUND_MS));
    else if (kind < 11 && chance.happens(0.3)) this.rewrite();
    else if (chance.happens(0.1)) this.disk.room = chance.below(300);
    else if (chance.happens(0.5)) this.disk.room = Number.POSITIVE_INFINITY;
  }

  /** Something with a number: reserved, kept, written, and only then seen by anybody. */
  number(counter: Counter): void {
    const number = this.next[counter];
    this.log?.reserve(counter, number);
    const text = this.keep(`${counter} ${number}`);
    this.flushed(() => this.log?.flush());
    this.next[counter] = number + 1;
    const key = `${counter} ${number}`;
    assert.ok(!this.used.has(key), `${key} stands for ${this.used.get(key)} and ${text}`);
    this.used.set(key, text);
  }

  keep(prefix = "other"): string {
    this.texts += 1;
    const text = `${prefix} content-${this.texts}`;
    this.changes.push({ text, writtenAt: undefined });
    this.log?.keep(encode([text]));
    return text;
  }

  /** From when this returns on, all that was kept is acknowledged. */
  flushed(flush: () => void): void {
    flush();
    for (const change of this.changes) change.writtenAt ??= this.timers.now;
  }

  rewrite(): void {
    this.tally.rewrites += 1;
    const texts = this.changes.map(({ text }) => text);
    this.flushed(() => this.log?.rewrite([encode(texts.slice(0, 1)), encode(texts.slice(1))]));
  }

  end(): void {
    const wasKept = this.log?.isKept ?? false;
    const { full } = this.tally;
    this.flushed(() => this.log?.close());
    if (wasKept && this.tally.full === full) this.syncedUpTo = this.changes.length;
  }

  // --- between two lives ---

  /** Whether there was a stay to come back to. */
  comesBack(how: "killed" | "cut"): boolean {
    this.timers.clear();
    this.disk.revive();
    this.disk.room = Number.POSITIVE_INFINITY;
    if (how === "cut") {
      this.disk.cutPower(this.chance);
      this.boot = `boot-${this.epoch}`;
    }
    const acknowledged = this.changes.filter(({ writtenAt }) => writtenAt !== undefined).length;
    const old = this.changes.filter(
      ({ writtenAt }) => writtenAt !== undefined && writtenAt <= this.timers.now - BOUND_MS,
    ).length;
    const wasKept = this.log?.isKept ?? false;
    const isEnded = this.syncedUpTo > 0;
    if (this.chance.happens(0.3)) this.dieReturning();
    const opened = this.open();
    if (opened === undefined) {
      // Only a journal that has failed, and said so, may be gone.
      assert.ok(!wasKept && !isEnded, "what was kept is gone");
      return false;
    }
    this.tally.returns += 1;
    const texts = decode(opened.changes);
    const told = this.changes.slice(0, texts.length).map(({ text }) => text);
    assert.deepEqual(texts, told, "another past");
    const least = Math.max(how === "killed" ? acknowledged : old, this.syncedUpTo);
    assert.ok(texts.length >= least, `${texts.length} changes came back of ${least} that had to`);
    this.changes = this.changes.slice(0, texts.length);
    this.flushed(() => undefined);
    this.syncedUpTo = 0;
    for (const counter of ["said", "placed"] as const) {
      const numbers = texts.flatMap((text) => (text.startsWith(counter) ? Number(text.split(" ")[1]) : []));
      this.next[counter] = Math.max(opened.floors[counter], numbers.at(-1) ?? 0) + 1;
    }
    return true;
  }

  /** The return itself is as likely to be cut off as all else. */
  dieReturning(): void {
    this.disk.fuse = this.chance.below(200);
    try {
      this.open();
      this.log?.flush();
    } catch (thrown) {
      if (!(thrown instanceof Died)) throw thrown;
    }
    this.timers.clear();
    this.disk.revive();
  }

  open() {
    try {
      const { log, restored } = StayLog.open(this.options());
      this.log = log;
      return restored;
    } catch (error) {
      if (error instanceof TunnelError && error.code === "stay-unreadable") return undefined;
      throw error;
    }
  }

  tryCopy(): void {
    this.tally.copies += 1;
    const copy = "/elsewhere/one";
    for (const file of this.disk.filesIn(copy)) this.disk.remove(file);
    this.disk.copyFolder(FOLDER, copy);
    assert.throws(
      () => StayLog.open({ ...this.options(), folder: copy }),
      (error) => error instanceof TunnelError && error.code === "stay-copied",
    );
  }

  begin(): void {
    this.changes = [];
    this.syncedUpTo = 0;
    this.keep("first");
    const base = this.changes.map(({ text }) => encode([text]));
    this.flushed(() => void (this.log = StayLog.begin(this.options(), base)));
    this.syncedUpTo = 0;
  }
}

/** @throws {AssertionError} where the real code does something else than the model */
export function crash(seed: number): Tally {
  const crashes = new Crashes(seed);
  const { chance, disk, tally } = crashes;
  crashes.begin();
  const lives = 2 + chance.below(4);
  for (let life = 0; life < lives; life += 1) {
    disk.fuse = chance.happens(0.8) ? chance.below(3_000) : Number.POSITIVE_INFINITY;
    let how: "killed" | "cut" = "killed";
    try {
      crashes.live();
    } catch (thrown) {
      if (!(thrown instanceof Died)) throw thrown;
    }
    if (chance.happens(0.3)) {
      how = "cut";
      tally.powerCuts += 1;
    } else tally.kills += 1;
    if (!crashes.comesBack(how)) break;
    if (chance.happens(0.1)) crashes.tryCopy();
  }
  return tally;
}
