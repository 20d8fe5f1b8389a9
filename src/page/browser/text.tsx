import { useState } from "preact/hooks";
import { blocksOf, inlinesOf, type Block, type Inline } from "../text/markdown.ts";
import { unmarked } from "../text/marks.ts";
import { beginningOf, piecesOf } from "../text/plain.ts";

/** Somebody's text as it is written: text nodes, with what hides written out. */
export function Raw({ text }: { readonly text: string }) {
  return (
    <>
      {piecesOf(text).map((piece) => {
        switch (piece.kind) {
          case "text":
            return piece.text;
          case "hidden":
            return (
              <mark class="hidden" title="A character that is not seen, or that turns the direction">
                {`U+${piece.point}`}
              </mark>
            );
          case "gap":
            return (
              <span class="gap">{`\n[${piece.count} ${piece.of === "lines" ? "empty lines" : "spaces"}]\n`}</span>
            );
        }
      })}
    </>
  );
}

function Inlines({ of }: { readonly of: readonly Inline[] }) {
  return (
    <>
      {of.map((one) => {
        if (one.t === "link") return <LinkText {...one} />;
        const text = <Raw text={one.text} />;
        switch (one.t) {
          case "text":
            return text;
          case "code":
            return <code>{text}</code>;
          case "strong":
            return <strong>{text}</strong>;
          case "em":
            return <em>{text}</em>;
        }
      })}
    </>
  );
}

/** An address that somebody has written: it can be copied, and never followed from here. */
function LinkText({ text, url }: { readonly text: string; readonly url: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void =>
    void navigator.clipboard?.writeText(unmarked(url)).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <span class="link">
      <Raw text={text} />
      {text === "" ? "" : " "}
      <code>
        <Raw text={url} />
      </code>
      <button type="button" class="small" onClick={copy}>
        {isCopied ? "copied" : "copy"}
      </button>
    </span>
  );
}

function Part({ of }: { readonly of: Block }) {
  switch (of.t) {
    case "p":
      return (
        <p>
          <Inlines of={of.inlines} />
        </p>
      );
    case "heading":
      return (
        <p class="heading">
          <Inlines of={of.inlines} />
        </p>
      );
    case "quote":
      return (
        <blockquote>
          <Inlines of={of.inlines} />
        </blockquote>
      );
    case "code":
      return (
        <pre tabIndex={0}>
          <code>
            <Raw text={of.text} />
          </code>
        </pre>
      );
    case "list": {
      const items = of.items.map((item) => (
        <li>
          <Inlines of={item} />
        </li>
      ));
      return of.isOrdered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case "rule":
      return <hr />;
    case "gap":
      return <p class="gap">{`[${of.count} empty lines]`}</p>;
  }
}

/** Somebody's text as Markdown, which can be seen as it was written. */
export function Said({ text, isRaw }: { readonly text: string; readonly isRaw: boolean }) {
  const [isOpen, setOpen] = useState(false);
  const { text: start, isWhole, lines } = beginningOf(text);
  const shown = isOpen ? text : start;
  return (
    <div class="said" dir="auto">
      {isRaw ? (
        <pre class="raw" tabIndex={0}>
          <Raw text={shown} />
        </pre>
      ) : (
        blocksOf(shown).map((one) => <Part of={one} />)
      )}
      {isWhole || isOpen ? null : (
        <button type="button" class="more" onClick={() => setOpen(true)}>
          {`Show all of it: ${lines} lines, ${text.length} characters`}
        </button>
      )}
    </div>
  );
}

/** A short text, such as a note. */
export const Note = ({ text }: { readonly text: string }) => (
  <p class="note" dir="auto">
    <Inlines of={inlinesOf(text)} />
  </p>
);

const LINES: readonly (readonly [RegExp, string])[] = [
  [/^(?:diff |--- |\+\+\+ |index |From |Subject: |Date: )/, "file"],
  [/^@@/, "hunk"],
  [/^\+/, "add"],
  [/^-/, "del"],
];

/** A patch, line by line: the signs stay, so that nothing depends on colour. */
export const Diff = ({ text }: { readonly text: string }) => (
  <pre class="diff" tabIndex={0}>
    {text.split("\n").map((line) => (
      <span class={LINES.find(([start]) => start.test(line))?.[1] ?? ""}>
        <Raw text={line} />
        {"\n"}
      </span>
    ))}
  </pre>
);
