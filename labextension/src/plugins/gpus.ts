/** Commands that rent, attach and release machines, and show what their agents say. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, showErrorMessage } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { LogView } from '../gpus/logview';
import { NotebookCommands } from '../gpus/notebookcommands';
import { chooseLease, release } from '../gpus/releasing';
import { trackIcon } from '../icons';
import { CommandIDs, ITrackside, type Trackside } from '../trackside';
import type { Lease } from '../wire/protocol';
import { describedBy } from './palette';

/** An argument that is a non-empty string, else `null`. */
function text(args: ReadonlyPartialJSONObject, key: string): string | null {
  const value = args[key];
  return typeof value === 'string' && value !== '' ? value : null;
}

export const gpusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'trackside:gpus',
  description: 'Rent, attach and release GPU machines.',
  autoStart: true,
  requires: [ITrackside],
  optional: [INotebookTracker, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    trackside: Trackside,
    notebooks: INotebookTracker | null,
    palette: ICommandPalette | null
  ): void => {
    if (notebooks) {
      addNotebookCommands(app, trackside, notebooks);
    }
    addLeaseCommands(app, trackside);
    for (const command of [CommandIDs.provision, CommandIDs.attach, CommandIDs.release, CommandIDs.openLog]) {
      palette?.addItem({ command, category: trackside.trans.__('Trackside') });
    }
  }
};

function addNotebookCommands(
  { commands }: JupyterFrontEnd,
  trackside: Trackside,
  notebooks: INotebookTracker
): void {
  const { trans } = trackside;
  const inNotebook = new NotebookCommands(trackside, notebooks);
  commands.addCommand(CommandIDs.provision, {
    label: trans.__('Provision a GPU for This Notebook…'),
    icon: trackIcon,
    isEnabled: () => inNotebook.enabled,
    describedBy: describedBy({ spec: { type: 'string' }, on: { type: 'string' } }),
    execute: args => inNotebook.provision(text(args, 'spec'), text(args, 'on'))
  });
  commands.addCommand(CommandIDs.attach, {
    label: trans.__('Attach This Notebook to a Leased Machine…'),
    icon: trackIcon,
    isEnabled: () => inNotebook.enabled,
    describedBy: describedBy({ lease: { type: 'string', description: "The lease's name" } }),
    execute: args => inNotebook.attach(text(args, 'lease'))
  });
  const enabledMayChange = (): void => {
    commands.notifyCommandChanged(CommandIDs.provision);
    commands.notifyCommandChanged(CommandIDs.attach);
  };
  notebooks.currentChanged.connect(enabledMayChange);
  trackside.editor.changed.connect(enabledMayChange);
}

function addLeaseCommands({ commands, shell }: JupyterFrontEnd, trackside: Trackside): void {
  const { trans } = trackside;
  const ofLease = async (
    args: ReadonlyPartialJSONObject,
    title: string,
    act: (lease: Lease) => void | Promise<void>
  ): Promise<void> => {
    const id = text(args, 'lease') ?? (await chooseLease(trackside, title));
    if (id === null) {
      return;
    }
    const lease = await trackside.leases.find(id);
    await (lease ? act(lease) : showErrorMessage(title, trans.__('No machine is leased as %1.', id)));
  };
  const lease = { type: 'string', description: "The lease's id" };
  commands.addCommand(CommandIDs.release, {
    label: trans.__('Release a Leased Machine…'),
    icon: trackIcon,
    isEnabled: () => trackside.feed.info?.read_only !== true,
    describedBy: describedBy({ lease }),
    execute: args => ofLease(args, trans.__('Release which machine?'), one => release(trackside, one))
  });
  trackside.editor.changed.connect(() => commands.notifyCommandChanged(CommandIDs.release));
  const open = (one: Lease): void => {
    const id = `trackside-log-${one.id}`;
    const shown = [...shell.widgets('main')].find(widget => widget.id === id);
    if (!shown) {
      const view = new MainAreaWidget({ content: new LogView(trackside, one) });
      view.id = id;
      view.title.label = trans.__('Log of %1', one.name);
      view.title.icon = trackIcon;
      shell.add(view, 'main');
    }
    shell.activateById(id);
  };
  commands.addCommand(CommandIDs.openLog, {
    label: trans.__('Show the Log of a Leased Machine…'),
    icon: trackIcon,
    describedBy: describedBy({ lease }),
    execute: args => ofLease(args, trans.__('The log of which machine?'), open)
  });
}
