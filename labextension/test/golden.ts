/** The golden messages that pin the wire for Python and TypeScript alike. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Compiled tests run from `labextension/`. */
const FOLDER = join(process.cwd(), '..', 'tests', 'contracts', 'golden');

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as T;
}
