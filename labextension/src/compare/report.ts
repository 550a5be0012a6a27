/** A comparison as one file: a page that works offline, or a notebook that opens it again. */
import { showErrorMessage } from '@jupyterlab/apputils';

import { openMenu } from '../menu';
import type { Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { ReportFormat } from '../wire/protocol';
import { saveFile } from './chartpicture';
import type { CompareModel } from './comparemodel';

/** Opens the choice of formats below a button. */
export function openReportMenu(button: HTMLElement, model: CompareModel, trackside: Trackside): void {
  const { trans } = trackside;
  const { left, bottom } = button.getBoundingClientRect();
  const save = (format: ReportFormat): void => {
    button.setAttribute('aria-busy', 'true');
    saveReport(format, model, trackside)
      .catch((error: unknown) => void showErrorMessage(trans.__('No report was made'), describeError(error)))
      .finally(() => button.setAttribute('aria-busy', 'false'));
  };
  openMenu(
    [
      { id: 'html', label: trans.__('Save as One Page (HTML)'), run: () => save('html') },
      { id: 'notebook', label: trans.__('Save as Notebook'), run: () => save('notebook') }
    ],
    { x: left, y: bottom, focusAfter: button }
  );
}

async function saveReport(format: ReportFormat, model: CompareModel, trackside: Trackside): Promise<void> {
  const { runs, x, y, groupBy, smoothing, notes, baseline, band, inferred } = model.state;
  const file = await trackside.api.report({
    runs: [...runs],
    format,
    x,
    log: y === 'log',
    group_by: groupBy,
    smoothing,
    notes,
    baseline: baseline !== null && runs.includes(baseline) ? baseline : null,
    band,
    inferred,
    styles: Object.fromEntries(runs.map(run => [run, trackside.colours.slotOf(run)]))
  });
  saveFile(new Blob([file.content], { type: 'text/plain;charset=utf-8' }), file.name);
}
