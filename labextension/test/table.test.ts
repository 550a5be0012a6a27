import assert from 'node:assert/strict';
import test from 'node:test';

import type { TranslationBundle } from '@jupyterlab/translation';

import { complete, fieldNames } from '../src/filter/complete';
import { filtered, NO_FILTER, retyped, suspects } from '../src/filter/runfilter';
import { arranged, compareValues, sorted } from '../src/table/arrange';
import { cellText, cellValue, columnLabel, columnLabels } from '../src/table/columns';
import { stateToJson, tableStateFrom } from '../src/table/tablestate';
import { costOf, formatCost, priceSource, withoutCost } from '../src/text/cost';
import { formatMetric } from '../src/text/metrics';
import { inWords } from '../src/text/looks';
import { namesOf, runLabels, sharedNames } from '../src/text/runnames';
import { mergedTags } from '../src/text/tags';
import type { Json, Run } from '../src/wire/protocol';
import { golden } from './golden';

const trans = { __: (text: string) => text } as TranslationBundle;

const { now, runs } = golden<{ now: number; runs: Run[] }>('filters');
const [bert, gpt, naive] = runs as [Run, Run, Run];
const context = { now };
const ids = (list: readonly Run[]): string[] => list.map(run => run.id.slice(-6));

test('numbers stand by size, texts as people sort them, what is missing or NaN last either way', () => {
  const values: Json[] = ['run 10', null, 3, 'run 9', NaN, -1, ''];
  const order = (descending: boolean): Json[] =>
    [...values].sort((a, b) => compareValues(a, b, descending)).slice(0, 4);
  assert.deepEqual(order(false), [-1, 3, 'run 9', 'run 10']);
  assert.deepEqual(order(true), ['run 10', 'run 9', 3, -1]);
});

test('pinned runs stand first, equal ones newest first', () => {
  assert.deepEqual(ids(sorted(runs, { by: 'project', descending: false }, context)), [
    'bbbbbb',
    'aaaaaa',
    'cccccc'
  ]);
});

test('groups are counted, ordered by value, and folded', () => {
  const { rows, runs: order } = arranged(runs, { groupBy: 'project', folded: ['nlp'] }, context);
  assert.deepEqual(
    rows.map(row =>
      row.kind === 'group' ? `${row.label} ${row.count} ${row.folded}` : row.run.id.slice(-6)
    ),
    ['nlp 2 true', 'vision 1 false', 'cccccc']
  );
  assert.equal(order.length, 3);
});

test('archived runs are shown when asked for, or when the filter speaks of them', () => {
  assert.deepEqual(ids(filtered(runs, { type: 'all' }, now)), ['aaaaaa', 'bbbbbb']);
  assert.equal(filtered(runs, { type: 'all' }, now, true).length, 3);
  const { expression } = retyped(NO_FILTER, 'archived', runs);
  assert.deepEqual(ids(filtered(runs, expression, now)), ['cccccc']);
});

test('a mistake leaves the last good filter in force', () => {
  const good = retyped(NO_FILTER, 'config.lr < 0.1', runs);
  const bad = retyped(good, 'config.lr < 0.1 and', runs);
  assert.equal(bad.expression, good.expression);
  assert.equal(bad.mistake?.start, 19);
  assert.equal(retyped(bad, 'config.lr < 0.1 and bert', runs).mistake, null);
});

test('the beginning of a field counts for nothing until it is whole', () => {
  for (const text of ['conf', 'config.l', 'loss.mi']) {
    const typed = retyped(NO_FILTER, text, runs);
    assert.equal(typed.expression.type, 'all', text);
    assert.notEqual(typed.mistake, null);
  }
  const typed = retyped(NO_FILTER, 'config.lr < 0.1 and config.o', runs);
  assert.equal(typed.expression.type, 'compare');
  assert.equal(retyped(NO_FILTER, 'zebra', runs).mistake, null); // a word that occurs nowhere is a result
  assert.deepEqual(suspects(runs, [], retyped(NO_FILTER, 'config.lrr < 1', runs).expression), ['config.lrr']);
});

test('what may come next: names first by their beginning, then values that runs have', () => {
  assert.deepEqual(complete('config.l', 8, runs)?.options.slice(0, 3), [
    'config.layers',
    'config.limit',
    'config.lr'
  ]);
  assert.deepEqual(complete('status = fi', 11, runs), { start: 9, end: 11, options: ['finished'] });
  assert.deepEqual(complete('bert and notebook = ', 20, runs)?.options, ['train.ipynb']);
  assert.deepEqual(complete('name = G', 8, runs)?.options, ['"GPT \\"small\\""']);
  assert.equal(complete('name = "be', 10, runs), null);
  assert.equal(complete('', 0, runs), null);
  assert.ok(fieldNames(runs).includes('config.`my key`'));
});

test('a cell shows what its column means', () => {
  const cell = (run: Run, id: string): string => cellText(run, id, cellValue(run, id, context), now);
  assert.equal(cell(bert, 'duration'), '2:00:00');
  assert.equal(cell(bert, 'tags'), 'baseline, β');
  assert.equal(cell(bert, 'config.`my key`'), 'a b');
  assert.equal(cell(bert, 'val/loss.last'), 'NaN');
  assert.equal(cell(gpt, 'pinned'), '✓');
  assert.equal(cell(naive, 'loss.min'), '');
  assert.equal(cell(gpt, 'config.layers'), '[64,10]');
  assert.equal(columnLabel('val/loss.min'), 'val/loss min');
});

