/** Values that the page is drawn of. It is drawn whole, so nothing needs to know who has read which of them. */
interface Signal<Value> {
  value: Value;
}

const effects: (() => void)[] = [];
let isBusy = false;
let isStale = false;

/** Draws at once where it is given another value. */
export function signal<Value>(first: Value): Signal<Value> {
  let value = first;
  return {
    get value() {
      return value;
    },
    set value(next) {
      if (next === value) return;
      value = next;
      isStale = true;
      batch(() => undefined);
    },
  };
}

/** Runs now, and whenever a value has changed. */
export function effect(run: () => void): void {
  effects.push(run);
  run();
}

/** Changes values, and draws once after it. What changes while it is drawn is drawn after that. */
export function batch(change: () => void): void {
  if (isBusy) return change();
  isBusy = true;
  try {
    change();
    while (isStale) {
      isStale = false;
      for (const run of effects) run();
    }
  } finally {
    isBusy = false;
  }
}
