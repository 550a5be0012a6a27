/** The left sidebar. */
import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';

import { trackIcon } from '../icons';
import { CurrentKernel } from '../model/currentkernel';
import { Sidebar } from '../sidebar/sidebar';
import { CommandIDs, ITrackside, SIDEBAR_ID, type Trackside } from '../trackside';
import { describedBy } from './palette';

export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'trackside:sidebar',
  description: 'Runs and GPUs in the left sidebar.',
  autoStart: true,
  requires: [ITrackside],
  optional: [ILayoutRestorer, INotebookTracker, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    trackside: Trackside,
    restorer: ILayoutRestorer | null,
    notebooks: INotebookTracker | null,
    palette: ICommandPalette | null
  ): void => {
    const { trans } = trackside;
    const kernel = notebooks ? new CurrentKernel(notebooks) : null;
    const sidebar = new Sidebar({ trackside, commands: app.commands, kernel });
    app.shell.add(sidebar, 'left', { rank: 350, type: 'Trackside' });
    restorer?.add(sidebar, SIDEBAR_ID);
    app.commands.addCommand(CommandIDs.showSidebar, {
      label: trans.__('Show Runs and GPUs'),
      icon: trackIcon,
      describedBy: describedBy({}),
      execute: () => app.shell.activateById(SIDEBAR_ID)
    });
    palette?.addItem({ command: CommandIDs.showSidebar, category: trans.__('Trackside') });
  }
};
