import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { processTable } from "../../src/children/identity.ts";
import type { Config } from "../../src/cli/settings.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import { LOG_BOUNDS } from "../../src/protocol/compaction/bounds.ts";
import { compacted } from "../../src/session/keeping/compaction.ts";
import type { TextScanner } from "../../src/session/saying/judging.ts";
import type { Session, Sessions } from "../../src/session/sessions.ts";
import { nodeDisk } from "../../src/session/stays/node-disk.ts";
import { Stays, type StaysOptions } from "../../src/session/stays/stays.ts";
import { portOf } from "../support/agent.ts";
import { atEnd } from "../support/at-end.ts";
import { until } from "../support/processes.ts";
import { hostRequest, joinRequest, NOTHING_FOUND, sessionsOn } from "./support.ts";

/** A process of a side ends in order, and another one takes its tunnel up. */

export const KEEP_MINUTES = 10;

interface ProcessOptions {
  /** The user whose process it is. */
  readonly side?: string;
  readonly cwd?: string;
  readonly keepMinutes?: number;
  readonly config?: Partial<Config>;
  readonly scanner?: TextScanner;
  /** What a journal that is written anew keeps. */
  readonly bounds?: typeof LOG_BOUNDS;
}

/** A machine on which processes begin and end. All of it is gone after the test. */
export class Machine {
  readonly root: string;

  constructor() {
    this.root = mkdtempSync(path.join(tmpdir(), "returning-"));
    atEnd(() => rmSync(this.root, { recursive: true, force: true }));
  }

  stays(side = "here", options: Partial<StaysOptions> = {}): Stays {
    return new Stays({
      disk: nodeDisk,
      folders: [path.join(this.root, side)],
      platform: process.platform,
      clock: systemClock,
      table: processTable(process.platform, {}),
      primitives: nodePrimitives,
      keepMs: KEEP_MINUTES * 60_000,
      compact: (changes, now) => compacted(nodePrimitives, changes, now),
      onFailure: (_, error) => expect.fail(error.message),
      ...options,
    });
  }

  /** A process of one of its users, in a project folder. */
  process(options: ProcessOptions = {}): Sessions {
    const { side = "here", cwd = process.cwd(), keepMinutes = KEEP_MINUTES } = options;
    const { config = {}, scanner = NOTHING_FOUND, bounds = LOG_BOUNDS } = options;
    const stays = this.stays(side, {
      keepMs: keepMinutes * 60_000,
      compact: (changes, now) => compacted(nodePrimitives, changes, now, bounds),
    });
    const made = sessionsOn(systemClock, { ...config, keepMinutes }, {}, { cwd, stays, scanner });
    atEnd(() => made.shutDown());
    return made;
  }

  async pair(hosts = this.process(), guests = this.process({ side: "there" })) {
    const { hosting, invites } = await hosts.host(hostRequest("align the API"));
    const joinLink = invites[0]?.joinLink ?? "";
    const guest = await guests.join(joinRequest(joinLink));
    await until("both are there", () => hosting.presence().length === 2);
    return { hosts, guests, hosting, guest, port: portOf(joinLink) };
  }

  staysIn(side: string): string[] {
    const folder = path.join(this.root, side, "stays");
    return existsSync(folder) ? readdirSync(folder) : [];
  }
}

/** What its agent is told and has not read yet, and has read from now on. */
export function read(session: Session): string[] {
  const { entries } = session.inbox.take(1, 100);
  session.settle();
  return entries.flatMap(({ entry }) => (entry.kind === "chat" ? [entry.text] : []));
}

export const again = (tunnelId: string) => ({
  tunnelId,
  signal: new AbortController().signal,
  onProgress: () => undefined,
});
