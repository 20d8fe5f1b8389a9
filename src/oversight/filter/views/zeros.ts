import { ViewBuilder, type View } from "./view.ts";

/** UTF-16 that is written in ASCII, without its zeros; undefined where there are none. */
export function withoutZeros(source: View): View | undefined {
  const { bytes } = source;
  let zero = bytes.indexOf(0);
  if (zero < 0) return undefined;
  const builder = new ViewBuilder("utf-16", source);
  let from = 0;
  for (; zero >= 0; zero = bytes.indexOf(0, from)) {
    builder.copy(from, zero);
    from = zero + 1;
    builder.from(from);
  }
  builder.copy(from, bytes.length);
  return builder.build();
}
