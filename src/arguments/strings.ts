import * as z from "zod";
import type { ErrorCode } from "../errors/tunnel-error.ts";

/** How a string argument is read, beside its schema: nothing of it is advertised. */
export const STRINGS = z.registry<{
  /** It names one thing and holds no words: space and quotation marks around it are not part of it. */
  readonly isId?: true;
  /** The code of the refusal where it is required and empty. */
  readonly emptyIs?: ErrorCode;
  /** Where it is optional, an empty one is no absent one: the tool tells the two apart. */
  readonly keepsEmpty?: true;
}>();

/** An id that this program has given out, such as that of a tunnel or a file. */
export const id = (emptyIs: ErrorCode = "input-invalid") =>
  z.string().register(STRINGS, { isId: true, emptyIs });

/** Words of the caller, which are never changed. An empty one is refused with `emptyIs`. */
export const words = (emptyIs: ErrorCode) => z.string().register(STRINGS, { emptyIs });

/** Optional words, which may be empty. */
export const wordsOrEmpty = () => z.string().register(STRINGS, { keepsEmpty: true });
