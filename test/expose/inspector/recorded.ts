import { Inspector, type InspectorOptions } from "../../../src/expose/inspector/inspector.ts";
import type { Exchange } from "../../../src/expose/inspector/exchange.ts";
import type { RawFields } from "../../../src/expose/message.ts";
import type { ExchangeEnd, RecordedRequest, Recording } from "../../../src/expose/recorder.ts";
import { FakeClock } from "../../support/fake-tunnel-clock.ts";

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

export function inspectorFor(options: Partial<InspectorOptions> = {}): Inspector {
  return new Inspector({ clock: new FakeClock(), keepsBodies: true, ...options });
}

export const visit = (request: Partial<RecordedRequest> = {}): RecordedRequest => ({
  method: "GET",
  target: "/",
  fields: ["Host", "app.example"],
  source: { address: "203.0.113.9" },
  decided: { way: "open", visitor: undefined },
  ...request,
});

interface Whole {
  readonly request?: Partial<RecordedRequest>;
  readonly body?: string | Uint8Array;
  readonly status?: number;
  readonly fields?: RawFields;
  readonly answer?: string | Uint8Array;
  /** `undefined` leaves it running. */
  readonly end?: ExchangeEnd | undefined;
}

const asBytes = (body: string | Uint8Array): Uint8Array => (typeof body === "string" ? bytes(body) : body);

/** Reports one exchange from its beginning to its end. */
export function report(inspector: Inspector, whole: Whole = {}): Exchange {
  const { request, body, status = 200, fields = [], answer } = whole;
  const recording: Recording = inspector.begin(visit(request));
  if (body !== undefined) recording.requestChunk(asBytes(body));
  if (status > 0) recording.responseHead({ status, reason: "", fields });
  if (answer !== undefined) recording.responseChunk(asBytes(answer));
  if (!("end" in whole)) recording.end("complete");
  else if (whole.end !== undefined) recording.end(whole.end);
  return inspector.get(inspector.total);
}
