// A client's program: records how it was called, and then does as FAKE says.
import { writeFileSync } from "node:fs";
import path from "node:path";

writeFileSync(path.join(process.env.FAKE_HOME, "calls.txt"), JSON.stringify(process.argv.slice(2)));
if (process.env.FAKE === "fail") {
  for (let line = 1; line <= 8; line += 1) process.stderr.write(`line ${line}\n`);
  process.stderr.write("\u001b[31mno such thing\u001b[39m\n");
  process.exitCode = 3;
}
if (process.env.FAKE === "hang") setInterval(() => undefined, 1_000);
