import { readdir, stat } from "node:fs/promises";
import path from "node:path";

/** The files of a list of files, folders and `FOLDER/*.EXT` (as `files` of package.json has them), by their path with slashes. */
export async function packageFiles(root, names) {
  const files = [];
  for (const name of names) {
    const [folder, ending] = name.split("*");
    if (ending !== undefined) {
      const found = (await readdir(path.join(root, folder))).filter((file) => file.endsWith(ending));
      // Folders are listed in any order, and the same sources must give the same archive.
      files.push(...found.map((file) => `${folder}${file}`).toSorted((a, b) => (a < b ? -1 : 1)));
    } else if ((await stat(path.join(root, name))).isFile()) files.push(name);
    else {
      const inside = (await readdir(path.join(root, name))).map((file) => `${name}/${file}`);
      files.push(...(await packageFiles(root, inside)));
    }
  }
  return files;
}
