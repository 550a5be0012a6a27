import assert from 'node:assert/strict';
import test from 'node:test';

import {
  bars,
  drawingOf,
  loadExtent,
  nearest,
  padded,
  polygons,
  union,
  xExtent,
  yExtent
} from '../src/charts/geometry';
import { byValue, formatX, read, tickLabels, type Reading } from '../src/charts/readout';
import { partOf } from '../src/text/metricsearch';
import type { SeriesWindow } from '../src/wire/decode';

/** A window of raw points. */
function raw(values: number[], x = values.map((_, i) => i)): SeriesWindow {
  const finite = values.map(value => (Number.isFinite(value) ? value : NaN));
  const where = (test: (value: number) => boolean): Int32Array =>
    Int32Array.from(values, v => Number(test(v)));
  return {
    run: 'r', metric: 'm', xKind: 'step', raw: true, points: values.length,
    x: Float64Array.from(x),
    min: Float64Array.from(finite), max: Float64Array.from(finite),
    first: Float64Array.from(finite), last: Float64Array.from(finite),
    count: Int32Array.from(values, () => 1),
    nan: where(Number.isNaN), posinf: where(v => v === Infinity), neginf: where(v => v === -Infinity), group: null
  }; // prettier-ignore
}

/** A window of two buckets of 1,024 points each; the second holds a spike. */
const reduced: SeriesWindow = {
  ...raw([1, 2], [1023, 2047]),
  raw: false,
  points: 2048,
  min: Float64Array.from([0.5, 0.25]),
  max: Float64Array.from([1.5, 900]),
  count: Int32Array.from([1024, 1024]),
  nan: Int32Array.from([0, 3])
};

test('raw points are drawn as they are, without a band', () => {
  const drawing = drawingOf(raw([3, 1, 2]), 'linear');
  assert.deepEqual(drawing.y, [3, 1, 2]);
  assert.deepEqual(drawing.band.x, []);
  assert.deepEqual(drawing.marks.x, []);
});

test('a bucket is drawn with its exact least and greatest value, so a spike stays', () => {
  const { band, marks } = drawingOf(reduced, 'linear');
  assert.deepEqual(band, { x: [1023, 2047], low: [0.5, 0.25], high: [1.5, 900], joined: false });
  assert.deepEqual(bars(band).y, [0.5, 1.5, NaN, 0.25, 900, NaN]);
  assert.deepEqual(marks, { x: [2047], kind: ['nan'] });
});

test('values that are not finite break the line and leave a mark each', () => {
  const drawing = drawingOf(raw([1, NaN, Infinity, -Infinity, 2]), 'linear');
  assert.deepEqual(drawing.y, [1, NaN, NaN, NaN, 2]);
  assert.deepEqual(drawing.marks, { x: [1, 2, 3], kind: ['nan', 'posinf', 'neginf'] });
  assert.deepEqual(drawing.lone, { x: [0, 4], y: [1, 2] }, 'points without neighbours are drawn as points');
});

test('a single point is drawn as a point, no points as nothing', () => {
  assert.deepEqual(drawingOf(raw([5]), 'linear').lone, { x: [0], y: [5] });
  assert.deepEqual(drawingOf(raw([]), 'linear').x, []);
});

test('a logarithmic axis leaves out what it cannot show', () => {
  assert.deepEqual(drawingOf(raw([1, 0, -1, 10]), 'log').y, [1, NaN, NaN, 10]);
  const band = drawingOf({ ...reduced, min: Float64Array.from([-1, 0.25]) }, 'log').band;
  assert.deepEqual(band.low, [1.5, 0.25]);
});

test('a band is one polygon a stretch without gaps', () => {
  const band = { x: [0, 1, 2, 3, 4, 5], low: [1, 1, NaN, 2, 2, NaN], high: [3, 4, NaN, 5, 6, NaN] };
  assert.deepEqual(polygons(band), [
    { x: [0, 1, 1, 0], y: [1, 1, 4, 3] },
    { x: [3, 4, 4, 3], y: [2, 2, 6, 5] }
  ]);
  assert.deepEqual(band.x, [0, 1, 2, 3, 4, 5], 'what is given is not changed');
  assert.deepEqual(polygons({ x: [], low: [], high: [] }), []);
});

