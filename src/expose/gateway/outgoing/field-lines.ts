import type { RawFields } from "../../message.ts";
import { Failure } from "./failure.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Field content with obs-text (RFC 9110 §5.5). */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** @throws {Failure} a line is no field */
export function parseFields(lines: readonly string[]): RawFields {
  const fields: string[] = [];
  for (const line of lines) {
    if (line.startsWith(" ") || line.startsWith("\t")) {
      // A folded line becomes one with a space (RFC 9112 §5.2).
      const last = fields.length - 1;
      if (last < 0) throw new Failure("http_protocol_error", "a field begins with a space");
      fields[last] = `${fields[last] ?? ""} ${checkedValue(line)}`.trim();
      continue;
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    if (!TOKEN.test(name)) throw new Failure("http_protocol_error", "a field has no name");
    fields.push(name, checkedValue(line.slice(colon + 1)));
  }
  return fields;
}

function checkedValue(raw: string): string {
  if (!VALUE.test(raw)) throw new Failure("http_protocol_error", "a field has a forbidden character");
  return trimmed(raw);
}

/** Without space and tab at the ends (RFC 9110 §5.6.3); `trim` would take a Latin-1 no-break space as well. */
function trimmed(value: string): string {
  let [start, end] = [0, value.length];
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  return value.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** As they are written. */
export function fieldLines(fields: RawFields): string {
  let text = "";
  for (let index = 0; index + 1 < fields.length; index += 2) {
    text += `${fields[index] ?? ""}: ${fields[index + 1] ?? ""}\r\n`;
  }
  return text;
}
