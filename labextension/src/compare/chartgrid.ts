/** One chart a metric, drawn while on screen; parts by what stands before the slash of a metric's name. */
import type { IDisposable } from '@lumino/disposable';
import { Panel } from '@lumino/widgets';

import type { Axes } from '../charts/axes';
import { partOf } from '../text/metricsearch';
import type { Trackside } from '../trackside';
import type { Metric, RunEvent } from '../wire/protocol';
import type { ByRun } from './byrun';
import { ChartCard } from './chartcard';
import type { CompareModel } from './comparemodel';
import type { CompareState, SectionName } from './comparestate';
import type { Grouping } from './grouping';
import { onScreen } from './onscreen';
import { sizeGrid } from './chartsizing';
import { Section } from './section';
import { SeriesBook } from './seriesbook';
import { metricKey } from './seriesentry';

export interface ChartGridOptions {
  trackside: Trackside;
  model: CompareModel;
  axes: Axes;
  grouping: Grouping;
  events: ByRun<RunEvent[]>;
  /** Of the section it stands in. */
  name: SectionName;
  /** At first; see {@link SeriesBook.smoothing}. */
  smoothing: number;
  /** What scrolls. */
  root: HTMLElement;
}

/** The part of pinned charts; no prefix of a metric's name has a slash. */
const PINNED = '/pinned';

interface Part {
  cards: Panel;
  section: Section;
}

interface Placed {
  card: ChartCard;
  seen: IDisposable;
}

export class ChartGrid extends Panel {
  constructor(private readonly options: ChartGridOptions) {
    super();
    this.addClass('jp-trackside-charts');
    options.model.changed.connect(this.onModel, this);
    this.observer.observe(this.node);
    const { api, feed } = options.trackside;
    this.series = new SeriesBook(api, feed, options.axes, options.grouping, options.smoothing);
  }

  /** In the order given. Cards of metrics that stay keep their charts. */
  setMetrics(metrics: readonly Metric[]): void {
    this.metrics = metrics;
    const { pinned } = this.options.model.state;
    this.remove(new Set(metrics.map(metricKey)));
    const byPrefix = new Map<string, Metric[]>();
    for (const metric of metrics) {
      const prefix = pinned.includes(metricKey(metric)) ? PINNED : partOf(metric);
      byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), metric]);
    }
    byPrefix.get(PINNED)?.sort((a, b) => pinned.indexOf(metricKey(a)) - pinned.indexOf(metricKey(b)));
    const prefixes = [...byPrefix.keys()].sort(
      (a, b) =>
        Number(b === PINNED) - Number(a === PINNED) || a.localeCompare(b, undefined, { numeric: true })
    );
    prefixes.forEach((prefix, index) => {
      const part = this.part(prefix);
      const ours = byPrefix.get(prefix) ?? [];
      this.insertWidget(index, part.section);
      part.section.headed = prefixes.length > 1;
      part.section.note = String(ours.length);
      ours.forEach((metric, at) => this.place(part, metric, at));
    });
    // Only now: a chart that was pinned has moved out of its part.
    for (const [prefix, part] of this.parts) {
      if (!byPrefix.has(prefix)) {
        part.section.dispose();
        this.parts.delete(prefix);
      }
    }
  }

  /** The axes are others: windows and figures are made anew. */
  rebuild(): void {
    this.series.clear();
    this.cards.forEach(({ card }) => card.rebuild());
    this.series.refresh();
  }

  set smoothing(smoothing: number) {
    this.series.smoothing = smoothing;
  }

  /** Nobody looks at a hidden view: pushes stop, charts stay. */
  set paused(paused: boolean) {
    this._paused = paused;
    this.series.paused = paused;
  }

  override dispose(): void {
    this.observer.disconnect();
    this.options.model.changed.disconnect(this.onModel, this);
    this.remove(new Set());
    this.series.dispose();
    super.dispose();
  }

  private onModel(model: CompareModel, before: CompareState): void {
    if (model.state.pinned !== before.pinned) {
      this.setMetrics(this.metrics);
    }
    if (model.state.size !== before.size) {
      this.applySize();
    }
  }

  private applySize(): void {
    sizeGrid(this.node, this.options.model.state.size);
  }

  private remove(except: ReadonlySet<string>): void {
    for (const [key, { card, seen }] of this.cards) {
      if (!except.has(key)) {
        seen.dispose();
        card.dispose();
        this.cards.delete(key);
      }
    }
  }

  private part(prefix: string): Part {
    const existing = this.parts.get(prefix);
    if (existing) {
      return existing;
    }
    const { model, name, trackside } = this.options;
    const path = `${name}/${prefix}`;
    const cards = new Panel();
    cards.addClass('jp-trackside-grid');
    const section = new Section(
      prefix === PINNED ? trackside.trans.__('Pinned') : prefix || trackside.trans.__('General'),
      cards,
      model.state.folded.includes(path),
      folded => model.fold(path, folded),
      'h4'
    );
    section.addClass('jp-trackside-prefix');
    section.node.dataset['prefix'] = prefix;
    const part = { cards, section };
    this.parts.set(prefix, part);
    return part;
  }

  private place(part: Part, metric: Metric, index: number): void {
    const key = metricKey(metric);
    const existing = this.cards.get(key);
    if (existing) {
      existing.card.metric = metric;
      part.cards.insertWidget(index, existing.card);
      return;
    }
    const { trackside, model, axes, grouping, events, root } = this.options;
    const card = new ChartCard({ trackside, model, axes, grouping, events, metric, series: this.series });
    part.cards.insertWidget(index, card);
    const seen = onScreen(card.node, root, inView => {
      if (!this._paused) {
        card.setInView(inView);
      }
    });
    this.cards.set(key, { card, seen });
  }

  private readonly observer = new ResizeObserver(() => this.applySize());
  private metrics: readonly Metric[] = [];
  private readonly series: SeriesBook;
  private readonly parts = new Map<string, Part>();
  private readonly cards = new Map<string, Placed>();
  private _paused = true;
}
