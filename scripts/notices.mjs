/** Collects the licences of everything that ends up in the bundle, so that one file can ship without its packages. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const BSD3 = `Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:
    * Redistributions of source code must retain the above copyright notice, this list of conditions and the following
      disclaimer.
    * Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the
      following disclaimer in the documentation and/or other materials provided with the distribution.
    * The names of any contributors may not be used to endorse or promote products derived from this software without
      specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDERS AND CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF
THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.`;

/**
 * Packages that a dependency carries inside its own files, without their licence texts. Closed on purpose: an unknown
 * one stops the build, so that a dependency update cannot bring in code without a notice.
 */
const EMBEDDED = new Map([
  ["@cfworker/json-schema", { licence: MIT, holders: ["Copyright (c) 2020 Jeremy Danyow"] }],
  ["ajv", { licence: MIT, holders: ["Copyright (c) 2015-2021 Evgeny Poberezkin"] }],
  ["ajv-formats", { licence: MIT, holders: ["Copyright (c) 2020 Evgeny Poberezkin"] }],
  ["content-type", { licence: MIT, holders: ["Copyright (c) 2015 Douglas Christopher Wilson"] }],
  ["fast-deep-equal", { licence: MIT, holders: ["Copyright (c) 2017 Evgeny Poberezkin"] }],
  [
    "fast-uri",
    {
      licence: BSD3,
      holders: [
        "Copyright (c) 2011-2021, Gary Court",
        "Copyright (c) 2021-present The Fastify team. All rights reserved.",
      ],
    },
  ],
  ["json-schema-traverse", { licence: MIT, holders: ["Copyright (c) 2017 Evgeny Poberezkin"] }],
]);

const LODASH =
  "Copyright OpenJS Foundation and other contributors, and Jeremy Ashkenas, DocumentCloud and Investigative Reporters & Editors";
/** Packages inside the one file of another package, which names them nowhere. */
const PACKED_INTO = new Map([
  [
    "@secretlint/secretlint-rule-preset-recommend",
    [
      { name: "@textlint/regexp-string-matcher", holder: "Copyright (c) 2017 azu" },
      { name: "escape-string-regexp", holder: "Copyright (c) Sindre Sorhus <sindresorhus@gmail.com>" },
      { name: "lodash.sortby", holder: LODASH },
      { name: "lodash.uniq", holder: LODASH },
      { name: "lodash.uniqwith", holder: LODASH },
    ],
  ],
]);

/** The folder of the package a bundled file belongs to, or undefined for the project's own files. */
function packageFolder(input) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
}

/** One package that lies in node_modules: its name, version and the licence text it ships. */
async function installedNotice(root, folder) {
  const absolute = path.join(root, folder);
  const { name, version, license } = JSON.parse(await readFile(path.join(absolute, "package.json"), "utf8"));
  const file = (await readdir(absolute)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
  if (file === undefined) throw new Error(`${name} ships no licence file`);
  const text = await readFile(path.join(absolute, file), "utf8");
  return { title: `${name} ${version} (${license})`, text: text.trim() };
}

/** Packages embedded in a dependency's own files, which name them in `//#region` comments. */
async function embeddedNotices(root, inputs) {
  const found = new Map();
  for (const input of inputs) {
    const source = await readFile(path.join(root, input), "utf8");
    for (const [, name, version] of source.matchAll(
      /^\/\/#region .*node_modules\/\.pnpm\/(@?[^@\s]+)@([^/_\s]+)/gm,
    )) {
      found.set(name.replace("+", "/"), version);
    }
  }
  return [...found].map(([name, version]) => {
    const entry = EMBEDDED.get(name);
    if (entry === undefined)
      throw new Error(`no licence recorded for ${name} ${version}: see scripts/notices.mjs`);
    return {
      title: `${name} ${version} (embedded)`,
      text: `${entry.holders.join("\n")}\n\n${entry.licence}`,
    };
  });
}

/**
 * The text of THIRD-PARTY-NOTICES.txt.
 * @param {string} root the project folder
 * @param {string[]} inputs bundled files, relative to `root`, with forward slashes
 * @returns {Promise<string>}
 * @throws when a bundled package has no known licence
 */
export async function thirdPartyNotices(root, inputs) {
  const foreign = inputs.filter((input) => packageFolder(input) !== undefined);
  const folders = [...new Set(foreign.map(packageFolder))];
  const packed = folders.flatMap((folder) => PACKED_INTO.get(folder.replace(/^.*node_modules\//, "")) ?? []);
  const notices = [
    ...packed.map(({ name, holder }) => ({ title: `${name} (MIT, embedded)`, text: `${holder}\n\n${MIT}` })),
    ...(await Promise.all(folders.map((folder) => installedNotice(root, folder)))),
    ...(await embeddedNotices(root, foreign)),
  ].sort((a, b) => a.title.localeCompare(b.title, "en"));
  const rule = "-".repeat(80);
  const sections = notices.map(({ title, text }) => `${rule}\n${title}\n${rule}\n\n${text}\n`);
  return ["tunnel-mcp contains code of the following packages.\n", ...sections].join("\n");
}
