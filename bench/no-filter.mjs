/** Stands in the place of the outbound filter where a benchmark measures what the filter costs: it looks at nothing. */
const VERDICT = { kind: "clear", digest: "" };

export class OutboundFilter {
  async scanTexts() {
    return VERDICT;
  }
  openContent() {
    return { write: async () => undefined, end: async () => VERDICT, drop: () => undefined };
  }
  async close() {}
}

export const tailOf = () => "";
