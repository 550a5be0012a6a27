/**
 * All charts of a comparison, in three groups: what was logged, what was read from output, what the machine said.
 *
 * Each group has an x axis of its own: an inferred metric often counts epochs where logged ones count batches, and a
 * machine's samples have no step at all. Where two groups count in the same seconds, zoom and pointer go across.
 */
import { SharedAxis } from '../charts/sharedaxis';
import { metricSearch } from '../text/metricsearch';
import type { Trackside } from '../trackside';
import type { Metric, MetricSource, RunEvent, XAxis } from '../wire/protocol';
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
  axis: SharedAxis;
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
    for (const { source, grid, section } of this.groups) {
      const ours = sorted.filter(metric => metric.source === source);
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
    this.groups.forEach(({ axis }) => axis.zoomTo(null));
  }

  private group(source: MetricSource, label: string): Group {
    const { trackside, model, grouping, events, root } = this.options;
    const name = NAMES[source];
    const axis = new SharedAxis(kindOf(source, model.state.x));
    const grid = new ChartGrid({
      trackside,
      model,
      root,
      axis,
      grouping,
      events,
      name,
      smoothing: smoothingOf(source, model.state)
    });
    const section = new Section(label, grid, model.state.folded.includes(name), folded =>
      model.fold(name, folded)
    );
    section.node.dataset['section'] = name;
    return { source, axis, grid, section };
  }

  private onModel(model: CompareModel, before: CompareState): void {
    const { x, y, band, search, smoothing } = model.state;
    if (search !== before.search) {
      this.show();
    }
    if (smoothing !== before.smoothing) {
      this.groups.forEach(({ grid, source }) => (grid.smoothing = smoothingOf(source, model.state)));
    }
    if (x !== before.x) {
      this.groups.forEach(({ axis, source }) => axis.setKind(kindOf(source, x)));
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
      for (const to of this.groups) {
        if (from !== to) {
          from.axis.zoomChanged.connect(() => comparable(from, to) && to.axis.zoomTo(from.axis.zoomed));
          from.axis.pointerChanged.connect(() => comparable(from, to) && to.axis.point(from.axis.pointer));
        }
      }
    }
  }

  private readonly groups: readonly Group[];
  private metrics: readonly Metric[] = [];
}

/** Steps of different sources are different things; seconds are the same everywhere. */
function comparable({ axis: a }: Group, { axis: b }: Group): boolean {
  return a.kind === b.kind && a.kind !== 'step';
}

/** System samples have no step of the training's: on a step axis they stand over time. */
function kindOf(source: MetricSource, kind: XAxis): XAxis {
  return source === 'system' && kind === 'step' ? 'relative' : kind;
}

/** What a machine's sensors said is shown as it was. */
function smoothingOf(source: MetricSource, { smoothing }: CompareState): number {
  return source === 'system' ? 0 : smoothing;
}

/** By name as people sort: `layer2` before `layer10`. */
function byName(a: Metric, b: Metric): number {
  return a.name.localeCompare(b.name, undefined, { numeric: true });
}
