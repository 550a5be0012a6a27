/** Commands that write a cell into the notebook in front and run it. Each asks first: it costs money or moves work. */
import { Dialog, InputDialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { NotebookActions, type INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';

import { OfferSearch } from '../model/offers';
import { attachCell, provisionCell } from '../text/cells';
import { describePrice, formatDevice } from '../text/format';
import type { Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { Lease } from '../wire/protocol';
import { ProvisionQuestion } from './provisionquestion';

/** What is asked before a cell runs: the title, and what tells of it, given the cell. */
interface Question {
  title: string;
  write: (sources: readonly string[]) => string;
  body: (source: string) => Widget;
}

export class NotebookCommands {
  constructor(
    private readonly trackside: Trackside,
    private readonly notebooks: INotebookTracker
  ) {}

  get enabled(): boolean {
    return this.notebooks.currentWidget !== null && this.trackside.feed.info?.read_only !== true;
  }

  async provision(spec: string | null, on: string | null): Promise<void> {
    const { api, trans } = this.trackside;
    const wanted = spec ?? (await this.ask(trans.__('Which GPU?'), 'a100', 'a100, l4, any>=24gb, gpu, cpu'));
    if (!wanted) {
      return;
    }
    await this.confirmAndRun({
      title: trans.__('Provision %1?', formatDevice(wanted, 1)),
      write: sources => provisionCell(wanted, on, sources),
      body: source => {
        const search = new OfferSearch(api, wanted);
        void search.look();
        return new ProvisionQuestion({ search, on, source, trans });
      }
    });
  }

  async attach(name: string | null): Promise<void> {
    const { leases, trans } = this.trackside;
    const wanted =
      name ?? (await this.ask(trans.__('Attach to which lease?'), '', trans.__("the lease's name")));
    if (!wanted) {
      return;
    }
    const lease = leases.live.find(each => each.name === wanted && each.state === 'ready');
    const take = lease?.link?.holder === 'notebook';
    await this.confirmAndRun({
      title: trans.__('Attach this notebook to %1?', wanted),
      write: sources => attachCell(wanted, sources, take),
      body: source => cellPreview([...this.aboutAttaching(lease, take)], source)
    });
  }

  private *aboutAttaching(lease: Lease | undefined, take: boolean): Iterable<string> {
    const { trans } = this.trackside;
    if (lease) {
      const device = formatDevice(lease.device, lease.gpus.length);
      const price = describePrice(lease, trans);
      yield trans.__('%1 on %2 (%3); its variables are there.', device, lease.machine || lease.target, price);
    }
    if (take) {
      const holder = lease?.notebook ?? trans.__('another notebook');
      yield trans.__('%1 works with it now, and lets go: its cells then run on its own machine.', holder);
    }
    yield trans.__('A new cell runs this. Cells after it then run on that machine.');
  }

  private async ask(title: string, initial: string, placeholder: string): Promise<string | null> {
    const answer = await InputDialog.getText({ title, text: initial, placeholder });
    return answer.button.accept ? (answer.value?.trim() ?? null) : null;
  }

  private async confirmAndRun({ title, write, body }: Question): Promise<void> {
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
        body: body(source),
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
function cellPreview(explanations: readonly string[], source: string): Widget {
  const body = new Widget();
  for (const explanation of explanations) {
    const words = document.createElement('p');
    words.textContent = explanation;
    body.node.append(words);
  }
  const code = document.createElement('pre');
  code.className = 'jp-trackside-preview';
  code.textContent = source;
  body.node.append(code);
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
