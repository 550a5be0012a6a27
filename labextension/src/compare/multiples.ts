/** One plot a run, or a group, side by side: the same x and y axes, zoom and crosshair, each under its own title. */
import type { IDisposable } from '@lumino/disposable';

import type { DrawnLine, Frame } from '../charts/chart';
import type { Extent } from '../charts/geometry';
import { read } from '../charts/readout';
import { setKey } from '../charts/tooltip';
import type { SeriesWindow } from '../wire/decode';
import { tilesPicture } from './chartpicture';
import { ChartPlot } from './chartplot';
import { onScreen } from './onscreen';
import { spanOf, type ChartPlotOptions, type Plots } from './plots';

/** Without a laid out panel nobody knows how wide one is; pixels. */
const USUAL_WIDTH = 240;

/** A run is read this share of the view beyond its ends. */
const REACH = 0.03;

interface Panel {
  node: HTMLElement;
  key: HTMLElement;
  name: HTMLElement;
  value: HTMLElement;
  plot: ChartPlot;
  seen: boolean;
  watch: IDisposable;
}

export class Multiples implements Plots {
  constructor(private readonly options: ChartPlotOptions) {
    this.node.className = 'jp-trackside-multiples';
    const { axis, trackside } = options;
    axis.viewChanged.connect(this.forgetSpan, this);
    axis.pointerChanged.connect(this.readAll, this);
    trackside.pointing.changed.connect(this.showPointed, this);
    trackside.colours.changed.connect(this.nameAll, this);
  }

  readonly node = document.createElement('div');

  get exists(): boolean {
    return this.wanted && this.panels.size > 0;
  }

  get dataWidth(): number {
    const first = this.panels.values().next().value;
    return first ? first.plot.dataWidth : USUAL_WIDTH;
  }

  get drawn(): DrawnLine[] {
    return [...this.panels.values()].flatMap(({ plot }) => plot.drawn);
  }

  get marked(): number[] {
    return [...this.panels.values()].flatMap(({ plot }) => plot.marked);
  }

  get title(): string {
    return this.first?.plot.title ?? '';
  }

  get best(): { x: number; y: number } | null {
    return this.first?.plot.best ?? null;
  }

  get frame(): Frame | null {
    return this.first?.plot.frame ?? null;
  }

  get frames(): Frame[] {
    return [...this.panels.values()].flatMap(({ plot }) => plot.frames);
  }

  get picture(): HTMLCanvasElement | null {
    return this.first?.plot.picture ?? null;
  }

  async snapshot(): Promise<HTMLCanvasElement | null> {
    const panels = [...this.panels.values()];
    panels.forEach(({ plot }) => plot.draw());
    const pictures = await Promise.all(panels.map(({ plot }) => plot.snapshot()));
    const tiles = panels.flatMap(({ node, name, key }, i) => {
      const picture = pictures[i];
      const style = getComputedStyle(key);
      return picture ? [{ node, title: name.textContent ?? '', colour: style.borderTopColor, picture }] : [];
    });
    const all = tilesPicture(this.node, tiles);
    panels.filter(({ seen }) => !seen).forEach(rest);
    return all;
  }

  leftOf(x: number): number | null {
    return this.first?.plot.leftOf(x) ?? null;
  }

  draw(): void {
    this.wanted = true;
    this.forgetSpan();
    const runs = this.options.windows().map(({ run }) => run);
    [...this.panels.keys()].filter(run => !runs.includes(run)).forEach(run => this.removeLine(run));
    runs.forEach((run, index) => {
      const panel = this.panels.get(run) ?? this.makePanel(run);
      if (this.node.children[index] !== panel.node) {
        this.node.insertBefore(panel.node, this.node.children[index] ?? null);
      }
      if (panel.seen) {
        panel.plot.draw();
      }
    });
    this.nameAll();
    this.options.onDrawn(runs.length);
  }

  markEvents(): void {
    this.panels.forEach(({ plot }) => plot.markEvents());
  }

  removeLine(run: string): void {
    const panel = this.panels.get(run);
    if (panel) {
      panel.watch.dispose();
      panel.plot.dispose();
      panel.node.remove();
      this.panels.delete(run);
    }
  }

  drop(): void {
    this.wanted = false;
    this.panels.forEach(rest);
  }

