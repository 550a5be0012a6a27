/**
 * What the compared runs' cells showed, side by side.
 *
 * Outputs of runs come from anywhere, so they are never trusted: JupyterLab's renderers take only what is safe, and
 * HTML goes through its sanitizer. No script of theirs runs.
 */
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IOutput } from '@jupyterlab/nbformat';
import type { IDisposable } from '@lumino/disposable';
import { Panel, Widget } from '@lumino/widgets';

import type { Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { RecordedCell, Run } from '../wire/protocol';
import type { CompareModel } from './comparemodel';
import { onScreen } from './onscreen';

export interface OutputsOptions {
  trackside: Trackside;
  model: CompareModel;
  rendermime: IRenderMimeRegistry;
  /** What scrolls. */
  root: HTMLElement;
}

/** One column a run, filled when it comes on screen. */
export class Outputs extends Panel {
  constructor(private readonly options: OutputsOptions) {
    super();
    this.addClass('jp-trackside-outputs');
    options.model.changed.connect(this.arrange, this);
    options.trackside.runs.changed.connect(this.onRuns, this);
    this.arrange();
  }

  private arrange(): void {
    const wanted = this.options.model.state.runs;
    for (const [id, column] of this.columns) {
      if (!wanted.includes(id)) {
        column.dispose();
        this.columns.delete(id);
      }
    }
    wanted.forEach((id, index) => {
      const column = this.columns.get(id) ?? new Column(id, this.options);
      this.columns.set(id, column);
      this.insertWidget(index, column);
    });
  }

  private onRuns(_sender: unknown, ids: ReadonlySet<string>): void {
    this.columns.forEach((column, id) => ids.has(id) && column.runChanged());
  }

  private readonly columns = new Map<string, Column>();
}

class Column extends Panel {
  constructor(
    private readonly runId: string,
    private readonly options: OutputsOptions
  ) {
    super();
    this.addClass('jp-trackside-column');
    this.node.dataset['runId'] = runId;
    this.head.addClass('jp-trackside-columnHead');
    this.addWidget(this.head);
    this.addWidget(this.body);
    this.describe();
    options.trackside.colours.changed.connect(this.describe, this);
    this.seen = onScreen(this.node, options.root, inView => {
      this.inView = inView;
      this.loadIfNeeded();
    });
  }

  /** A run that has ended has all its outputs; one that goes on is read again when its state changes. */
  runChanged(): void {
    const status = this.run?.status;
    if (status !== this.loadedStatus) {
      this.describe();
      this.loadIfNeeded();
    }
  }

  override dispose(): void {
    this.seen.dispose();
    super.dispose();
  }

  private get run(): Run | undefined {
    return this.options.trackside.runs.get(this.runId);
  }

  private describe(): void {
    const style = this.options.trackside.colours.styleOf(this.runId);
    const key = document.createElement('span');
    key.className = 'jp-trackside-tipKey';
    key.style.borderTopColor = style.colour;
    key.style.borderTopStyle = style.dash;
    const name = document.createElement('span');
    name.textContent = this.run?.name ?? this.runId;
    this.head.node.replaceChildren(key, name);
    this.head.node.title = name.textContent;
  }

  private loadIfNeeded(): void {
    const status = this.run?.status;
    if (!this.inView || this.loading || (this.loadedStatus !== undefined && this.loadedStatus === status)) {
      return;
    }
    this.loading = true;
    this.options.trackside.api
      .outputs(this.runId)
      .then(
        cells => this.showCells(cells),
        (error: unknown) => this.say(describeError(error))
      )
      .finally(() => {
        this.loading = false;
        this.loadedStatus = status ?? 'unknown';
      });
  }

  private say(text: string): void {
    const note = new Widget();
    note.addClass('jp-trackside-hint');
    note.node.textContent = text;
    this.replaceBody([note]);
  }

  private showCells(cells: readonly RecordedCell[]): void {
    if (this.isDisposed) {
      return;
    }
    const { trans } = this.options.trackside;
    const parts = cells.flatMap(cell => this.cellParts(cell));
    const error = this.run?.error;
    const errorSeen = cells.some(cell => cell.outputs.some(output => output.output_type === 'error'));
    if (error && !errorSeen) {
      parts.push(this.outputArea([{ output_type: 'error', ...error }]));
    }
    if (parts.length === 0) {
      this.say(trans.__('No output was recorded.'));
    } else {
      this.replaceBody(parts);
    }
  }

  private cellParts(cell: RecordedCell): Widget[] {
    const parts: Widget[] = [];
    if (cell.source) {
      const source = document.createElement('details');
      const label = document.createElement('summary');
      label.textContent = `[${cell.execution_count ?? ' '}] ${firstLine(cell.source)}`;
      const code = document.createElement('pre');
      code.textContent = cell.source;
      source.append(label, code);
      source.className = 'jp-trackside-source';
      parts.push(new Widget({ node: source }));
    }
    if (cell.outputs.length > 0) {
      parts.push(this.outputArea(cell.outputs));
    }
    return parts;
  }

  private outputArea(outputs: readonly IOutput[]): Widget {
    return new SimplifiedOutputArea({
      model: new OutputAreaModel({ values: [...outputs], trusted: false }),
      rendermime: this.options.rendermime
    });
  }

  private replaceBody(parts: readonly Widget[]): void {
    [...this.body.widgets].forEach(widget => widget.dispose());
    parts.forEach(part => this.body.addWidget(part));
  }

  private readonly head = new Widget();
  private readonly body = new Panel();
  private readonly seen: IDisposable;
  private inView = false;
  private loading = false;
  private loadedStatus: string | undefined;
}

/** The first line that says something: a magic or a comment is a good title too. */
function firstLine(source: string): string {
  return source.split('\n').find(line => line.trim() !== '') ?? '';
}
