/** How large a chart is: columns of the grid, and the height of its plot. Also the corner that changes it. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { CompareModel } from './comparemodel';
import { boundedSize, type ChartSize, type OwnSize } from './comparestate';
import { resizeHandle, type Shift } from './resizehandle';

/** Least width of a column, and height of a plot, in pixels. */
export const SIZES: Record<ChartSize, { column: number; height: number }> = {
  small: { column: 230, height: 150 },
  medium: { column: 310, height: 220 },
  large: { column: 520, height: 340 }
};

/** Between two columns, and beside the outermost, in pixels; as in `style/compare.css`. */
const GAP = 12;
const PADDING = 16;

/** What an arrow key changes a height by, in pixels. */
const STEP = 20;

/** Sets the grid's measures, from which its charts take theirs. */
export function sizeGrid(grid: HTMLElement, size: ChartSize): void {
  const { column, height } = SIZES[size];
  const columns = Math.floor((grid.clientWidth - 2 * PADDING + GAP) / (column + GAP));
  grid.style.setProperty('--jp-trackside-column', `${column}px`);
  grid.style.setProperty('--jp-trackside-plot-height', `${height}px`);
  grid.style.setProperty('--jp-trackside-columns', String(Math.max(1, columns)));
}

export interface ChartSizingOptions {
  model: CompareModel;
  /** Of the chart's metric. */
  key: string;
  /** What is sized. */
  card: HTMLElement;
  label: string;
  trans: TranslationBundle;
}

export class ChartSizing {
  constructor(private readonly options: ChartSizingOptions) {
    const { label, trans } = options;
    this.handle = resizeHandle({
      label: trans.__('Size of %1', label),
      title: trans.__('Drag, or use the arrow keys, for another size; double-click for the usual one'),
      onDrag: shift => this.show(this.shifted(shift)),
      onDrop: shift => this.keep(this.shifted(shift)),
      onCancel: () => this.update(),
      onStep: (x, y) => this.keep({ columns: this.size.columns + x, height: this.size.height + y * STEP }),
      onReset: () => options.model.resize(options.key, null)
    });
    this.update();
  }

  readonly handle: HTMLButtonElement;

  /** Shows the size that the model says. */
  update(): void {
    const { key, model } = this.options;
    this.show(model.state.sizes[key] ?? null);
  }

  private get size(): OwnSize {
    const { key, model } = this.options;
    return model.state.sizes[key] ?? { columns: 1, height: SIZES[model.state.size].height };
  }

  private keep(size: OwnSize): void {
    this.options.model.resize(this.options.key, size);
  }

  private show(size: OwnSize | null): void {
    const { style } = this.options.card;
    if (size) {
      const { columns, height } = boundedSize(size);
      style.setProperty('--jp-trackside-span', String(columns));
      style.setProperty('--jp-trackside-plot-height', `${height}px`);
    } else {
      style.removeProperty('--jp-trackside-span');
      style.removeProperty('--jp-trackside-plot-height');
    }
  }

  /** As wide as the pointer is now, in whole columns. */
  private shifted({ x, y }: Shift): OwnSize {
    const { columns, height } = this.size;
    const width = SIZES[this.options.model.state.size].column + GAP;
    return { columns: columns + x / width, height: height + y };
  }
}
