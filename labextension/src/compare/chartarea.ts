/**
 * All charts of a comparison, in three groups: what was logged, what was read from output, what the machine said.
 *
 * Each group has an x axis of its own: an inferred metric often counts epochs where logged ones count batches, and a
 * machine's samples have no step at all. Where two groups count in the same seconds, zoom and pointer go across.
 * A metric that was defined to be drawn over another one has that axis, together with all that were defined so.
 */
import { Axes } from '../charts/axes';
import type { SharedAxis } from '../charts/sharedaxis';
import { repeatedMetrics } from '../text/metrics';
import { metricSearch } from '../text/metricsearch';
import type { Trackside } from '../trackside';
import type { Metric, MetricSource, RunEvent } from '../wire/protocol';
import type { ByRun } from './byrun';
import { ChartGrid } from './chartgrid';
import type { CompareModel } from './comparemodel';
import type { CompareState, SectionName } from './comparestate';
import type { Grouping } from './grouping';
import { Section } from './section';

export interface ChartAreaOptions {
  trackside: Trackside;
  model: CompareModel;
  grouping: Grouping;
  events: ByRun<RunEvent[]>;
  /** What scrolls. */
  root: HTMLElement;
}

interface Group {
  source: MetricSource;
  axes: Axes;
  grid: ChartGrid;
  section: Section;
}

const NAMES: Record<MetricSource, SectionName> = {
  logged: 'metrics',
  inferred: 'inferred',
  system: 'system'
};

export class ChartArea {
  constructor(private readonly options: ChartAreaOptions) {
    const { trans } = options.trackside;
    this.groups = [
      this.group('logged', trans.__('Metrics')),
      this.group('inferred', trans.__('Read from output')),
      this.group('system', trans.__('System'))
    ];
    this.linkAxes();
    options.model.changed.connect(this.onModel, this);
    options.grouping.changed.connect(this.rebuild, this);
  }

  /** One foldable section a group, in order. */
  get sections(): readonly Section[] {
    return this.groups.map(group => group.section);
  }

  setMetrics(metrics: readonly Metric[]): void {
    this.metrics = [...metrics].sort(byName);
    this.show();
  }

  /** Those that the search means; where it cannot be understood, all. */
  private show(): void {
    const meant = metricSearch(this.options.model.state.search);
    const sorted = this.metrics.filter(metric => meant.kind === 'bad' || meant.matches(metric.name));
    const repeated = this.options.model.state.inferred ? new Set<string>() : repeatedMetrics(this.metrics);
    for (const { source, grid, section } of this.groups) {
      const ours = sorted.filter(
        metric => metric.source === source && !(source === 'inferred' && repeated.has(metric.name))
      );
      grid.setMetrics(ours);
      section.note = String(ours.length);
      section.setHidden(ours.length === 0 && source !== 'logged');
    }
  }

  /** Nobody looks at a hidden view: pushes stop, charts stay. */
  set paused(paused: boolean) {
    this.groups.forEach(({ grid }) => (grid.paused = paused));
  }

  resetZoom(): void {
    this.groups.forEach(({ axes }) => axes.reset());
  }

  private group(source: MetricSource, label: string): Group {
    const { trackside, model, grouping, events, root } = this.options;
    const name = NAMES[source];
    const axes = new Axes(source, model.state.x);
    const grid = new ChartGrid({
      trackside,
      model,
      root,
      axes,
      grouping,
      events,
      name,
      smoothing: smoothingOf(source, model.state)
    });
    const section = new Section(label, grid, model.state.folded.includes(name), folded =>
      model.fold(name, folded)
    );
    section.node.dataset['section'] = name;
    return { source, axes, grid, section };
  }

  private onModel(model: CompareModel, before: CompareState): void {
    const { x, y, band, search, smoothing, inferred } = model.state;
    if (search !== before.search || inferred !== before.inferred) {
      this.show();
    }
    if (smoothing !== before.smoothing) {
      this.groups.forEach(({ grid, source }) => (grid.smoothing = smoothingOf(source, model.state)));
    }
    if (x !== before.x) {
      this.groups.forEach(({ axes }) => axes.choose(x));
    }
    if (x !== before.x || y !== before.y || band !== before.band) {
      this.rebuild();
    }
  }

  private rebuild(): void {
    this.groups.forEach(({ grid }) => grid.rebuild());
  }

  private linkAxes(): void {
    for (const from of this.groups) {
      const others = this.groups.filter(group => group !== from).map(({ axes }) => axes);
      from.axes.zoomChanged.connect((_, axis) => same(axis, others).forEach(to => to.zoomTo(axis.zoomed)));
      from.axes.pointerChanged.connect((_, axis) => same(axis, others).forEach(to => to.point(axis.pointer)));
    }
  }

  private readonly groups: readonly Group[];
  private metrics: readonly Metric[] = [];
}

/** Axes of other groups that show the same. Steps of different sources are different things. */
function same({ kind }: SharedAxis, groups: readonly Axes[]): SharedAxis[] {
  return kind === 'step' ? [] : groups.flatMap(axes => axes.ofKind(kind) ?? []);
}

/** What a machine's sensors said is shown as it was. */
function smoothingOf(source: MetricSource, { smoothing }: CompareState): number {
  return source === 'system' ? 0 : smoothing;
}

/** By name as people sort: `layer2` before `layer10`. */
function byName(a: Metric, b: Metric): number {
  return a.name.localeCompare(b.name, undefined, { numeric: true });
}
