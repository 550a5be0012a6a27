/** The kernel of the notebook that is in front. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Signal, type ISignal } from '@lumino/signaling';

export class CurrentKernel {
  constructor(private readonly notebooks: INotebookTracker) {
    notebooks.currentChanged.connect(this.onNotebook, this);
    this.onNotebook();
  }

  /** Emitted when another notebook comes to the front or its kernel changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get notebook(): NotebookPanel | null {
    return this.notebooks.currentWidget;
  }

  /** Jupyter Server's id of the kernel, `null` when there is none. */
  get id(): string | null {
    return this.context?.session?.kernel?.id ?? null;
  }

  private onNotebook(): void {
    this.context?.kernelChanged.disconnect(this.emit, this);
    this.context = this.notebooks.currentWidget?.sessionContext ?? null;
    this.context?.kernelChanged.connect(this.emit, this);
    this.emit();
  }

  private emit(): void {
    this._changed.emit();
  }

  private context: ISessionContext | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
