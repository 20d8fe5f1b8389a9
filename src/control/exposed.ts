import * as z from "zod/mini";
import type { Clock } from "../runtime/clock.ts";
import { settled, wait } from "../runtime/wait.ts";
import { ask } from "./ask.ts";
import { readDescriptors, type Descriptor } from "./descriptor.ts";

/** What other commands of this user are told of an exposure: no secret, and no way in. */
export const exposedSchema = z.object({
  exposures: z.array(
    z.object({
      exposureId: z.string(),
      name: z.string(),
      target: z.string(),
      status: z.string(),
      publicUrl: z.optional(z.string()),
      requests: z.int(),
      expiresInSec: z.optional(z.number()),
    }),
  ),
});

export type ExposedElsewhere = z.infer<typeof exposedSchema>["exposures"][number] & {
  /** The folder in which its server runs. */
  readonly folder: string;
  readonly pid: number;
};

interface Search {
  /** The private folders of this user. */
  readonly folders: readonly string[];
  readonly platform: string;
  /** This process: it is not asked. */
  readonly pid: number | undefined;
  readonly clock: Clock;
}

/** A server that is too busy to answer within this time is left out. */
const ANSWER_MS = 1_500;

/** The exposures of this user's other servers. A server that does not answer, or knows nothing of exposing, has none. */
export async function exposedElsewhere({
  folders,
  platform,
  pid,
  clock,
}: Search): Promise<ExposedElsewhere[]> {
  const found = await readDescriptors(folders, platform);
  const servers = found.filter((one) => one.pid !== pid);
  const answers = servers.map((server) => exposedBy(server, clock));
  const all = Promise.all(answers);
  await wait(clock, ANSWER_MS, { until: settled(all) });
  return (await Promise.all(answers.map((answer) => Promise.race([answer, Promise.resolve([])])))).flat();
}

async function exposedBy(server: Descriptor, clock: Clock): Promise<ExposedElsewhere[]> {
  const question = { action: "exposures", input: {}, result: exposedSchema };
  const answer = await ask(server, question, clock).catch(() => undefined);
  return (answer?.exposures ?? []).map((one) => ({ ...one, folder: server.folder, pid: server.pid }));
}
