/** Runs side by side: the content of a main-area widget. */
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import { Panel } from '@lumino/widgets';

import { SharedAxis } from '../charts/sharedaxis';
import { trackIcon } from '../icons';
import { Clock } from '../model/clock';
import type { Trackside } from '../trackside';
import type { FeedMessage, Metric, XKind } from '../wire/protocol';
import { ChartGrid } from './chartgrid';
import type { CompareModel } from './comparemodel';
import type { CompareState, SectionName } from './comparestate';
import { CompareNotice } from './comparenotice';
import { Legend } from './legend';
import { Outputs } from './outputs';
import { RunTable } from './runtable';
import { Section } from './section';

export interface CompareViewOptions {
  trackside: Trackside;
  model: CompareModel;
  rendermime: IRenderMimeRegistry;
}

export class CompareView extends Panel {
  constructor(private readonly options: CompareViewOptions) {
    super();
    const { trackside, model, rendermime } = options;
    const { trans } = trackside;
    this.id = model.id;
    this.title.icon = trackIcon;
    this.title.closable = true;
    this.addClass('jp-trackside-compare');
    this.node.tabIndex = -1;

    const root = this.node;
    this.axis = new SharedAxis(model.state.x);
    this.systemAxis = new SharedAxis(systemKind(model.state.x));
    this.metrics = new ChartGrid({ trackside, model, root, axis: this.axis });
    this.system = new ChartGrid({ trackside, model, root, axis: this.systemAxis });
    this.addWidget(new Legend({ trackside, model, clock: this.clock }));
    this.addWidget(new CompareNotice({ trackside, model }));
    this.section('metrics', trans.__('Metrics'), this.metrics);
    this.section('system', trans.__('System'), this.system);
    this.section('table', trans.__('Configuration and results'), new RunTable({ trackside, model }));
    this.section('outputs', trans.__('Outputs'), new Outputs({ trackside, model, rendermime, root }));

    model.changed.connect(this.onModel, this);
    trackside.feed.messages.connect(this.onFeed, this);
    trackside.runs.changed.connect(this.retitle, this);
    this.linkAxes();
    this.onRuns();
  }

  /** The axis of logged metrics; the toolbar resets its zoom. */
  readonly axis: SharedAxis;

  override dispose(): void {
    this.rest();
    super.dispose();
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.wake();
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    if (this.isVisible) {
      this.wake();
    }
  }

  protected override onBeforeHide(msg: Message): void {
    this.rest();
    super.onBeforeHide(msg);
  }

  protected override onBeforeDetach(msg: Message): void {
    this.rest();
    super.onBeforeDetach(msg);
  }

  protected override onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this.node.focus();
  }

  private section(name: SectionName, label: string, body: Panel | RunTable): void {
    const { model } = this.options;
    const folded = model.state.folded.includes(name);
    const section = new Section(label, body, folded, now => model.fold(name, now));
    section.node.dataset['section'] = name;
    this.sections.set(name, section);
    this.addWidget(section);
  }

  private wake(): void {
    if (!this.held) {
      this.held = this.options.trackside.feed.hold();
      this.clock.start();
      this.metrics.paused = false;
      this.system.paused = false;
      void this.readMetrics();
    }
  }

  private rest(): void {
    this.clock.stop();
    if (this.held) {
      this.metrics.paused = true;
      this.system.paused = true;
      this.held.dispose();
      this.held = null;
    }
  }

  private onModel(_model: CompareModel, before: CompareState): void {
    const now = this.options.model.state;
    if (now.runs !== before.runs) {
      this.onRuns();
    }
    if (now.x !== before.x) {
      this.axis.setKind(now.x);
      this.systemAxis.setKind(systemKind(now.x));
    }
    if (now.x !== before.x || now.y !== before.y) {
      this.metrics.rebuild();
      this.system.rebuild();
    }
  }

  private onRuns(): void {
    const { trackside, model } = this.options;
    trackside.colours.distinguish(model.state.runs);
    void trackside.runs.ensure(model.state.runs);
    void this.readMetrics();
    this.retitle();
  }

  private onFeed(_feed: unknown, message: FeedMessage): void {
    const { runs } = this.options.model.state;
    const news = message.type === 'metrics' && message.runs.some(id => runs.includes(id));
    if (this.held && (news || message.type === 'hello')) {
      void this.readMetrics();
    }
  }

  /** Which metrics the runs have. A failure is one of the connection, which the notice shows and the feed mends. */
  private async readMetrics(): Promise<void> {
    const asked = this.options.model.state.runs;
    try {
      const metrics = await this.options.trackside.api.metrics(asked);
      if (asked === this.options.model.state.runs && !this.isDisposed) {
        this.showMetrics(metrics);
      }
    } catch {
      this.options.trackside.feed.retry();
    }
  }

  private showMetrics(metrics: readonly Metric[]): void {
    const sorted = [...metrics].sort(byName);
    const system = sorted.filter(metric => metric.source === 'system');
    const others = sorted.filter(metric => metric.source !== 'system');
    this.metrics.setMetrics(others);
    this.system.setMetrics(system);
    this.note('metrics', others.length);
    this.note('system', system.length);
    this.sections.get('system')?.setHidden(system.length === 0);
    this.options.model.metricCount = metrics.length;
  }

  private note(name: SectionName, count: number): void {
    const section = this.sections.get(name);
    if (section) {
      section.note = String(count);
    }
  }

  /** Zoom and pointer go over to the system charts where both count in the same unit. */
  private linkAxes(): void {
    const pairs = [[this.axis, this.systemAxis], [this.systemAxis, this.axis]] as const; // prettier-ignore
    for (const [from, to] of pairs) {
      from.zoomChanged.connect(() => from.kind === to.kind && to.zoomTo(from.zoomed));
      from.pointerChanged.connect(() => from.kind === to.kind && to.point(from.pointer));
    }
  }

  private retitle(): void {
    const { trackside, model } = this.options;
    const names = model.state.runs.map(id => trackside.runs.get(id)?.name ?? id);
    const { trans } = trackside;
    this.title.label =
      names.length === 1 ? (names[0] as string) : trans._n('Compare %1 run', 'Compare %1 runs', names.length);
    this.title.caption = names.slice(0, 12).join('\n');
  }

  private readonly systemAxis: SharedAxis;
  private readonly metrics: ChartGrid;
  private readonly system: ChartGrid;
  private readonly sections = new Map<SectionName, Section>();
  private readonly clock = new Clock();
  private held: IDisposable | null = null;
}

/** System samples have no step of the training's: on a step axis they stand over time. */
function systemKind(kind: XKind): XKind {
  return kind === 'step' ? 'relative' : kind;
}

/** Logged before inferred, then by name as people sort: `layer2` before `layer10`. */
function byName(a: Metric, b: Metric): number {
  const inferred = Number(a.source === 'inferred') - Number(b.source === 'inferred');
  return inferred || a.name.localeCompare(b.name, undefined, { numeric: true });
}
