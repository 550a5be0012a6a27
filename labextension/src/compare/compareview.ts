/** Runs side by side: the content of a main-area widget. */
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Message } from '@lumino/messaging';
import { Panel, type Widget } from '@lumino/widgets';

import { trackIcon } from '../icons';
import { Attention } from '../model/attention';
import type { Trackside } from '../trackside';
import { Persistent } from '../wire/persistent';
import type { FeedMessage, Medium, MetricSummary, RunEvent } from '../wire/protocol';
import { ByRun, listsByRun } from './byrun';
import { ChartArea } from './chartarea';
import { CodeView } from './codeview';
import type { CompareModel } from './comparemodel';
import type { CompareState, SectionName } from './comparestate';
import { CompareNotice } from './comparenotice';
import { allEvents, EventList } from './eventlist';
import { Grouping } from './grouping';
import { Legend } from './legend';
import { mediaOf, MediaView } from './mediaview';
import { Notes } from './notes';
import { Outputs } from './outputs';
import { RepeatedNotice } from './repeated';
import { RUNS_AT_ONCE, RunColumns } from './runcolumns';
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
    const { trans, feed } = trackside;
    this.attention = new Attention(this, { feed, wake: () => this.wake(), rest: () => this.rest() });
    this.id = model.id;
    this.title.icon = trackIcon;
    this.title.closable = true;
    this.addClass('jp-trackside-compare');
    this.node.tabIndex = -1;

    const root = this.node;
    const { api, runs } = trackside;
    this.events = new ByRun(runs, async ids => listsByRun(ids, await api.events(ids)));
    const columns = (this.columns = new RunColumns(model));
    columns.changed.connect(this.onColumns, this);
    this.media = new ByRun(runs, ids => mediaOf(api, ids));
    this.summaries = new ByRun(runs, async ids => listsByRun(ids, await api.summaries(ids)));
    this.grouping = new Grouping(trackside, model);
    const { grouping } = this;
    const { labels } = grouping;
    const { clock } = this.attention;
    const { events, summaries } = this;
    this.charts = new ChartArea({ trackside, model, grouping, events, root });
    this.addWidget(new Legend({ trackside, model, grouping, clock }));
    this.addWidget(new CompareNotice({ trackside, model }));
    this.charts.sections.forEach(section => this.addWidget(section));
    this.addWidget(new RepeatedNotice({ trackside, model }));
    this.section('notes', trans.__('Notes'), new Notes({ model, trans }));
    this.eventSection = this.section(
      'events',
      trans.__('Events'),
      new EventList({ trackside, model, events, labels })
    );
    const table = new RunTable({ trackside, model, summaries, labels, clock });
    this.section('table', trans.__('Configuration and results'), table);
    const { media } = this;
    const looks = new MediaView({ trackside, columns, media, labels });
    this.mediaSection = this.section('media', trans.__('Media'), looks);
    this.mediaSection.hide();
    media.changed.connect(this.countMedia, this);
    this.section('code', trans.__('Code and environment'), new CodeView({ trackside, model, labels, root }));
    this.section(
      'outputs',
      trans.__('Outputs'),
      new Outputs({ trackside, columns, labels, rendermime, root })
    );

    model.changed.connect(this.onModel, this);
    events.changed.connect(this.countEvents, this);
    this.countEvents();
    trackside.feed.messages.connect(this.onFeed, this);
    trackside.runs.changed.connect(this.retitle, this);
    this.onRuns();
  }

  resetZoom(): void {
    this.charts.resetZoom();
  }

  override dispose(): void {
    this.attention.end();
    this.options.trackside.colours.forget(this);
    this.grouping.dispose();
    this.columns.dispose();
    this.events.dispose();
    this.summaries.dispose();
    this.media.dispose();
    super.dispose();
  }

  protected override onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    this.node.focus();
  }

  private section(name: SectionName, label: string, body: Widget): Section {
    const { model } = this.options;
    const folded = model.state.folded.includes(name);
    const section = new Section(label, body, folded, now => model.fold(name, now));
    section.node.dataset['section'] = name;
    this.addWidget(section);
    return section;
  }

  private countEvents(): void {
    const { model } = this.options;
    const count = allEvents({ model, events: this.events }).length;
    this.eventSection.note = String(count);
    this.eventSection.setHidden(count === 0 && this.events.problem === null);
  }

  /** Beside the charts: only while somebody looks. */
  private readBooks(): void {
    const runs = this.attention.awake ? this.options.model.state.runs : [];
    this.events.want(runs);
    this.summaries.want(runs);
    this.media.want(this.attention.awake ? this.columns.ids : []);
  }

  private onColumns(): void {
    this.readBooks();
    this.countMedia();
  }

  private countMedia(): void {
    const { ids, count: runs } = this.columns;
    const count = ids.reduce((sum, id) => sum + (this.media.get(id)?.length ?? 0), 0);
    this.mediaSection.note = String(count);
    this.mediaSection.setHidden(count === 0 && this.media.problem === null && runs <= RUNS_AT_ONCE);
  }

  private wake(): void {
    this.charts.paused = false;
    this.reading.restart();
    this.readBooks();
  }

  private rest(): void {
    this.charts.paused = true;
    this.reading.stop();
    this.readBooks();
  }

  private onModel(_model: CompareModel, before: CompareState): void {
    if (this.options.model.state.runs !== before.runs) {
      this.onRuns();
    }
  }

  private onRuns(): void {
    const { trackside, model } = this.options;
    trackside.colours.distinguish(this, model.state.runs);
    void trackside.runs.ensure(model.state.runs);
    if (this.attention.awake) {
      this.reading.restart();
      this.readBooks();
    }
    this.countEvents();
    this.countMedia();
    this.retitle();
  }

  private onFeed(_feed: unknown, message: FeedMessage): void {
    const { runs } = this.options.model.state;
    if (!this.attention.awake) {
      return;
    }
    if (message.type === 'hello') {
      this.reading.restart();
    } else if (message.type === 'metrics' && message.runs.some(id => runs.includes(id))) {
      this.reading.start();
    }
  }

  /** Which metrics the runs have. */
  private async readMetrics(): Promise<void> {
    const { model, trackside } = this.options;
    const asked = model.state.runs;
    const metrics = await trackside.api.metrics(asked);
    if (asked === model.state.runs && !this.isDisposed) {
      this.charts.setMetrics(metrics);
      model.setMetrics(metrics, null);
    }
  }

  private retitle(): void {
    const { trackside, model } = this.options;
    const names = model.state.runs.map(id => this.grouping.labels.of(id));
    const { trans } = trackside;
    this.title.label =
      names.length === 1 ? (names[0] as string) : trans._n('Compare %1 run', 'Compare %1 runs', names.length);
    this.title.caption = names.slice(0, 12).join('\n');
  }

  private readonly attention: Attention;
  private readonly charts: ChartArea;
  private readonly eventSection: Section;
  private readonly events: ByRun<RunEvent[]>;
  private readonly summaries: ByRun<MetricSummary[]>;
  private readonly mediaSection: Section;
  private readonly media: ByRun<Medium[]>;
  private readonly grouping: Grouping;
  private readonly columns: RunColumns;
  private readonly reading = new Persistent(
    () => this.readMetrics(),
    problem => problem !== null && this.options.model.setMetrics(this.options.model.metrics, problem)
  );
}
