/** The fields of the grid in which outputs stand side by side. */
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Panel, Widget } from '@lumino/widgets';

import type { LineStyle } from '../model/palette';
import { beginningOf } from '../text/looks';
import type { RecordedCell } from '../wire/protocol';
import type { CellRow } from './alignment';
import { leftOut } from './nooutput';
import { onScreen } from './onscreen';
import { shownOf } from './reaching';

function element(tag: string, className: string, text: string): HTMLElement {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

interface ColumnHeadOptions {
  name: string;
  style: LineStyle;
  /** What must be said of the run's outputs, or "". */
  said: string;
  /** Reads them again; `null` where that is of no use. */
  again: (() => void) | null;
  trans: TranslationBundle;
}

/** Above a run's column. */
export class ColumnHead extends Widget {
  constructor(run: string, { name, style, said, again, trans }: ColumnHeadOptions) {
    super();
    this.addClass('jp-trackside-columnHead');
    this.node.dataset['runId'] = run;
    const key = element('span', 'jp-trackside-tipKey', '');
    key.style.borderTopColor = style.colour;
    key.style.borderTopStyle = style.dash;
    const title = element('span', 'jp-trackside-columnName', name);
    title.title = name;
    this.node.append(key, title);
    if (said) {
      this.node.append(element('span', 'jp-trackside-columnWord', said));
    }
    if (again) {
      const button = element('button', 'jp-trackside-iconButton', '↻');
      button.title = trans.__('Read again');
      button.setAttribute('aria-label', trans.__('Read the outputs of %1 again', name));
      button.addEventListener('click', again);
      this.node.append(button);
    }
  }
}

/** Above a row: which cell it is, across all columns. */
export class CellHead extends Widget {
  constructor(row: CellRow, trans: TranslationBundle) {
    super({ node: document.createElement('h4') });
    this.addClass('jp-trackside-cellHead');
    const sources = new Set(row.flatMap(cell => cell?.source ?? []));
    const first = row.find(cell => cell?.source)?.source ?? '';
    this.node.append(
      element('code', '', firstLine(first) || trans.__('a cell whose source was not recorded'))
    );
    if (sources.size > 1) {
      this.node.append(element('span', 'jp-trackside-badge', trans.__('sources differ')));
    }
  }
}

/** Where a run has no such cell. */
export class AbsentCell extends Widget {
  constructor(run: string, trans: TranslationBundle) {
    super();
    this.addClass('jp-trackside-outputCell');
    this.node.dataset['runId'] = run;
    this.node.append(element('span', 'jp-trackside-absent', trans.__('no such cell')));
  }
}

interface OutputCellOptions {
  rendermime: IRenderMimeRegistry;
  trackside: { trans: TranslationBundle };
  /** What scrolls. */
  root: HTMLElement;
}

/** One cell of a run: its source, folded, and its outputs, drawn when they come on screen. */
export class OutputCell extends Panel {
  constructor(
    run: string,
    private readonly cell: RecordedCell,
    private readonly options: OutputCellOptions
  ) {
    super();
    this.addClass('jp-trackside-outputCell');
    this.node.dataset['runId'] = run;
    this.node.dataset['cell'] = cell.key;
    if (cell.source) {
      this.addWidget(sourceOf(cell, cell.source));
    }
    const { trans } = options.trackside;
    if (!cell.recorded || cell.outputs.length === 0) {
      const said = cell.recorded ? trans.__('It showed nothing.') : leftOut(trans);
      this.addWidget(new Widget({ node: element('p', 'jp-trackside-hint', said) }));
    }
    if (cell.outputs.length === 0) {
      return;
    }
    this.seen = onScreen(this.node, options.root, inView => inView && this.draw());
  }

  override dispose(): void {
    this.seen?.dispose();
    super.dispose();
  }

  private draw(): void {
    this.seen?.dispose();
    this.seen = null;
    const withheld = this.place(false);
    if (withheld.length > 0) {
      const { trans } = this.options.trackside;
      const text = trans.__('Show %1, which may load from elsewhere', withheld.join(', '));
      const more = new Widget({ node: element('button', 'jp-trackside-link', text) });
      more.node.addEventListener('click', () => {
        more.dispose();
        this.place(true);
      });
      this.addWidget(more);
    }
  }

  /** Puts the outputs in, anew; the types that wait until somebody wants `all`. */
  private place(all: boolean): string[] {
    const { rendermime, trackside } = this.options;
    const said = (mimes: string): string =>
      trackside.trans.__('Not shown here, where nothing of a run is carried out: %1', mimes);
    const shown = this.cell.outputs.map(output => shownOf(output, { renders: this.renders, said, all }));
    this.area?.dispose();
    const model = new OutputAreaModel({ values: shown.map(({ output }) => output), trusted: false });
    this.area = new SimplifiedOutputArea({ model, rendermime });
    this.addWidget(this.area);
    return [...new Set(shown.flatMap(({ withheld }) => withheld))];
  }

  /** Whether a type can be shown of what nobody vouches for. */
  private readonly renders = (mime: string): boolean =>
    this.options.rendermime.preferredMimeType({ [mime]: '' }, 'ensure') !== undefined;

  private area: Widget | null = null;
  private seen: IDisposable | null = null;
}

function sourceOf(cell: RecordedCell, source: string): Widget {
  const node = element('details', 'jp-trackside-source', '');
  node.append(
    element('summary', '', `[${cell.execution_count ?? ' '}] ${firstLine(source)}`),
    element('pre', '', source)
  );
  return new Widget({ node });
}

/** The first line that says something: a magic or a comment is a good title too. */
function firstLine(source: string): string {
  return beginningOf(/^.*\S.*$/m.exec(source)?.[0] ?? '', 300);
}
