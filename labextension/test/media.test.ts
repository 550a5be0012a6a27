import assert from 'node:assert/strict';
import test from 'node:test';

import { mediaRows, mediaSteps } from '../src/compare/mediasteps';
import type { Medium } from '../src/wire/protocol';

let numbers = 0;
const item = (metric: string, step: number, index = 0): Medium => ({
  number: numbers++, metric, step, time: 0, type: 'image', mime: 'image/png', size: 1, more: { index }
}); // prettier-ignore
const steps = (cells: Medium[][]): (number | null)[][] => cells.map(items => items.map(one => one.step));

test('the slider has every step of every run once', () => {
  assert.deepEqual(mediaSteps([[item('a', 5), item('b', 0)], [item('a', 5), item('a', 7)], []]), [0, 5, 7]);
});

test('a run shows its last items that are not after the step, and nothing before its first', () => {
  const media = [[item('a', 0), item('a', 10)], [item('a', 4)]];
  assert.deepEqual(steps(mediaRows(media, 9)[0]?.cells ?? []), [[0], [4]]);
  assert.deepEqual(steps(mediaRows(media, 3)[0]?.cells ?? []), [[0], []]);
});

test('all items of a list are shown; the same step logged again replaces it', () => {
  const [row] = mediaRows([[item('a', 1, 0), item('a', 1, 1)]], 1);
  assert.equal(row?.cells[0]?.length, 2);
  const again = [item('a', 1, 0), item('a', 1, 1), item('a', 1, 0)];
  const [later] = mediaRows([again], 1);
  assert.deepEqual(later?.cells[0]?.map(one => one.number), [again[2]?.number]); // prettier-ignore
});
