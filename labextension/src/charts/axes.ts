/** The x axes of one group of charts: those that show the same thing there share one. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { Metric, MetricSource, XAxis, XChoice } from '../wire/protocol';
import { SharedAxis } from './sharedaxis';

export class Axes {
  /** @param chosen what the person wants on the x axis. */
  constructor(
    private readonly source: MetricSource,
    private chosen: XChoice
  ) {}

  /** The axis of a metric's chart; the same object until another is chosen. */
  of(metric: Pick<Metric, 'x'>): SharedAxis {
    const kind = axisKind(this.source, this.chosen, metric.x);
    const known = this.axes.get(kind);
    if (known) {
      return known;
    }
    const axis = new SharedAxis(kind);
    axis.zoomChanged.connect(this.onZoom, this);
    axis.pointerChanged.connect(this.onPointer, this);
    this.axes.set(kind, axis);
    return axis;
  }

  /** The axis of this kind that a chart has, if any. */
  ofKind(kind: XAxis): SharedAxis | undefined {
    return this.axes.get(kind);
  }

  /** Another choice: charts must be given their axes anew, with everything in view. */
  choose(chosen: XChoice): void {
    this.chosen = chosen;
    this.axes.forEach(axis => Signal.disconnectBetween(axis, this));
    this.axes.clear();
  }

  /** Shows everything again. */
  reset(): void {
    this.axes.forEach(axis => axis.zoomTo(null));
  }

  /** Emitted with the axis on which somebody zoomed or reset. */
  get zoomChanged(): ISignal<this, SharedAxis> {
    return this._zoomChanged;
  }

  /** Emitted with the axis on which the pointer has moved. */
  get pointerChanged(): ISignal<this, SharedAxis> {
    return this._pointerChanged;
  }

  private onZoom(axis: SharedAxis): void {
    this._zoomChanged.emit(axis);
  }

  private onPointer(axis: SharedAxis): void {
    this._pointerChanged.emit(axis);
  }

  private readonly axes = new Map<XAxis, SharedAxis>();
  private readonly _zoomChanged = new Signal<this, SharedAxis>(this);
  private readonly _pointerChanged = new Signal<this, SharedAxis>(this);
}

/**
 * What stands on the x axis of a chart.
 *
 * By itself (`auto`) that is what the metric was defined to be drawn over, else the step. System samples have no step
 * of the training's: they stand over time.
 */
export function axisKind(source: MetricSource, chosen: XChoice, own: string | null): XAxis {
  const kind = chosen === 'auto' ? (own ?? 'step') : chosen;
  return source === 'system' && kind === 'step' ? 'relative' : kind;
}
