import assert from 'node:assert/strict';
import test from 'node:test';

import { matcher, unknownFields } from '../src/filter/matching';
import { parseFilter } from '../src/filter/parser';
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
