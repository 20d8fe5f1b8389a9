import { useEffect, useRef, useState } from "preact/hooks";

interface WordsProps {
  readonly label: string;
  readonly start: string;
  readonly send: string;
  readonly isOk: boolean;
  readonly done: (text: string) => Promise<void>;
  readonly cancel: () => void;
}

/** A field for words that this person has just asked to write. */
export function Words({ label, start, send, isOk, done, cancel }: WordsProps) {
  const [text, setText] = useState(start);
  const field = useRef<HTMLTextAreaElement>(null);
  // This person has just asked to write here.
  useEffect(() => field.current?.focus(), []);
  return (
    <div class="words">
      <label>
        {label}
        <textarea
          rows={Math.min(12, Math.max(2, start.split("\n").length))}
          value={text}
          dir="auto"
          ref={field}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            event.stopPropagation();
            cancel();
          }}
        />
      </label>
      <div class="row">
        <button type="button" class="btn" disabled={!isOk} onClick={() => void done(text)}>
          {send}
        </button>
        <button type="button" class="btn" onClick={cancel}>
          Back
        </button>
      </div>
    </div>
  );
}
