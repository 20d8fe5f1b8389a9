import { expect, it } from "vitest";
import { codeOf } from "../support/thrown.ts";
import { until } from "../support/processes.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { hostRequest, joinRequest, sessionsOn } from "./support.ts";

it("[I8] [A2] a whole room may come at once, from one address, and everybody hears what is said", async () => {
  const { hosting, invites } = await sessionsOn(systemClock).host({ ...hostRequest(), invites: 63 });
  expect(codeOf(() => hosting.invite(1))).toBe("invite-limit");
  const members = await Promise.all(
    invites.map(({ joinLink }) => sessionsOn(systemClock).join(joinRequest(joinLink))),
  );
  expect(hosting.presence()).toHaveLength(64);
  expect(new Set(hosting.presence().map(({ name }) => name)).size).toBe(64);
  expect(new Set(members.map(({ safetyCode }) => safetyCode)).size).toBe(63);
  expect(await hosting.say({ text: "all here?" })).toMatchObject({ status: "sent" });
  const [first, second] = members;
  await first?.say({ text: "here" });
  await first?.say({ text: "between us", to: second === undefined ? [] : [second.self] });
  const heard = (at: number): string[] => {
    const { entries } = members[at]?.inbox.take(1, 200) ?? { entries: [] };
    return entries.flatMap(({ entry }) => (entry.kind === "chat" ? [entry.text] : []));
  };
  await until("the last has heard the last", () =>
    members.every(({ inbox }, at) => inbox.lastSeq >= (at < 2 ? 66 : 65)),
  );
  expect([heard(0), heard(1), heard(62)]).toEqual([
    ["all here?"],
    ["all here?", "here", "between us"],
    ["all here?", "here"],
  ]);
  await hosting.close();
  await until("everybody knows", () => members.every(({ end }) => end?.cause === "closed-by-host"));
}, 60_000);
