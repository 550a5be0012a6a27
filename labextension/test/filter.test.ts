import assert from 'node:assert/strict';
import test from 'node:test';

import { complete, fieldNames } from '../src/filter/complete';
import { matcher, unknownFields } from '../src/filter/matching';
import { parseFilter } from '../src/filter/parser';
import { NO_FILTER, retyped } from '../src/filter/runfilter';
import { FilterMistake, toText } from '../src/filter/tree';
import type { Run } from '../src/wire/protocol';
import { golden } from './golden';

interface Golden {
  now: number;
  runs: Run[];
  filters: { filter: string; text: string; runs: number[] }[];
  mistakes: { filter: string; reason: string; start: number; end: number; remedy: string | null }[];
}

const { now, runs, filters, mistakes } = golden<Golden>('filters');

for (const { filter, text, runs: meant } of filters) {
  test(`the filter ${JSON.stringify(filter)} means what it means in Python`, () => {
    const expression = parseFilter(filter);
    const matches = matcher(expression, now);
    assert.deepEqual(
      runs.flatMap((run, index) => (matches(run) ? [index] : [])),
      meant
    );
    assert.equal(toText(expression), text);
    assert.deepEqual(parseFilter(text), expression);
  });
}

for (const { filter, ...expected } of mistakes) {
  test(`the mistake in ${JSON.stringify(filter)} is named as in Python`, () => {
    assert.throws(
      () => parseFilter(filter),
      (error: unknown) => {
        assert.ok(error instanceof FilterMistake);
        const { reason, start, end, remedy } = error;
        assert.deepEqual({ reason, start, end, remedy }, expected);
        return true;
      }
    );
  });
}

test('a field that no run has is named', () => {
  const expression = parseFilter('config.lr < 1 and config.lrr < 1 and los.last = 3 and name = x');
  assert.deepEqual(unknownFields(expression, runs), ['config.lrr', 'los.last']);
});

test('names of JavaScript objects are no fields', () => {
  for (const text of ['config.constructor', 'constructor.last', 'toString.min', 'summary.__proto__']) {
    assert.deepEqual(runs.filter(matcher(parseFilter(text), now)), []);
  }
});

/** A run like the first of the golden ones, with something else. */
const runWith = (more: Partial<Run>): Run => ({
  ...(runs[0] as Run),
  ...{ config: {}, summary: {}, facts: {}, extremes: {}, group: null, error: null },
  ...more
});

test('every field that is suggested is one that a run has, besides the grammar’s own', () => {
  for (const list of [runs, [runWith({ config: { lr: 0.1 } })]]) {
    const prefixed = fieldNames(list).filter(name => name.includes('.'));
    assert.ok(prefixed.length > 0);
    for (const name of prefixed) {
      assert.deepEqual(unknownFields(parseFilter(`${name} = 1`), list), [], name);
    }
  }
});

test('a best value is suggested only where somebody said what is better, and a key only where it has a value', () => {
  const list = [
    runWith({
      config: { lr: 0.1, seed: null, opt: { name: 'adam', beta: null } },
      summary: { loss: 0.2, acc: 0.9, lost: 'NaN', note: 'x', nothing: null },
      extremes: { loss: [0.1, 3, 'lower'], acc: [0, 1, null], lost: [null, null, 'lower'] }
    })
  ];
  const names = fieldNames(list).filter(name => name.includes('.'));
  assert.deepEqual(names, [
    ...['config.lr', 'config.opt.name'],
    ...['acc.last', 'acc.min', 'acc.max', 'loss.last', 'loss.min', 'loss.max', 'loss.best', 'lost.last'],
    'summary.note'
  ]);
});

test('the grammar’s own fields that no run has come last', () => {
  const list = [runWith({ project: 'p', config: { le: 1 } })];
  assert.deepEqual(complete('le', 2, list)?.options, ['lease', 'config.le']);
  const names = fieldNames(list);
  assert.ok(names.indexOf('lease') > names.indexOf('config.le'));
  assert.ok(names.indexOf('project') < names.indexOf('config.le'));
});

test('while a filter makes no sense, it is known of which the runs are', () => {
  const type = (...texts: string[]): [string, string | undefined] => {
    const last = texts.reduce((before, text) => retyped(before, text, runs), NO_FILTER);
    return [last.inForce, last.mistake?.reason];
  };
  assert.equal(type('status = finished')[0], 'status = finished');
  assert.equal(type('status = finished')[1], undefined);
  const [inForce, reason] = type(' status = finished ', 'status = finnished');
  assert.equal(inForce, 'status = finished');
  assert.match(reason ?? '', /finnished/);
  assert.equal(type('status = finnished')[0], '');
  assert.deepEqual(type('status = finished', 'status = finnished', ''), ['', undefined]);
  // The beginning of a field's name counts for nothing yet; what stands before it does.
  const field = fieldNames(runs).find(name => name.startsWith('config.')) as string;
  const begun = `status = finished and ${field.slice(0, -1)}`;
  assert.equal(type('name = x', begun)[0], 'status = finished');
  assert.equal(type('name = x', field.slice(0, -1))[0], '');
});
