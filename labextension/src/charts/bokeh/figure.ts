/** An empty figure of BokehJS as our charts have it: axes, ticks, tools. */
import Bokeh from './library';
import type { XAxis } from '../../wire/protocol';
import type { ChartOptions } from '../chart';
import { tickLabels } from '../readout';

export type Range = InstanceType<typeof Bokeh.Range1d>;
export type Figure = InstanceType<typeof Bokeh.Plotting.Figure>;

export function makeFigure(options: ChartOptions, x: Range, y: Range, font: string): Figure {
  const figure = Bokeh.Plotting.figure({
    x_range: x,
    y_range: y,
    y_axis_type: options.yScale,
    sizing_mode: 'stretch_both',
    toolbar_location: null,
    tools: [],
    min_border: 4,
    lod_threshold: null // never thins points out, also not while zooming
  });
  figure.extra_y_ranges = new Map([['marks', new Bokeh.Range1d({ start: 0, end: 1 })]]);
  const wheel = new Bokeh.WheelZoomTool({ dimensions: 'width', modifiers: { ctrl: true } });
  figure.add_tools(new Bokeh.BoxZoomTool({ dimensions: 'width' }), wheel);
  figure.toolbar.active_scroll = wheel;
  figure.xaxis.axis_label = options.xLabel;
  for (const axis of [...figure.xaxis, ...figure.yaxis]) {
    axis.setv({
      major_label_text_font: font,
      major_label_text_font_size: '11px',
      axis_label_text_font: font,
      axis_label_text_font_size: '11px',
      axis_label_text_font_style: 'normal',
      axis_label_standoff: 4,
      major_tick_in: 0,
      major_tick_out: 4,
      minor_tick_out: 0
    });
  }
  const formatter = new Bokeh.BasicTickFormatter();
  formatter.doFormat = ticks => tickLabels(ticks, options.xKind);
  const axis = [...figure.xaxis][0];
  axis?.setv({ formatter, ticker: tickerOf(options.xKind) });
  return figure;
}

/** Whole steps; round numbers of a metric; seconds, minutes, hours and days that people count in. */
function tickerOf(kind: XAxis): InstanceType<typeof Bokeh.Ticker> {
  const { AdaptiveTicker, CompositeTicker } = Bokeh;
  const desired_num_ticks = 6;
  const num_minor_ticks = 0;
  const common = { desired_num_ticks, num_minor_ticks };
  if (kind === 'step') {
    return new AdaptiveTicker({ ...common, base: 10, mantissas: [1, 2, 5], min_interval: 1 });
  }
  if (kind !== 'relative' && kind !== 'time') {
    return new AdaptiveTicker({ ...common, base: 10, mantissas: [1, 2, 5] });
  }
  return new CompositeTicker({
    ...common,
    tickers: [
      new AdaptiveTicker({ ...common, base: 10, mantissas: [1, 2, 5], min_interval: 0, max_interval: 0.5 }),
      new AdaptiveTicker({ ...common, base: 60, mantissas: [1, 2, 5, 10, 15, 20, 30], min_interval: 1, max_interval: 1800 }),
      new AdaptiveTicker({ ...common, base: 24, mantissas: [1, 2, 4, 6, 8, 12].map(h => h * 3600), min_interval: 3600, max_interval: 43_200 }),
      new AdaptiveTicker({ ...common, base: 10, mantissas: [1, 2, 5, 7].map(d => d * 86_400), min_interval: 86_400 })
    ]
  }); // prettier-ignore
}
