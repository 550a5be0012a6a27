/** Commands that rent, attach and release machines. Each asks first: they cost money or end work. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, InputDialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';

import { trackIcon } from '../icons';
import { attachCell, provisionCell } from '../text/cells';
import { formatDevice, formatPrice } from '../text/format';
import { CommandIDs, ITrackside, type Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { Lease } from '../wire/protocol';
import { describedBy } from './palette';

/** An argument that is a non-empty string, else `null`. */
function text(args: ReadonlyPartialJSONObject, key: string): string | null {
  const value = args[key];
  return typeof value === 'string' && value !== '' ? value : null;
}

/** What is shared by the commands that write a cell into the notebook in front and run it. */
class NotebookCommands {
  constructor(
    private readonly trackside: Trackside,
    private readonly notebooks: INotebookTracker
  ) {}

  get enabled(): boolean {
    return this.notebooks.currentWidget !== null;
  }

  async provision(spec: string | null, on: string | null): Promise<void> {
    const { trans } = this.trackside;
    const wanted = spec ?? (await this.ask(trans.__('Which GPU?'), 'a100', 'a100, l4, any>=24gb, gpu, cpu'));
    if (wanted) {
      await this.confirmAndRun(
        sources => provisionCell(wanted, on, sources),
        trans.__('Provision %1?', formatDevice(wanted, 1)),
        trans.__('A new cell runs this. Cells after it then run on that machine, until %gpu_release.')
      );
    }
  }

  async attach(name: string | null): Promise<void> {
    const { trans } = this.trackside;
    const wanted =
      name ?? (await this.ask(trans.__('Attach to which lease?'), '', trans.__("the lease's name")));
    if (wanted) {
      await this.confirmAndRun(
        sources => attachCell(wanted, sources),
        trans.__('Attach this notebook to %1?', wanted),
        trans.__('A new cell runs this. Cells after it then run on that machine.')
      );
    }
  }

  private async ask(title: string, initial: string, placeholder: string): Promise<string | null> {
    const answer = await InputDialog.getText({ title, text: initial, placeholder });
    return answer.button.accept ? (answer.value?.trim() ?? null) : null;
  }

  private async confirmAndRun(
    write: (sources: readonly string[]) => string,
    title: string,
    explanation: string
  ): Promise<void> {
    const { trans } = this.trackside;
    const panel = this.notebooks.currentWidget;
    if (!panel) {
      await showErrorMessage(title, trans.__('Open the notebook that should run there first.'));
      return;
    }
    try {
      const source = write(sourcesOf(panel));
      const answer = await showDialog({
        title,
        body: cellPreview(explanation, source),
        buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Run') })]
      });
      if (answer.button.accept) {
        await runInNewCell(panel, source);
      }
    } catch (error) {
      await showErrorMessage(title, describeError(error));
    }
  }
}

/** What will run, as it will stand in the cell. */
function cellPreview(explanation: string, source: string): Widget {
  const body = new Widget();
  const words = document.createElement('p');
  words.textContent = explanation;
  const code = document.createElement('pre');
  code.className = 'jp-trackside-preview';
  code.textContent = source;
  body.node.append(words, code);
  return body;
}

function sourcesOf(panel: NotebookPanel): string[] {
  const cells = panel.content.model?.sharedModel.cells ?? [];
  return cells.filter(cell => cell.cell_type === 'code').map(cell => cell.getSource());
}

async function runInNewCell(panel: NotebookPanel, source: string): Promise<void> {
  const { content, sessionContext } = panel;
  NotebookActions.insertBelow(content);
  content.activeCell?.model.sharedModel.setSource(source);
  await NotebookActions.run(content, sessionContext);
}

/** Asks, stops the machine, and says so when that fails: it may go on costing money. */
async function release(trackside: Trackside, lease: Lease): Promise<void> {
  const { trans, leases } = trackside;
  const price = formatPrice(lease.usd_per_hour);
  const answer = await showDialog({
    title: trans.__('Release %1?', lease.name),
    body: [
      trans.__('The kernel on %1 ends; what its variables hold is lost.', lease.machine || lease.target),
      trans.__('Outputs and metrics that came home stay.'),
      price && price !== 'free' ? trans.__('It costs %1 until then.', price) : ''
    ].join(' '),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Release') })]
  });
  if (!answer.button.accept) {
    return;
  }
  try {
    await leases.release(lease.id);
  } catch (error) {
    await showErrorMessage(
      trans.__('%1 was not released', lease.name),
      `${describeError(error)} ${trans.__('It may go on running, and costing money. %gpu_release in its notebook tries again.')}`
    );
  }
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
    const { trans } = trackside;
    const { commands } = app;
    if (notebooks) {
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
      notebooks.currentChanged.connect(() => {
        commands.notifyCommandChanged(CommandIDs.provision);
        commands.notifyCommandChanged(CommandIDs.attach);
      });
    }
    commands.addCommand(CommandIDs.release, {
      label: trans.__('Release a Leased Machine…'),
      icon: trackIcon,
      describedBy: describedBy({ lease: { type: 'string', description: "The lease's id" } }),
      execute: async args => {
        const id = text(args, 'lease') ?? (await chooseLease(trackside));
        if (id === null) {
          return;
        }
        const lease = await trackside.leases.find(id);
        if (lease) {
          await release(trackside, lease);
        } else {
          await showErrorMessage(trans.__('Nothing to release'), trans.__('No machine is leased as %1.', id));
        }
      }
    });
    for (const command of [CommandIDs.provision, CommandIDs.attach, CommandIDs.release]) {
      palette?.addItem({ command, category: trans.__('Trackside') });
    }
  }
};

async function chooseLease({ leases, trans }: Trackside): Promise<string | null> {
  await leases.refresh();
  if (leases.live.length === 0) {
    await showDialog({ title: trans.__('No machine is leased.'), buttons: [Dialog.okButton()] });
    return null;
  }
  const labels = leases.live.map(lease => `${lease.name} (${lease.id})`);
  const answer = await InputDialog.getItem({ title: trans.__('Release which machine?'), items: labels });
  const index = answer.button.accept ? labels.indexOf(answer.value ?? '') : -1;
  return leases.live[index]?.id ?? null;
}
