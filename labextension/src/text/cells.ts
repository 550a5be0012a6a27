/** The source of the cells that this panel writes into a notebook. Pure functions. */

/** What a GPU spec, a target or a lease's name may look like: one word of a magic's line. */
const WORD = /^[A-Za-z0-9][A-Za-z0-9_.:>=+-]*$/;

/** Raised when an argument cannot stand on a magic's line. */
export class BadArgument extends Error {}

function checked(what: string, word: string): string {
  if (!WORD.test(word)) {
    throw new BadArgument(
      `${what} cannot be ${JSON.stringify(word)}: write one word, such as a100 or any>=24gb.`
    );
  }
  return word;
}

/** Loads the magics first, unless a cell of the notebook does so already. */
function withExtension(line: string, sources: readonly string[]): string {
  const loaded = sources.some(source => /^\s*%load_ext\s+kernel_magics\b/m.test(source));
  return loaded ? line : `%load_ext kernel_magics\n${line}`;
}

/** `%gpu_provision SPEC [--on TARGET]`. */
export function provisionCell(spec: string, on: string | null, sources: readonly string[]): string {
  const line = `%gpu_provision ${checked('A GPU', spec)}`;
  return withExtension(on ? `${line} --on ${checked('A target', on)}` : line, sources);
}

/** `%gpu_attach NAME [--take]`; `take`: also if another notebook holds it, which then lets go. */
export function attachCell(name: string, sources: readonly string[], take = false): string {
  const line = `%gpu_attach ${checked("A lease's name", name)}`;
  return withExtension(take ? `${line} --take` : line, sources);
}
