/** The status bar item of the current notebook's kernel. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';

import { CurrentKernel } from '../model/currentkernel';
import { KernelStatus } from '../status/kernelstatus';
import { CommandIDs, ITrackside, type Trackside } from '../trackside';

export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'trackside:status',
  description: 'Says in the status bar where the notebook runs.',
  autoStart: true,
  requires: [ITrackside, INotebookTracker],
  optional: [IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    trackside: Trackside,
    notebooks: INotebookTracker,
    statusBar: IStatusBar | null
  ): void => {
    if (!statusBar) {
      return;
    }
    const kernel = new CurrentKernel(notebooks);
    const item = new KernelStatus({
      trackside,
      kernel,
      onClick: () => void app.commands.execute(CommandIDs.showSidebar)
    });
    statusBar.registerStatusItem('trackside:status', {
      item,
      align: 'left',
      rank: 2,
      isActive: () => item.isActive,
      activeStateChanged: item.activeChanged
    });
    // Leases concern a person with a notebook open: only then is the feed kept open for the status bar.
    let held = kernel.id === null ? null : trackside.feed.hold();
    kernel.changed.connect(() => {
      if (kernel.id !== null) {
        held ??= trackside.feed.hold();
      } else {
        held?.dispose();
        held = null;
      }
    });
  }
};
