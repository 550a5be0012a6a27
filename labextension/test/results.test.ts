import assert from 'node:assert/strict';
import test from 'node:test';

import { eventText, isMarked, placedEvents, placeOf } from '../src/compare/events';
import { differenceText, resultRows } from '../src/compare/results';
import { repeatedMetrics } from '../src/text/metrics';
import type { Metric, MetricSummary, Run, RunEvent } from '../src/wire/protocol';

const summary = (run: string, last: number, more: Partial<MetricSummary> = {}): MetricSummary => ({
  run, name: 'loss', source: 'logged', count: 9, last, last_step: 8, min: last, min_step: 5, max: 9, max_step: 0,
  best: null, best_step: null, unit: null, better: 'lower', ...more
}); // prettier-ignore

test('a result tells value, step, and how far it is from the baseline, for better or worse', () => {
  const [last, least] = resultRows([[summary('a', 2)], [summary('b', 1)], [summary('c', 3)]], 0);
  assert.deepEqual(last?.cells.map(cell => cell?.difference), ['', '−1 (−50 %)', '+1 (+50 %)']); // prettier-ignore
  assert.deepEqual(last?.cells.map(cell => cell?.better), [null, true, false]); // prettier-ignore
  assert.deepEqual([last?.cells[1]?.text, last?.cells[1]?.step], ['1', 8]);
  assert.equal(least?.cells[0]?.best, true, 'the least is the best where lower is better');
});

test('without a word on what is better, or without a baseline, nothing is judged', () => {
  const unknown = { better: null };
  const [last] = resultRows([[summary('a', 2, unknown)], [summary('b', 1, unknown)]], 0);
  assert.deepEqual(last?.cells.map(cell => [cell?.better, cell?.best]), [[null, false], [null, false]]); // prettier-ignore
  const [alone] = resultRows([[summary('a', 2)], [summary('b', 1)]], -1);
  assert.deepEqual(alone?.cells.map(cell => cell?.difference), ['', '']); // prettier-ignore
});

test('a run that lacks the metric has no cell, and one whose values were never finite no least', () => {
  const odd = summary('b', 0, { last: 'NaN', min: null, min_step: null, max: null, max_step: null });
  const [last, least] = resultRows([[], [odd], undefined], 1);
  assert.deepEqual(last?.cells.map(cell => cell?.text ?? null), [null, 'NaN', null]); // prettier-ignore
  assert.deepEqual([least?.cells[1]?.text, least?.cells[1]?.step], ['', null]);
});

test('logged and inferred metrics of one name are different rows; what machines said is none', () => {
  const rows = resultRows([[summary('a', 1), summary('a', 2, { source: 'inferred' }),
    summary('a', 3, { source: 'system' })]], -1); // prettier-ignore
  assert.deepEqual([...new Set(rows.map(row => row.metric))], ['loss', 'loss (inferred)']);
});

test('a difference from nothing has no percentage, from infinity none at all', () => {
  assert.equal(differenceText(1, 0), '+1');
  assert.equal(differenceText(1, Infinity), '');
  assert.equal(differenceText(2, 2), '±0');
  assert.equal(differenceText(-1, -2), '+1 (+50 %)', 'a share of the size');
});

const event: RunEvent = {
  run: 'a', time: 1010, step: 40, name: 'gpu-fault', level: 'error', detail: 'Xid 79', more: {}
}; // prettier-ignore

test('an event stands at its step, its seconds, its time; on a metric it has no place', () => {
  const places = ['step', 'relative', 'time', 'epoch'].map(axis => placeOf(event, { created: 1000 }, axis));
  assert.deepEqual(places, [40, 10, 1010, null]);
  assert.equal(placeOf({ ...event, time: null, step: null }, { created: 1000 }, 'relative'), null);
});

test('what is only for information is in the list and not on the charts', () => {
  assert.equal(isMarked(event), true);
  assert.equal(isMarked({ ...event, level: 'info' }), false);
  assert.equal(eventText(event), 'gpu-fault: Xid 79');
});

test('an inferred metric is repeated where every run that has it logged it under the same name', () => {
  const metric = (name: string, source: Metric['source'], runs: string[]): Metric => ({
    name, source, runs, unit: null, better: null, x: null
  }); // prettier-ignore
  const logged = [metric('loss', 'logged', ['a', 'b']), metric('acc', 'logged', ['a'])];
  const inferred = [
    metric('loss', 'inferred', ['b']),
    metric('acc', 'inferred', ['a', 'b']),
    metric('f1', 'inferred', ['a'])
  ];
  assert.deepEqual([...repeatedMetrics([...logged, ...inferred])], ['loss'], 'b did not log its acc');
  assert.deepEqual([...repeatedMetrics(logged)], []);
});

test('of an inferred metric, which counts its own steps, no event is marked over steps, over time it is', () => {
  const run = { id: 'a', created: 10 } as Run;
  const event: RunEvent = {
    run: 'a',
    time: 12,
    step: 3,
    name: 'fault',
    level: 'error',
    detail: '',
    more: {}
  };
  const events = (): RunEvent[] => [event, { ...event, level: 'info' }, { ...event, time: null, step: null }];
  const placed = (source: 'logged' | 'inferred', axis: string): (string | number)[] =>
    placedEvents([run], events, { metric: { source }, axis }).map(({ x }) => x);
  assert.deepEqual([placed('logged', 'step'), placed('inferred', 'step'), placed('inferred', 'relative')], [[3], [], [2]]); // prettier-ignore
});
