/** One chart a metric, drawn while on screen. */
import type { IDisposable } from '@lumino/disposable';
import { Panel } from '@lumino/widgets';

import type { SharedAxis } from '../charts/sharedaxis';
import type { Trackside } from '../trackside';
import type { Metric } from '../wire/protocol';
import { ChartCard } from './chartcard';
import type { CompareModel } from './comparemodel';
import { onScreen } from './onscreen';
import { metricKey, SeriesBook } from './seriesbook';

export interface ChartGridOptions {
  trackside: Trackside;
  model: CompareModel;
  axis: SharedAxis;
  /** What scrolls. */
  root: HTMLElement;
}

export class ChartGrid extends Panel {
  constructor(private readonly options: ChartGridOptions) {
    super();
    this.addClass('jp-trackside-grid');
    const { api, feed } = options.trackside;
    this.series = new SeriesBook(api, feed, options.axis);
  }

  /** Cards of metrics that stay keep their charts. */
  setMetrics(metrics: readonly Metric[]): void {
    const wanted = new Map(metrics.map(metric => [metricKey(metric), metric] as const));
    for (const [key, { card, seen }] of this.cards) {
      if (!wanted.has(key)) {
        seen.dispose();
        card.dispose();
        this.cards.delete(key);
      }
    }
    [...wanted].forEach(([key, metric], index) => {
      const existing = this.cards.get(key);
      if (existing) {
        existing.card.metric = metric;
        this.insertWidget(index, existing.card);
      } else {
        this.addCard(key, metric, index);
      }
    });
  }

  /** The axes are others: windows and figures are made anew. */
  rebuild(): void {
    this.series.clear();
    this.cards.forEach(({ card }) => card.rebuild());
    this.series.refresh();
  }

  /** Nobody looks at a hidden view: pushes stop, charts stay. */
  set paused(paused: boolean) {
    this._paused = paused;
    this.series.paused = paused;
  }

  override dispose(): void {
    this.cards.forEach(({ seen }) => seen.dispose());
    this.series.dispose();
    super.dispose();
  }

  private addCard(key: string, metric: Metric, index: number): void {
    const { trackside, model, axis, root } = this.options;
    const card = new ChartCard({ trackside, model, axis, metric, series: this.series });
    this.insertWidget(index, card);
    const seen = onScreen(card.node, root, inView => {
      if (!this._paused) {
        card.setInView(inView);
      }
    });
    this.cards.set(key, { card, seen });
  }

  private readonly series: SeriesBook;
  private readonly cards = new Map<string, { card: ChartCard; seen: IDisposable }>();
  private _paused = true;
}
