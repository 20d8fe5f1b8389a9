/** Section 10 of docs/PROTOCOL.md: the safety code. */
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { concat, type Bytes } from "./bytes.ts";
import { derive } from "./keys.ts";

/** The 64 signs of N1 in their order. */
export const SIGNS = `
  🐶 🐱 🦁 🐴 🦄 🐷 🐘 🐰 🐼 🐔 🐧 🐢 🐟 🐙 🦋 🌷
  🌳 🌵 🍄 🌍 🌙 🔥 🍌 🍎 🍓 🌽 🍕 🎂 🤖 🎩 👓 🔧
  🎅 👍 ⌛ ⏰ 🎁 💡 📕 📎 🔒 🔑 🔨 🏆 🏁 🚂 🚲 🚀
  ⚓ 🎈 🎸 🎺 🔔 🎧 🍋 🧀 🥕 🐝 🐍 🦊 🪁 🧩 🛶 🗿
`
  .trim()
  .split(/\s+/);

const HALF_BYTES = 6;
const SIGN_COUNT = 7;
const SIGN_BITS = 6;
const WORD_COUNT = 4;
const WORD_BITS = 11;

/** The first `count` numbers of `size` bits each, most significant first. */
function numbers(bytes: Bytes, count: number, size: number): number[] {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return Array.from({ length: count }, (_, at) => parseInt(bits.slice(at * size, (at + 1) * size), 2));
}

/** N1 */
export function safetyCode(hash: Bytes, share: Bytes): string {
  const bytes = derive(concat(hash, share), "sas", 2 * HALF_BYTES);
  const signs = numbers(bytes.subarray(0, HALF_BYTES), SIGN_COUNT, SIGN_BITS);
  const words = numbers(bytes.subarray(HALF_BYTES), WORD_COUNT, WORD_BITS);
  return [...signs.map((sign) => SIGNS[sign]), "/", ...words.map((word) => wordlist[word])].join(" ");
}
