/** Why nothing of what a run showed is on the record. Pure functions; the same sentences as `kernel_magics/figures/outputs.py`. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { baseName } from '../text/format';
import type { Run } from '../wire/protocol';

/** Not written in the sentences: translation takes two percent signs for an escaped one. */
const MAGIC = '%%track';

/** Of a run without a tracked cell. */
export function whyNoOutput(run: Pick<Run, 'facts'> | undefined, trans: TranslationBundle): string {
  const { script, notebook } = run?.facts ?? {};
  if (typeof script === 'string') {
    return trans.__(
      'No output was recorded: only cells with %1 keep theirs, and this run is of the script %2.',
      MAGIC,
      baseName(script)
    );
  }
  return typeof notebook === 'string'
    ? trans.__(
        'No output was recorded: only cells with %1 keep theirs. What its cell showed is in %2, if that was saved.',
        MAGIC,
        baseName(notebook)
      )
    : trans.__(
        'No output was recorded: only cells with %1 keep theirs. What its cell showed is in its notebook, if that was saved.',
        MAGIC
      );
}

/** Of a tracked cell whose outputs were to be left out. */
export function leftOut(trans: TranslationBundle): string {
  return trans.__('What it showed was not recorded: --no-outputs, or outputs = false in [capture].');
}