test('columns that would be called the same, or look the same, are called by the whole field', () => {
  const columns = ['name', 'config.loss', 'loss.last', 'Loss.last', '`caf\u00e9`.last', '`cafe\u0301`.last'];
  assert.deepEqual(columnLabels(columns.map(id => ({ id, width: 100 }))), [
    'name', 'config.loss', 'loss.last', 'Loss', '`café`.last', '`cafe\\u{301}`.last'
  ]); // prettier-ignore
});

test('what a run has cost is its own price times its time, also while it goes on', () => {
  const price = { usd_per_hour: 2, as_of: '2026-09-20', source: 'price list coreweave' };
  const paid = (more: Partial<Run>): Run => ({ ...bert, created: now - 7200, facts: { price }, ...more });
  const ended = paid({ finished: now - 5400 });
  assert.equal(cellValue(ended, 'cost', context), 1);
  assert.equal(cellText(ended, 'cost', 1, now), '≈ $1.00');
  assert.equal(costOf(paid({ finished: null, status: 'running' }), now), 4);
  assert.equal(costOf(paid({ finished: null, status: 'unknown' }), now), null, 'nobody knows until when');
  assert.equal(priceSource(ended), '≈ $2.00/h, price list coreweave, 2026-09-20');
  assert.deepEqual([0, 0.004, 0.005].map(formatCost), ['≈ $0.00', '< $0.01', '≈ $0.01']); // prettier-ignore
});

test('a machine without a known price has no cost, and says why; a run of this machine says nothing', () => {
  const run = (facts: Run['facts']): Run => ({ ...bert, facts });
  const said = (facts: Run['facts']): unknown[] => [costOf(run(facts), now), withoutCost(run(facts), trans)];
  assert.deepEqual(said({ price: { usd_per_hour: null } }), [null, 'no price known']);
  assert.deepEqual(said({ price: { usd_per_hour: null, provider: 'cloud' } }), [null, 'no price known']);
  assert.deepEqual(said({ price: { usd_per_hour: null, provider: 'ssh' } }), [null, 'own machine']);
  assert.deepEqual([...said({ lease: 'a100' }), priceSource(run({ lease: 'a100' }))], [null, '', '']);
  assert.deepEqual(said({ price: ['2'] }), [null, '']);
});

test('runs of one name are called by the end of their ids as well, others by their names', () => {
  const named = ['a', 'b', 'a'].map((name, n) => ({ name, id: `20261122-14150${n}-aaaaa${n}` }));
  assert.deepEqual([...runLabels(named).values()], ['a (aaaaa0)', 'b', 'a (aaaaa2)']);
  assert.deepEqual([...sharedNames(named)], ['a']);
});

test('runs whose names only look the same are told apart as well', () => {
  const names = ['café', 'cafe\u0301', 'caf\u200bé', ' café ', 'cafe', 'Café'];
  const named = names.map((name, n) => ({ name, id: `20261122-14150${n}-aaaaa${n}` }));
  assert.deepEqual([...sharedNames(named)], names.slice(0, 4));
  assert.deepEqual([...runLabels(named).values()].slice(4), ['cafe', 'Café']);
});

test('a name in a sentence neither turns it around nor pushes its end away', () => {
  assert.equal(inWords('run 4'), 'run 4');
  assert.equal(inWords('a\u202eb\u2066c\nd'), 'abc d');
  assert.equal([...inWords('🙂'.repeat(100))].length, 60);
  assert.equal(inWords('שלום'), '\u2068שלום\u2069');
});

test('a metric that was ever a fraction is shown as one, a count is not', () => {
  const run = (last: number, low: number, high: number): Run => ({
    ...bert,
    summary: { m: last },
    extremes: { m: [low, high, null] }
  });
  assert.equal(formatMetric(run(1, 0.25, 1), 'm'), '1.0');
  assert.equal(formatMetric(run(7, 1, 7), 'm'), '7');
  assert.equal(formatMetric(run(0.5, 0.25, 1), 'm'), '0.5');
});

test('tags of several runs: what all share can be taken away, what is added comes to all', () => {
  assert.deepEqual(mergedTags(['a', 'own'], ['a'], ['b']), ['own', 'b']);
  assert.deepEqual(mergedTags(['a'], ['a'], ['a', 'a', 'b']), ['a', 'b']);
});

test('a table is arranged as it was saved; what makes no sense takes its default', () => {
  const state = tableStateFrom({
    filter: 'bert',
    columns: [{ id: 'name', width: 300 }, { id: 'loss.last', width: 5 }, 'x', {}],
    sort: { by: 'loss.last', descending: true },
    groupBy: 'project',
    folded: ['nlp', 3],
    selected: ['a'],
    archived: 'yes'
  });
  assert.deepEqual(state.columns, [
    { id: 'name', width: 300 },
    { id: 'loss.last', width: 48 }
  ]);
  assert.deepEqual([state.folded, state.archived, state.charts], [['nlp'], false, {}]);
  assert.deepEqual(tableStateFrom(stateToJson(state)), state);
  assert.equal(tableStateFrom({ columns: 3, sort: [] }).columns, null);
});

test('of several runs that were to be deleted, the one is named that was', () => {
  const chosen = [
    { id: '20261122-141503-aaaaa0', name: 'goes on' },
    { id: '20261122-141503-aaaaa1', name: 'is over' }
  ];
  assert.deepEqual(namesOf(chosen, ['20261122-141503-aaaaa1']), ['is over']);
});
