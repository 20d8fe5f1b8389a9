/**
 * Values that documentation and tests put where a secret would stand. They are few and plain: a list that guesses would let
 * secrets go.
 */

const WORDS = new Set(
  `admin auth bar baz changeme demo default dummy empty example fake foo foobar guest hello hidden invalid key letmein
  login masked mock mypass mypassword mysecret mytoken mysql name none null opensesame pass passw0rd passwd password placeholder
  postgres private pswd pw pwd qwerty redacted removed root sample secret secretpassword something string test testing
  testpass testpassword token undefined user username userpass value x-access-token xxx`.split(/\s+/),
);

/** Templates: `${NAME}`, `$NAME`, `{{name}}`, `<name>`, `%s`, `%NAME%`, `[name]`. */
const TEMPLATE = /[$<>{}*|\\]|^%|\[|\]|\.\.\.|…/;
const SPOKEN =
  /^(?:your|my|some|the|insert|replace|enter|use)[-_ ]?|(?:example|placeholder|redacted|changeme|dummy|xxxx|goes[-_ ]?here)/i;

/** Whether a password in a URL or a header is one of documentation. */
export function isPlaceholder(value: string): boolean {
  const bare = value
    .toLowerCase()
    .replaceAll(" ", "")
    .replace(/\d{1,5}!?$/, "");
  return bare === "" || WORDS.has(bare) || TEMPLATE.test(value) || SPOKEN.test(value) || isMonotonous(value);
}

/** Whether what would be random in a token is not: `xxxxxxxx`, `0000`, `abcabcabc`, or a word that says so. */
export function isSample(body: string): boolean {
  return isMonotonous(body) || /example|x{4}|your[-_]|placeholder|redacted/i.test(body);
}

/** Fewer different characters than any random value of its length would have. */
function isMonotonous(value: string): boolean {
  return new Set(value).size <= Math.min(3, value.length / 3);
}
