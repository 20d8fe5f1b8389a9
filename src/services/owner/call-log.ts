import type { CallRecord } from "../../bridge/log.ts";
import { Emitter, type Observable } from "../../runtime/emitter.ts";

const MAX_RECORDS = 100;

/** The last calls of one MCP server that this side offers, for its person and its agent. */
export class CallLog implements Observable<CallRecord> {
  readonly #events = new Emitter<CallRecord>();
  #records: readonly CallRecord[] = [];
  #count = 0;

  /** Since it was offered. */
  get count(): number {
    return this.#count;
  }

  /** Oldest first. */
  get last(): readonly CallRecord[] {
    return this.#records;
  }

  subscribe(listener: (record: CallRecord) => void): () => void {
    return this.#events.subscribe(listener);
  }

  add(record: CallRecord): void {
    this.#count += 1;
    this.#records = [...this.#records, record].slice(-MAX_RECORDS);
    this.#events.emit(record);
  }
}
