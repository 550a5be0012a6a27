/** What can be done with one run of the list. */
import { Clipboard, showErrorMessage } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { CommandRegistry } from '@lumino/commands';

import type { MenuAction } from '../menu';
import { notebookPath } from '../text/notebooks';
import { editActions } from '../table/runedits';
import { CommandIDs, type Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { Run } from '../wire/protocol';

export function runActions(run: Run, trackside: Trackside, commands: CommandRegistry): MenuAction[] {
  const { selection, trans } = trackside;
  const chosen = selection.has(run.id) && selection.size > 1 ? selection.ids : [run.id];
  const actions: MenuAction[] = [
    {
      id: 'compare',
      label: trans._n('Compare', 'Compare %1 Runs', chosen.length),
      run: () => void commands.execute(CommandIDs.openCompare, { runs: [...chosen] })
    },
    { id: 'copy', label: trans.__('Copy Id'), run: () => Clipboard.copyToSystem(run.id) }
  ];
  const recorded = run.facts['notebook'];
  const path =
    typeof recorded === 'string' ? notebookPath(recorded, PageConfig.getOption('serverRoot')) : null;
  if (path !== null) {
    actions.push({
      id: 'notebook',
      label: trans.__('Open Notebook'),
      run: () => {
        commands.execute('docmanager:open', { path }).catch((error: unknown) => {
          void showErrorMessage(trans.__('%1 could not be opened', path), describeError(error));
        });
      }
    });
  }
  return [...actions, ...editActions(chosen, trackside)];
}
