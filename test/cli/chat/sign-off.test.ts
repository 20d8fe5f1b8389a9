import { afterEach, expect, it } from "vitest";
import { must } from "../../../src/errors/must.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import type { Session } from "../../../src/session/sessions.ts";
import { signInChat } from "../../../src/cli/chat/terminal/signing.ts";
import { rejectedWith } from "../../support/rejection.ts";
import { endSides, joinRequest, linkOf, openRequest, startSide, twoPeople, type Side } from "./support.ts";

afterEach(endSides);

const tunnelOf = ({ sessions }: Side): Session => must(sessions.open[0], "a tunnel");

it("H28: people in a chat read an outcome with its words, and sign it by these", async () => {
  const { ana, ben } = await twoPeople(systemClock);
  await tunnelOf(ana).signing.propose("we are\ndone", undefined);
  await ben.seen(/proposes that it is done:/);
  await ben.seen(/^ {2}│ done$/);
  const words = must(tunnelOf(ben).signing.standing, "a proposal").words;
  await ben.seen(new RegExp(`to sign it: /sign ${words}, to refuse: /not-done REASON`));
  ben.terminal.type("/sign able able able\r");
  await ben.seen(/\/sign takes the three words of the outcome that stands/);
  ben.terminal.type(`\u0015/sign ${words.toUpperCase()}\r`);
  await ana.seen(/ben \(human, says their program\): has signed the outcome of entry 2/);
  ana.terminal.type(`/sign ${words}\r`);
  await ben.seen(/ana \(human, says their program\): has signed the outcome of entry 2/);
  expect(tunnelOf(ben).signing.standing?.state).toBe("signed");
});

it("H28: a refusal is told with its reason, behind a gutter", async () => {
  const { ana, ben } = await twoPeople(systemClock);
  ben.terminal.type("/not-done too early\r");
  await ben.seen(/\(sign-off-unknown\)/);
  await tunnelOf(ana).signing.propose("done", undefined);
  await ben.seen(/proposes that it is done/);
  ben.terminal.type("\u0015/not-done the tests are red\r");
  await ana.seen(/has refused to sign the outcome of entry 2/);
  await ana.seen(/^ {2}│ the tests are red$/);
  expect(tunnelOf(ana).signing.standing?.state).toBe("refused");
});

it("[Z8] a program's chat signs nothing: not at a pipe, and not in the shell of an agent", async () => {
  const ana = startSide(openRequest, { clock: systemClock });
  const ben = startSide(joinRequest(await linkOf(ana)), { clock: systemClock, plain: true });
  await ana.seen(/ben has joined/);
  await tunnelOf(ana).signing.propose("done", undefined);
  await expect.poll(() => tunnelOf(ben).signing.isOpen).toBe(true);
  ben.write(`/sign ${must(tunnelOf(ben).signing.standing, "a proposal").words}`);
  ben.write("/not-done no");
  await expect.poll(() => ben.stderr() + ben.terminal.raw).toMatch(/watch-no-terminal[^]*watch-no-terminal/);
  expect(tunnelOf(ana).signing.standing?.counted).toEqual([]);
  const { tunnel } = { tunnel: tunnelOf(ana) };
  const words = must(tunnel.signing.standing, "a proposal").words;
  expect(await rejectedWith(signInChat(tunnel, words, "agent"))).toBe("watch-in-agent");
});