test('extents are exact, follow the view, and are null without points', () => {
  assert.deepEqual(xExtent([raw([1, 2], [5, -3]), raw([1], [9])]), { start: -3, end: 9 });
  assert.deepEqual(yExtent([reduced], { start: 0, end: 3000 }, 'linear'), { start: 0.25, end: 900 });
  assert.deepEqual(yExtent([reduced], { start: 0, end: 1500 }, 'linear'), { start: 0.5, end: 1.5 });
  assert.deepEqual(yExtent([raw([-1, 0.1, 10])], { start: 0, end: 9 }, 'log'), { start: 0.1, end: 10 });
  assert.equal(xExtent([raw([])]), null);
  assert.equal(yExtent([raw([NaN])], { start: 0, end: 9 }, 'linear'), null);
  assert.deepEqual(union(null, { start: 1, end: 2 }), { start: 1, end: 2 });
});

test("a machine's load is shown from nothing on, a percentage to all there is", () => {
  assert.deepEqual(loadExtent({ source: 'system', unit: '%' }), { start: 0, end: 100 });
  assert.deepEqual(union(loadExtent({ source: 'system', unit: 'GiB' }), { start: 2, end: 3 }), {
    start: 0,
    end: 3
  });
  assert.equal(loadExtent({ source: 'logged', unit: '%' }), null);
});

test('room is left around lines, also around a constant one', () => {
  assert.deepEqual(padded({ start: 0, end: 100 }, 0.05), { start: -5, end: 105 });
  assert.deepEqual(padded({ start: 0, end: 0 }, 0.05), { start: -0.5, end: 0.5 });
  assert.deepEqual(padded({ start: 20, end: 20 }, 0.05), { start: 18, end: 22 });
  const log = padded({ start: 1, end: 1000 }, 0.05, 'log');
  assert.ok(log.start > 0.6 && log.start < 1 && log.end > 1000);
});

test('the nearest point is found in any order of steps', () => {
  assert.equal(nearest(Float64Array.from([10, 0, 5]), 4), 2);
  assert.equal(nearest(new Float64Array(), 4), -1);
});

test('a reading of a bucket tells value, place and what stands behind', () => {
  const reading = read(reduced, 2000, 100) as Reading;
  assert.equal(reading.text, '2');
  assert.equal(formatX(reading.x, 'step'), 'step 2,047');
  assert.equal(reading.behind, '1 of 1,024 points: min 0.25 … max 900, 3 × NaN');
});

test('a reading of an original point says only its value, also when it is infinite', () => {
  assert.deepEqual(read(raw([1, Infinity]), 1, 1), {
    run: 'r',
    x: 1,
    value: Infinity,
    text: '∞',
    behind: ''
  });
  assert.equal(read(raw([1, NaN]), 1, 1)?.text, 'NaN');
  assert.equal(read(raw([1]), 50, 1), null, 'a run that ended long before says nothing');
});

test('between two points that lie far apart the nearer one is read', () => {
  const sparse = { ...raw([3, 4]), x: Float64Array.of(10, 30) };
  assert.equal(read(sparse, 19, 1)?.text, '3');
  assert.equal(read(sparse, 21, 1)?.text, '4');
  assert.equal(read(sparse, 31, 1)?.text, '4', 'a little beyond the end');
  assert.equal(read(sparse, 32, 1), null);
  assert.equal(read(sparse, 8, 1), null);
});

test('readings are sorted as the lines lie, NaN last', () => {
  const values = [1, NaN, Infinity, 3, -Infinity];
  const sorted = values.map(value => ({ value }) as Reading).sort(byValue);
  assert.deepEqual(
    sorted.map(reading => reading.value),
    [Infinity, 3, 1, -Infinity, NaN]
  );
});

test('ticks are labelled in the words of the axis', () => {
  assert.deepEqual(tickLabels([0, 500, 1000], 'step'), ['0', '500', '1,000']);
  assert.deepEqual(tickLabels([0, 60, 120], 'relative'), ['0:00', '1:00', '2:00']);
  assert.deepEqual(tickLabels([0, 0.5], 'relative'), ['0 s', '0.5 s']);
  assert.deepEqual(tickLabels([-60, 0], 'relative'), ['−1:00', '0:00']);
});

test('a line over a gap ends at the first point behind it, not at the bucket’s last', () => {
  const gap = { ...reduced, x: Float64Array.from([10, 1000]), first: Float64Array.from([1, -7]) };
  const drawing = drawingOf(gap, 'linear', 100);
  assert.deepEqual(drawing.x, [10, 1000, 1000]);
  assert.deepEqual(drawing.y, [1, -7, 2]);
  assert.deepEqual(drawingOf(gap, 'linear', 600).y, [1, 2], 'side by side: within two pixels');
});

test('what a machine said stands under its device, everything else under its prefix', () => {
  const part = (name: string, source: 'logged' | 'system'): string => partOf({ name, source });
  assert.equal(part('system/gpu1/power_w', 'system'), 'gpu1');
  assert.equal(part('system/cpu_percent', 'system'), '');
  assert.equal(part('train/loss', 'logged'), 'train');
});
