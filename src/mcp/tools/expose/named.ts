import { TunnelError } from "../../../errors/tunnel-error.ts";
import type { Exposure } from "../../../expose/exposures/exposure.ts";
import type { Exposures } from "../../../expose/exposures/exposures.ts";

/**
 * The exposure that a call means.
 * @throws {TunnelError} expose-unknown, expose-ambiguous; expose-not-ours where another server of this user has one of this name
 */
export async function exposureNamed(
  exposures: Exposures,
  wanted: string | undefined,
  options: { readonly isOverToo?: boolean } = {},
): Promise<Exposure> {
  try {
    return exposures.resolve(wanted, options);
  } catch (thrown) {
    if (!(thrown instanceof TunnelError) || thrown.code !== "expose-unknown" || wanted === undefined)
      throw thrown;
    const others = await exposures.others();
    const isTheirs = others.some(
      ({ exposureId, name }) => exposureId === wanted || name === wanted.toLowerCase(),
    );
    throw isTheirs ? new TunnelError("expose-not-ours", { cause: thrown }) : thrown;
  }
}
