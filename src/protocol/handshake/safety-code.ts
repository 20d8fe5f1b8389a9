import { wordlist } from "@scure/bip39/wordlists/english.js";
import { concat, type Bytes } from "../base/bytes.ts";
import { derive } from "./keys.ts";
import type { Primitives } from "../base/primitives.ts";

/** 64 signs that differ at a glance and have a plain name, each one code point. */
const SIGNS = Array.from(
  "🐶🐱🦁🐴🦄🐷🐘🐰🐼🐔🐧🐢🐟🐙🦋🌷🌳🌵🍄🌍🌙🔥🍌🍎🍓🌽🍕🎂🤖🎩👓🔧🎅👍⌛⏰🎁💡📕📎🔒🔑🔨🏆🏁🚂🚲🚀⚓🎈🎸🎺🔔🎧🍋🧀🥕🐝🐍🦊🪁🧩🛶🗿",
);

const SIGN_COUNT = 7;
const WORD_COUNT = 4;
const WORD_BITS = 11;
const SIGN_BITS = 6;
const ENTROPY_BYTES = 12;

/** Bits from the front of `bytes`, `width` at a time. */
function* groups(bytes: Bytes, width: number): Generator<number> {
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= width) {
      bits -= width;
      yield held >> bits;
      held &= (1 << bits) - 1;
    }
  }
}

/** The first `count` words of the list that these bytes stand for, 11 bits each, with spaces between them. */
export function wordsOf(bytes: Bytes, count: number): string {
  return [...groups(bytes, WORD_BITS)]
    .slice(0, count)
    .map((value) => wordlist[value])
    .join(" ");
}

/**
 * Seven signs (42 bits) and four words (44 bits) that are equal on both sides of a pairing exactly when nobody sits
 * between them (PROTOCOL §10). The guest commits to its share before it sees the host's half, so an attacker has one
 * guess and cannot search for a match.
 */
export function safetyCode(primitives: Primitives, handshakeHash: Bytes, guestShare: Bytes): string {
  const entropy = derive(primitives, concat(handshakeHash, guestShare), "sas", ENTROPY_BYTES);
  const half = ENTROPY_BYTES / 2;
  const signs = [...groups(entropy.subarray(0, half), SIGN_BITS)].slice(0, SIGN_COUNT);
  return `${signs.map((value) => SIGNS[value]).join(" ")} / ${wordsOf(entropy.subarray(half), WORD_COUNT)}`;
}
