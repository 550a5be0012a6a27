import assert from 'node:assert/strict';
import test from 'node:test';

import { banded } from '../src/charts/geometry';
import { formatX, read, tickLabels } from '../src/charts/readout';
import { groupingKeys, groupsOf } from '../src/compare/rungroups';
import { decodeWindow } from '../src/wire/decode';
import type { EncodedWindow, JsonObject, Run } from '../src/wire/protocol';
import { golden } from './golden';

const run = (id: string, config: JsonObject, more: Partial<Run> = {}): Run => ({
  id, name: id, project: 'p', status: 'finished', status_detail: '', group: null, tags: [], created: 0,
  finished: 1, config, summary: {}, facts: {}, error: null, notes: '', colour: null, pinned: false,
  archived: false, extremes: {}, ...more
}); // prettier-ignore

test('runs are grouped by a nested key; those without it are a group of their own', () => {
  const runs = [run('a', { opt: { lr: 0.1 } }), run('b', {}), run('c', { opt: { lr: 0.1 } })];
  assert.deepEqual(groupsOf(runs, 'config.opt.lr'), [
    { label: 'opt.lr = 0.1', runs: ['a', 'c'] },
    { label: 'opt.lr = –', runs: ['b'] }
  ]);
});

test('values of other types are other groups, whatever they look like', () => {
  const runs = [run('a', { lr: 1 }), run('b', { lr: '1' }), run('c', { lr: [1] }), run('d', { lr: null })];
  assert.equal(groupsOf(runs, 'config.lr').length, 4);
});

test('tags are a set: their order makes no other group', () => {
  const tagged = [run('a', {}, { tags: ['x', 'y'] }), run('b', {}, { tags: ['y', 'x'] })];
  assert.deepEqual(groupsOf(tagged, 'tags'), [{ label: 'tags = x, y', runs: ['a', 'b'] }]);
});

test('only what tells runs apart, and puts some together, is offered', () => {
  const runs = [0, 1, 2, 3].map(seed => run(`r${seed}`, { seed, lr: seed % 2, same: 5 }));
  assert.deepEqual(groupingKeys(runs), ['config.lr']);
});

const window = decodeWindow(golden<EncodedWindow>('window_group'));

test('the golden window of a group has its mean, its runs, and how far they lie apart', () => {
  assert.deepEqual([...window.last], [2, 4]);
  assert.deepEqual([...(window.group?.members ?? [])], [2, 1]);
  assert.deepEqual([...(window.group?.std ?? [])], [0.5, 0]);
});

test('a band of the standard deviation lies around the mean; that of all points is what was there', () => {
  const narrow = banded(window, 'std');
  assert.deepEqual([[...narrow.min], [...narrow.max]], [[1.5, 4], [2.5, 4]]); // prettier-ignore
  assert.deepEqual([...banded(window, 'range').max], [3, 900]);
});

test('a mean tells of how many runs it is and what lies behind', () => {
  assert.equal(read(window, 0, 1)?.behind, 'mean ± 0.5 of 2 runs, 2 points: min 1 … max 3');
  assert.equal(read(window, 1.5, 1)?.behind, 'mean of 1 of 2 runs, 4 points: min −2 … max 900, 1 × NaN');
});

test('a metric on the x axis is told by its name', () => {
  assert.equal(formatX(2.5, 'epoch'), 'epoch 2.5');
  assert.deepEqual(tickLabels([0, 0.25, 0.5], 'epoch'), ['0', '0.25', '0.5']);
});
