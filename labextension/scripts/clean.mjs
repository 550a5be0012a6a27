// Removes what a build leaves, so that a production build never ships source maps of a development one.
import { rmSync } from 'node:fs';

for (const path of ['lib', 'tsconfig.tsbuildinfo', '../jupyter_ext/labextension']) {
  rmSync(new URL(`../${path}`, import.meta.url), { recursive: true, force: true });
}
