/** The groups in which a comparison shows its runs. Each goes by its first run, whose colour it has. */
import { Signal, type ISignal } from '@lumino/signaling';

import { groupsOf, type RunGroup } from './rungroups';
import type { Trackside } from '../trackside';
import type { Metric } from '../wire/protocol';
import type { CompareModel } from './comparemodel';
import { RunLabels } from './runlabels';

/** Which runs are asked for, and in which groups: as in a `SeriesRequest`. */
export interface Asked {
  runs: string[];
  groups: string[][] | null;
}

export class Grouping {
  constructor(
    private readonly trackside: Trackside,
    private readonly model: CompareModel
  ) {
    this.labels = new RunLabels(trackside.runs, model);
    model.changed.connect(this.update, this);
    trackside.runs.changed.connect(this.update, this);
    this._groups = this.compute();
  }

  /** `null` while each run stands by itself. */
  get groups(): readonly RunGroup[] | null {
    return this._groups;
  }

  /** Emitted when there are other groups, or none any more. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /**
   * What a chart of the metric asks for.
   *
   * A group is asked for with all of its runs, also those without the metric: it goes by the same one in all charts.
   */
  asked(metric: Metric): Asked {
    if (!this._groups) {
      return { runs: metric.runs, groups: null };
    }
    const having = this._groups.filter(({ runs }) => runs.some(run => metric.runs.includes(run)));
    return { runs: having.flatMap(({ runs }) => runs), groups: having.map(({ runs }) => runs) };
  }

  /** The run by which the group of a run goes: itself, without groups. */
  leadOf(run: string): string {
    return this._groups?.find(({ runs }) => runs.includes(run))?.runs[0] ?? run;
  }

  /** What is written at a line: the group's label, or the run's. */
  nameOf(run: string): string {
    const group = this._groups?.find(({ runs }) => runs.includes(run));
    return group?.label ?? this.labels.of(run);
  }

  dispose(): void {
    this.model.changed.disconnect(this.update, this);
    this.trackside.runs.changed.disconnect(this.update, this);
    Signal.clearData(this);
  }

  private update(): void {
    const groups = this.compute();
    if (JSON.stringify(groups) !== JSON.stringify(this._groups)) {
      this._groups = groups;
      this._changed.emit();
    }
  }

  private compute(): readonly RunGroup[] | null {
    const { groupBy, runs } = this.model.state;
    const known = runs.flatMap(id => this.trackside.runs.get(id) ?? []);
    return groupBy === null || known.length === 0 ? null : groupsOf(known, groupBy);
  }

  /** What each run is called by itself. */
  readonly labels: RunLabels;
  private _groups: readonly RunGroup[] | null;
  private readonly _changed = new Signal<this, void>(this);
}
