/** Outputs come back to a page that was reloaded, or closed and opened again, while a cell ran. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';

import { Restorer } from '../restore/restorer';
import { ITrackside, type Trackside } from '../trackside';
import { ApiError } from '../wire/errors';

export const restorePlugin: JupyterFrontEndPlugin<void> = {
  id: 'trackside:restore',
  description: 'Gives outputs back to pages that were not there when they came.',
  autoStart: true,
  requires: [ITrackside, INotebookTracker],
  activate: (app: JupyterFrontEnd, { api }: Trackside, notebooks: INotebookTracker): void => {
    const seen = new WeakSet<object>(); // a second view of a notebook shows the same outputs
    const begin = async (panel: NotebookPanel): Promise<void> => {
      await panel.context.ready; // not the kernel's: it is busy while a cell runs
      if (seen.has(panel.context) || panel.isDisposed || panel.context.model.collaborative) {
        return;
      }
      seen.add(panel.context);
      try {
        await api.info();
      } catch (error) {
        if (error instanceof ApiError) {
          return; // a server without Trackside, or one that lets this user read nothing
        }
      }
      if (!panel.isDisposed) {
        new Restorer(panel, app.serviceManager.serverSettings);
      }
    };
    notebooks.widgetAdded.connect((_sender, panel) => void begin(panel));
    notebooks.forEach(panel => void begin(panel));
  }
};
