// Removes what a build leaves, so that a production build never ships source maps of a development one.
// `lib` and `panel` as arguments: only what TypeScript made, only what JupyterLab loads.
import { rmSync } from 'node:fs';
import { argv } from 'node:process';

const made = { lib: ['lib', 'tsconfig.tsbuildinfo'], panel: ['../jupyter_ext/labextension'] };
const wanted = argv.length > 2 ? argv.slice(2) : Object.keys(made);

for (const path of wanted.flatMap(part => made[part])) {
  rmSync(new URL(`../${path}`, import.meta.url), { recursive: true, force: true });
}
