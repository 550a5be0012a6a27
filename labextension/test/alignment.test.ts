import assert from 'node:assert/strict';
import test from 'node:test';

import { alignCells, similarity } from '../src/compare/alignment';
import type { RecordedCell } from '../src/wire/protocol';

const cell = (key: string, cell_id: string | null, source: string | null = null): RecordedCell => ({
  key, cell_id, source, execution_count: 1, started: null, finished: null, recorded: true, outputs: []
}); // prettier-ignore
const keys = (runs: RecordedCell[][]): (string | null)[][] =>
  alignCells(runs).map(row => row.map(one => one?.key ?? null));

test('the same cell of several runs stands in one row, whatever was edited in it', () => {
  const rows = keys([
    [cell('a1', 'load', 'x = 1'), cell('a2', 'train', 'fit(lr=0.1)')],
    [cell('b1', 'load', 'entirely = different()'), cell('b2', 'train', 'fit(lr=0.2)')]
  ]);
  assert.deepEqual(rows, [['a1', 'b1'], ['a2', 'b2']]); // prettier-ignore
});

test('cells of a copied notebook have other ids, and meet by their source', () => {
  const train = 'model = Net(width=64)\nfit(model, lr=0.1)';
  const rows = keys([
    [cell('a1', 'one', 'plot(history, colour="red")'), cell('a2', 'two', `%%track first\n${train}`)],
    [cell('b2', 'three', `%%track second\n${train.replace('0.1', '0.2')}`)]
  ]);
  assert.deepEqual(rows, [['a1', null], ['a2', 'b2']]); // prettier-ignore
});

test('a cell without its like stands behind the one that ran before it', () => {
  const rows = keys([
    [cell('a1', 'one', 'load()'), cell('a3', 'three', 'evaluate(model, test)')],
    [cell('b1', 'one', 'load()'), cell('b2', 'new', 'augment images by 90 degrees'), cell('b3', 'three')],
    [cell('c0', 'first', 'import torch as t')]
  ]);
  assert.deepEqual(rows, [
    [null, null, 'c0'],
    ['a1', 'b1', null],
    [null, 'b2', null],
    ['a3', 'b3', null]
  ]);
});

test('a cell that ran twice has two rows, and the n-th time meets the n-th', () => {
  const twice = [cell('a1', 'train', 'fit()'), cell('a2', 'train', 'fit()')];
  assert.deepEqual(keys([twice, [cell('b1', 'train', 'fit()')]]), [['a1', 'b1'], ['a2', null]]); // prettier-ignore
  assert.deepEqual(keys([[cell('b1', 'train', 'fit()')], twice]), [['b1', 'a1'], [null, 'a2']]); // prettier-ignore
});

test('of several that are alike the most alike is taken', () => {
  const rows = keys([
    [cell('a1', null, 'fit(model, 1, 2, 3)'), cell('a2', null, 'fit(model, 7, 8, 9)')],
    [cell('b2', null, 'fit(model, 7, 8, 9)')]
  ]);
  assert.deepEqual(rows, [['a1', null], ['a2', 'b2']]); // prettier-ignore
});

test('sources that say nothing to each other are not alike, and an unknown one is like none', () => {
  assert.equal(similarity('%%track a\nfit()', '%%track b\nfit()'), 1);
  assert.ok(similarity('fit(model)', 'import numpy as np') < 0.2);
  assert.equal(similarity(null, null), 0);
  assert.equal(similarity('模型 = 1', '模型 = 1'), 1);
  assert.equal(alignCells([[cell('a', null)], [cell('b', null)]]).length, 2);
});

test('runs without cells leave their columns empty', () => {
  assert.deepEqual(keys([[], [cell('b', 'x')], []]), [[null, 'b', null]]); // prettier-ignore
  assert.deepEqual(keys([]), []);
});
