import { simulateOutages, type Recovery } from "./outages.ts";

const OUTAGES_A_ROOM = 5;

/** The outages of one seed. @throws {Error} when it fails: with the command that repeats it */
export async function outagesOf(seed: number): Promise<Recovery[]> {
  try {
    return await simulateOutages(seed, OUTAGES_A_ROOM);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const repeat = `npm run soak -- --seeds 0 --outages ${OUTAGES_A_ROOM} --first ${seed}`;
    throw new Error(`the outages of seed ${seed} fail; to repeat it: ${repeat}\n${message}`, {
      cause: error,
    });
  }
}
