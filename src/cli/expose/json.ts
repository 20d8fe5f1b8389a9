import { errorView } from "../../view/errors.ts";
import { safeJson } from "../chat/terminal/safe-text.ts";
import type { ShownEvent } from "./events.ts";

/** An event as a line of JSON (docs/CLI.md). */
export function jsonLine(shown: ShownEvent): string {
  return safeJson(fieldsOf(shown));
}

function fieldsOf(shown: ShownEvent): object {
  const event = shown.type;
  switch (shown.type) {
    case "opened":
      return { event, ...shown.view };
    case "progress": {
      const { name, message, fraction } = shown;
      return { event, name, message, fraction };
    }
    case "held":
      return { event, name: shown.name, askId: shown.askId };
    case "request":
      return { event, name: shown.name, ...shown.request };
    case "news": {
      const { what, ...facts } = shown.news;
      return { event: what, name: shown.name, ...facts };
    }
    case "failed":
      return { event, name: shown.name, error: errorView(shown.error) };
    case "ended":
      return { event, name: shown.name, ...shown.ended };
  }
}