  dispose(): void {
    const { axis, trackside } = this.options;
    axis.viewChanged.disconnect(this.forgetSpan, this);
    axis.pointerChanged.disconnect(this.readAll, this);
    trackside.pointing.changed.disconnect(this.showPointed, this);
    trackside.colours.changed.disconnect(this.nameAll, this);
    this.drop();
    [...this.panels.keys()].forEach(run => this.removeLine(run));
  }

  private makePanel(run: string): Panel {
    const { pointing } = this.options.trackside;
    const [node, key, name, value] = [
      ['div', 'jp-trackside-multiple'],
      ['span', 'jp-trackside-tipKey'],
      ['span', 'jp-trackside-tipName'],
      ['b', 'jp-trackside-multipleValue']
    ].map(([tag, className]) => Object.assign(document.createElement(tag as string), { className })) as [
      HTMLElement, HTMLElement, HTMLElement, HTMLElement
    ]; // prettier-ignore
    node.dataset['run'] = run;
    node.setAttribute('role', 'group');
    node.addEventListener('mouseenter', () => pointing.at(run));
    node.addEventListener('mouseleave', () => pointing.at(null));
    const plot = new ChartPlot({
      ...this.options,
      small: true,
      windows: () => this.of(run),
      events: () => this.options.events().filter(event => this.options.grouping.leadOf(event.run) === run),
      spanned: () => this.span,
      onDrawn: lines => (node.dataset['lines'] = String(lines))
    });
    const title = document.createElement('div');
    title.className = 'jp-trackside-multipleTitle';
    title.append(key, name, value);
    node.append(title, plot.node);
    const panel: Panel = {
      node, key, name, value, plot, seen: false,
      watch: onScreen(node, null, seen => this.onSeen(run, seen))
    }; // prettier-ignore
    this.panels.set(run, panel);
    return panel;
  }

  /** Only what is on screen is drawn: fifty figures would take seconds. */
  private onSeen(run: string, seen: boolean): void {
    const panel = this.panels.get(run);
    if (panel && seen !== panel.seen) {
      panel.seen = seen;
      if (!seen) {
        rest(panel);
      } else if (this.wanted) {
        panel.plot.draw();
      }
    }
  }

  /** What one plot shows: its run, before the baseline that all are compared with. */
  private of(run: string): SeriesWindow[] {
    const { grouping, model, windows } = this.options;
    const { baseline } = model.state;
    const shown = [baseline === null ? null : grouping.leadOf(baseline), run];
    return windows().filter(window => shown.includes(window.run));
  }

  /** What all of them reach; worked out once for all plots. */
  private get span(): Extent | null {
    if (this.spanned === undefined) {
      const { axis, model, smoothed, windows } = this.options;
      this.spanned = spanOf([...windows(), ...smoothed().values()], axis, model);
    }
    return this.spanned;
  }

  private forgetSpan(): void {
    this.spanned = undefined;
  }

  private nameAll(): void {
    const { grouping, trackside } = this.options;
    this.panels.forEach(({ key, name, node }, run) => {
      setKey(key, trackside.colours.styleOf(run));
      name.textContent = name.title = grouping.nameOf(run);
      node.setAttribute('aria-label', grouping.nameOf(run));
    });
  }

  /** Beside each title: what that run says where the pointer is. */
  private readAll(_axis: unknown, at: number | null): void {
    const { axis, windows } = this.options;
    const reach = (axis.view.end - axis.view.start) * REACH;
    const byRun = new Map(windows().map(window => [window.run, window]));
    this.panels.forEach(({ value, seen }, run) => {
      const window = byRun.get(run);
      const reading = seen && at !== null && window ? read(window, at, reach) : null;
      value.textContent = reading?.text ?? '';
    });
  }

  private showPointed(): void {
    const { grouping, trackside } = this.options;
    const pointed = trackside.pointing.run === null ? null : grouping.leadOf(trackside.pointing.run);
    this.panels.forEach(({ node }, run) => node.classList.toggle('jp-mod-pointed', run === pointed));
  }

  private get first(): Panel | undefined {
    return [...this.panels.values()].find(({ plot }) => plot.exists);
  }

  private readonly panels = new Map<string, Panel>();
  private spanned: Extent | null | undefined;
  private wanted = false;
}

/** Takes away what was drawn of one. */
function rest({ node, plot }: Panel): void {
  plot.drop();
  delete node.dataset['lines'];
}
