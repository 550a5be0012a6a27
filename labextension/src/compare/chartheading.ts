/** What stands above a chart: the metric, how it is meant, its best value, and what is not seen of it. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { bestOf, hasNoLogarithm, type YScale } from '../charts/geometry';
import type { SharedAxis } from '../charts/sharedaxis';
import { formatNumber } from '../text/format';
import { beginningOf, spelledOut } from '../text/looks';
import type { SeriesWindow } from '../wire/decode';
import type { Metric } from '../wire/protocol';
import type { Grouping } from './grouping';

/** What the heading says besides the metric's own words. */
export interface HeadingFacts {
  /** Of the best value in view, ready to show; "" for none. */
  best: string;
  /** Why something is not drawn; each with the whole story. */
  hidden: readonly { text: string; title: string }[];
}

export interface HeadingOptions {
  metric: Metric;
  axis: SharedAxis;
  windows: readonly SeriesWindow[];
  grouping: Grouping;
  scale: YScale;
  trans: TranslationBundle;
}

/** What is to be said of these windows as they are seen now. */
export function headingFacts(options: HeadingOptions): HeadingFacts {
  const { metric, axis, windows, grouping, scale, trans } = options;
  const best = metric.better ? bestOf(windows, metric.better, axis.view) : null;
  const whose = windows.length > 1 && best ? ` · ${grouping.nameOf(best.run)}` : '';
  const hidden: { text: string; title: string }[] = [];
  if (scale === 'log' && hasNoLogarithm(windows, axis.view)) {
    const title = trans.__('Values of 0 and below have no place on a logarithmic axis; they are not drawn.');
    hidden.push({ text: trans.__('≤ 0 not drawn'), title });
  }
  const asked = grouping.asked(metric);
  const missing = (asked.groups ?? asked.runs).length - windows.length;
  if (windows.length > 0 && missing > 0 && windows[0]?.xKind === axis.kind) {
    const title = trans.__('Their points have no %1 to be drawn over.', axis.kind);
    hidden.push({ text: trans._n('%1 run not drawn', '%1 runs not drawn', missing), title });
  }
  return { best: best ? formatNumber(best.value) + whose : '', hidden };
}

export class ChartHeading {
  constructor(
    menu: HTMLElement,
    private readonly trans: TranslationBundle
  ) {
    this.node.className = 'jp-trackside-chartHead';
    this.name.className = 'jp-trackside-chartName';
    this.words.className = 'jp-trackside-chartWords';
    this.node.append(this.name, this.words, menu);
  }

  readonly node = document.createElement('div');

  update(metric: Metric, { best, hidden }: HeadingFacts): void {
    const { trans } = this;
    const said = JSON.stringify([metric.name, metric.unit, metric.better, metric.source, best, hidden]);
    if (said === this.said) {
      return;
    }
    this.said = said;
    this.name.textContent = this.name.title = metric.name;
    const badges: HTMLElement[] = [];
    if (metric.unit) {
      badges.push(badge(metric.unit, trans.__('The unit of its values')));
    }
    if (metric.better) {
      const lower = metric.better === 'lower';
      const title = lower ? trans.__('Lower is better') : trans.__('Higher is better');
      badges.push(
        badge(`${lower ? '↓' : '↑'} ${best}`.trim(), best ? `${title} · ★ ${best}` : title, 'better')
      );
    }
    if (metric.source === 'inferred') {
      const why = trans.__('Read from what the cell printed; nobody logged it.');
      badges.push(badge(trans.__('inferred'), why));
    }
    const spelling = spelledOut(metric.name);
    if (spelling !== null) {
      const why = trans.__('This name is not written as it looks; another one may look the same.');
      badges.push(badge(beginningOf(spelling, 40), `${why}\n${spelling}`, 'spelling'));
    }
    hidden.forEach(({ text, title }) => badges.push(badge(text, title, 'hidden')));
    this.words.replaceChildren(...badges);
  }

  private readonly name = document.createElement('span');
  private readonly words = document.createElement('span');
  private said = '';
}

function badge(text: string, title: string, kind = ''): HTMLElement {
  const node = document.createElement('span');
  node.className = 'jp-trackside-badge';
  node.textContent = text;
  node.title = title;
  if (kind) {
    node.dataset['kind'] = kind;
  }
  return node;
}
