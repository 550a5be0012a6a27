/**
 * What the compared runs' cells showed: a column each, the same cell in one row.
 *
 * Outputs of runs come from anywhere, so they are never trusted: JupyterLab's renderers take only what is safe, and
 * HTML goes through its sanitizer and ours. No script of theirs runs, and nothing is loaded from elsewhere.
 */
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { Panel, type Widget } from '@lumino/widgets';
import * as React from 'react';

import type { Trackside } from '../trackside';
import type { RecordedCell, Run } from '../wire/protocol';
import { alignCells, type CellRow } from './alignment';
import { ColumnPager } from './columnpager';
import { drawings } from './drawing';
import { LocalSanitizer } from './localsanitizer';
import { whyNoOutput } from './nooutput';
import { onScreen } from './onscreen';
import { AbsentCell, CellHead, ColumnHead, OutputCell } from './outputcell';
import type { RunColumns } from './runcolumns';
import type { RunLabels } from './runlabels';
import { StateBook } from './statebook';

export interface OutputsOptions {
  trackside: Trackside;
  columns: RunColumns;
  labels: RunLabels;
  rendermime: IRenderMimeRegistry;
  /** What scrolls. */
  root: HTMLElement;
}

/** Read once they have come on screen. */
export class Outputs extends Panel {
  constructor(private readonly options: OutputsOptions) {
    super();
    const { trackside, columns } = options;
    this.addClass('jp-trackside-outputs');
    this.book = new StateBook(id => trackside.api.outputs(id));
    const { trans } = trackside;
    const sanitizer = new LocalSanitizer(options.rendermime.sanitizer, trans);
    this.rendermime = options.rendermime.clone({ sanitizer });
    this.rendermime.addFactory(drawings);
    this.addWidget(ReactWidget.create(React.createElement(ColumnPager, { columns, trans })));
    this.grid.addClass('jp-trackside-outputGrid');
    this.grid.node.tabIndex = 0;
    this.grid.node.setAttribute('role', 'region');
    this.grid.node.setAttribute('aria-label', trans.__('Outputs side by side'));
    this.addWidget(this.grid);
    columns.changed.connect(this.read, this);
    this.book.changed.connect(this.arrange, this);
    trackside.runs.changed.connect(this.onRuns, this);
    trackside.colours.changed.connect(this.arrange, this);
    this.seen = onScreen(this.node, options.root, inView => {
      this.inView = inView;
      this.read();
    });
    this.arrange();
  }

  override dispose(): void {
    const { trackside, columns } = this.options;
    this.seen.dispose();
    columns.changed.disconnect(this.read, this);
    trackside.runs.changed.disconnect(this.onRuns, this);
    trackside.colours.changed.disconnect(this.arrange, this);
    this.book.dispose();
    super.dispose();
  }

  private onRuns(_sender: unknown, changed: ReadonlySet<string>): void {
    // A run that trains changes several times a second; what stands here does so seldom.
    if (this.options.columns.ids.some(id => changed.has(id)) && this.aspect() !== this.shown) {
      this.read();
    }
  }

  /** A run that has ended has all its outputs; one that goes on is read again when its state is another. */
  private read(): void {
    if (this.inView) {
      const { runs } = this.options.trackside;
      this.book.ensure(this.options.columns.ids.map(id => ({ id, status: runs.get(id)?.status })));
    }
    this.arrange();
  }

  /** Puts the widgets where they belong; those of cells that were not read anew stay as they are. */
  private arrange(): void {
    const { ids } = this.options.columns;
    const wanted = [...ids.map(id => this.headOf(id)), ...this.bodyOf(ids)];
    const kept = new Set(wanted);
    [...this.grid.widgets].filter(widget => !kept.has(widget)).forEach(widget => widget.dispose());
    wanted.forEach((widget, index) => {
      if (this.grid.widgets[index] !== widget) {
        this.grid.insertWidget(index, widget);
      }
    });
    this.shown = this.aspect();
    this.grid.node.style.setProperty('--trackside-columns', String(Math.max(1, ids.length)));
  }

  /** What of the runs is seen beside their cells. */
  private aspect(): string {
    const { columns, labels, trackside } = this.options;
    return JSON.stringify(columns.ids.map(id => [labels.of(id), trackside.runs.get(id)?.status]));
  }

  private headOf(id: string): Widget {
    const { trackside, labels } = this.options;
    const run = trackside.runs.get(id);
    const name = labels.of(id);
    const style = trackside.colours.styleOf(id);
    const answer = this.book.get(id);
    const said = this.wordOn(run, answer);
    const again = run?.status === 'running' && answer !== undefined ? () => this.book.again(id) : null;
    return new ColumnHead(id, { name, style, said, again, trans: trackside.trans });
  }

  /** What must be said of a column beside its cells. */
  private wordOn(run: Run | undefined, answer: RecordedCell[] | string | undefined): string {
    const { trans } = this.options.trackside;
    if (typeof answer === 'string') {
      return answer;
    }
    if (answer === undefined) {
      return trans.__('Reading…');
    }
    if (run?.status === 'running') {
      return trans.__('It goes on: this is what there was.');
    }
    return answer.length === 0 ? whyNoOutput(run, trans) : '';
  }

  private bodyOf(ids: readonly string[]): Widget[] {
    const { runs, trans } = this.options.trackside;
    const cells = ids.map(id => {
      const answer = this.book.get(id);
      return typeof answer === 'object' ? answer : [];
    });
    const rows = alignCells(cells).flatMap(row => [
      new CellHead(row, trans),
      ...row.map((cell, at) => this.cellOf(ids[at] as string, cell))
    ]);
    const ends = ids.map((id, at) =>
      endOf(runs.get(id), cells[at] ?? [], typeof this.book.get(id) === 'object')
    );
    return ends.some(Boolean)
      ? [...rows, ...ends.map((cell, at) => this.cellOf(ids[at] as string, cell))]
      : rows;
  }

  private cellOf(run: string, cell: RecordedCell | null): Widget {
    if (cell === null) {
      return new AbsentCell(run, this.options.trackside.trans);
    }
    let widget = this.made.get(cell);
    if (!widget || widget.isDisposed) {
      widget = new OutputCell(run, cell, { ...this.options, rendermime: this.rendermime });
      this.made.set(cell, widget);
    }
    return widget;
  }

  private readonly book: StateBook<RecordedCell[]>;
  private readonly grid = new Panel();
  private readonly rendermime: IRenderMimeRegistry;
  /** A cell that is read again is another object. */
  private readonly made = new WeakMap<RecordedCell, OutputCell>();
  private readonly seen: IDisposable;
  private inView = false;
  private shown = '';
}

const ends = new WeakMap<object, RecordedCell>();

/** How a run ended, as a cell, where none of its cells shows it. */
function endOf(run: Run | undefined, cells: CellRow, read: boolean): RecordedCell | null {
  const error = run?.error;
  const seen = cells.some(cell => cell?.outputs.some(output => output.output_type === 'error'));
  if (!read || !error || seen) {
    return null;
  }
  let end = ends.get(error);
  if (!end) {
    const none = {
      key: '',
      source: null,
      recorded: true,
      execution_count: null,
      cell_id: null,
      started: null,
      finished: null
    };
    end = { ...none, outputs: [{ output_type: 'error', ...error }] };
    ends.set(error, end);
  }
  return end;
}
