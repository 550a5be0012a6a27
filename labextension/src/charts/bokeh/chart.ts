/** Charts drawn by BokehJS, which only this folder knows. */
import type { BestMark, Chart, ChartOptions, DrawnLine, EventMark, Frame, Line } from '../chart';
import type { Extent } from '../geometry';
import { makeFigure, type Figure } from './figure';
import { letDocumentGo, letViewsGo } from './leaving';
import Bokeh from './library';
import { addGlyphs, emptySources, fill, fillBest, fillEvents, type Source } from './sources';

letViewsGo();

class BokehChart implements Chart {
  constructor(
    private readonly node: HTMLElement,
    options: ChartOptions
  ) {
    this.figure = makeFigure(options, this.x, this.y, getComputedStyle(node).fontFamily);
    addGlyphs(this.figure, this.sources);
    this.fill();
    this.document.add_root(this.figure);
    // Start and end change one after the other, and a wheel turns several times a frame: told once a frame.
    const zoomed = (): void => {
      if (!this.settingView && !this.zooming) {
        this.zooming = true;
        requestAnimationFrame(() => {
          this.zooming = false;
          if (!this.disposed) {
            options.onZoom({ start: this.x.start, end: this.x.end });
          }
        });
      }
    };
    this.x.properties.start.change.connect(zoomed);
    this.x.properties.end.change.connect(zoomed);
    this.figure.on_event('mousemove', (event: { x: number }) => options.onPoint(event.x));
    this.figure.on_event('mouseleave', () => options.onPoint(null));
    this.figure.on_event('doubletap', () => options.onReset());
  }

  setLines(lines: readonly Line[]): void {
    lines.forEach(line => this.lines.set(line.run, line));
    this.fill();
  }

  removeLine(run: string): void {
    if (this.lines.delete(run)) {
      this.fill();
    }
  }

  setEvents(marks: readonly EventMark[]): void {
    fillEvents(this.sources, marks);
  }

  setBest(mark: BestMark | null): void {
    fillBest(this.sources, mark);
  }

  setView(x: Extent, y: Extent): void {
    this.settingView = true;
    this.x.setv({ start: x.start, end: x.end });
    this.y.setv({ start: y.start, end: y.end });
    this.settingView = false;
  }

  highlight(run: string | null): void {
    if (run !== this.forward) {
      this.forward = run;
      this.fill();
    }
  }

  /** A canvas reads the theme's CSS variables only when its view is made: the models stay, the views are made anew. */
  repaint(): Promise<void> {
    this.painted = this.painted.then(async () => {
      this.removeViews();
      if (!this.disposed) {
        await Bokeh.embed.add_document_standalone(this.document, this.node);
      }
      if (this.disposed) {
        this.removeViews();
      }
    });
    return this.painted;
  }

  leftOf(x: number): number | null {
    const view = this.view;
    return view?.frame && x >= this.x.start && x <= this.x.end ? view.frame.x_scale.compute(x) : null;
  }

  frame(): Frame | null {
    const box = this.view?.frame?.bbox;
    const [x, y] = [this.x, this.y].map(({ start, end }) => ({ start, end }));
    return box && x && y
      ? { left: box.left, top: box.top, width: box.width, height: box.height, x, y }
      : null;
  }

  picture(): HTMLCanvasElement | null {
    return this.view?.export('png').canvas ?? null;
  }

  get title(): string {
    return String([...this.figure.xaxis][0]?.axis_label ?? '');
  }

  marked(): number[] {
    return Array.from(this.sources.events.get_array<number>('x'));
  }

  best(): { x: number; y: number } | null {
    const [x, y] = ['x', 'y'].map(name => this.sources.best.get_array<number>(name)[0]);
    return x === undefined || y === undefined ? null : { x, y };
  }

  drawn(): DrawnLine[] {
    const { lines, edges, marks, smooth } = this.sources;
    const column = <T>(source: Source, name: string): T[] => Array.from(source.get_array<T>(name));
    const of = <T>(source: Source, name: string, run: string): T[] => {
      const values = column<T>(source, name);
      return column<string>(source, 'run').flatMap((other, i) => (other === run ? [values[i] as T] : []));
    };
    return column<string>(lines, 'run').map(run => {
      const [low, high] = bandOf(of<number[]>(edges, 'ys', run));
      const [[x], [y]] = [of<number[]>(lines, 'xs', run), of<number[]>(lines, 'ys', run)];
      return {
        run,
        x: x ?? [],
        y: y ?? [],
        low,
        high,
        marks: of<number>(marks, 'x', run),
        smooth: of<number[]>(smooth, 'ys', run)[0] ?? []
      };
    });
  }

  dispose(): void {
    this.disposed = true;
    this.removeViews();
    letDocumentGo(this.document);
    this.lines.clear();
  }

  /** New data into the sources: the figure stays, nothing flickers. */
  private fill(): void {
    const forward = this.forward !== null && this.lines.has(this.forward) ? this.forward : null;
    const lines = [...this.lines.values()];
    lines.sort((a, b) => Number(a.emphasis) - Number(b.emphasis)); // what is drawn last lies on top
    fill(this.sources, lines, forward);
  }

  private get view(): PlotView | null | undefined {
    return this.document.views_manager?.get(this.figure);
  }

  private removeViews(): void {
    this.document.views_manager?.roots.forEach(view => view.remove());
    this.document.views_manager = undefined;
    this.node.replaceChildren();
  }

  private readonly x = new Bokeh.Range1d();
  private readonly y = new Bokeh.Range1d();
  // It looks for models without use a while after a change, and is kept until then: by default for 30 s.
  private readonly document = new Bokeh.Document({ recompute_timeout: 500 });
  private readonly figure: Figure;
  private readonly sources = emptySources();
  private readonly lines = new Map<string, Line>();
  private forward: string | null = null;
  private painted: Promise<void> = Promise.resolve();
  private settingView = false;
  private zooming = false;
  private disposed = false;
}

/** Least and greatest values: of a group's two edges, or of a run's bars (least, greatest, gap). */
function bandOf(edges: readonly number[][]): [number[], number[]] {
  const [first, second] = edges;
  if (first && second) {
    return [first, second];
  }
  const part = (offset: number): number[] => (first ?? []).filter((_, i) => i % 3 === offset);
  return [part(0), part(1)];
}

/** What is used of BokehJS's view of a figure. */
interface PlotView {
  frame?: {
    x_scale: { compute(x: number): number };
    bbox: { left: number; top: number; width: number; height: number };
  };
  export(type: 'png'): { canvas: HTMLCanvasElement };
}

/** Makes a chart with its first lines and view. It paints once, when its node is on the page. */
export async function makeChart(
  node: HTMLElement,
  options: ChartOptions,
  prepare: (chart: Chart) => void
): Promise<Chart> {
  const chart = new BokehChart(node, options);
  prepare(chart);
  await chart.repaint();
  return chart;
}
