import assert from 'node:assert/strict';
import test from 'node:test';

import { shownOf } from '../src/compare/reaching';
import type { JsonObject } from '../src/wire/protocol';

const PLOT = 'application/vnd.vega.v5+json';
const renders = (mime: string): boolean =>
  [PLOT, 'text/html', 'text/plain', 'application/json'].includes(mime);
const said = (mimes: string): string => `not shown: ${mimes}`;
const shown = (data: JsonObject, all = false): { data: unknown; withheld: string[] } => {
  const { output, withheld } = shownOf({ output_type: 'display_data', data }, { renders, said, all });
  return { data: output['data'], withheld };
};

test('a plot that brings its data is shown at once', () => {
  const data = { [PLOT]: { $schema: 'https://vega.github.io/schema/v5.json', data: [{ values: [1, 2] }] } };
  assert.deepEqual(shown(data), { data, withheld: [] });
});

test('a plot that could ask another machine waits until somebody wants it, and its text is shown meanwhile', () => {
  const hostile: JsonObject[] = [
    { data: [{ url: 'data.json' }] },
    { images: [{ x: 'https:elsewhere.test/i' }] },
    { images: [{ x: '//elsewhere.test/i' }] },
    { images: [{ x: '\\\\elsewhere.test/i' }] },
    { marks: [{ encode: { update: { at: { signal: "'ht' + 'tp:'" } } } }] },
    { usermeta: { embedOptions: {} } }
  ];
  for (const plot of hostile) {
    const data = { [PLOT]: plot, 'text/plain': 'Chart' };
    assert.deepEqual(shown(data), { data: { 'text/plain': 'Chart' }, withheld: [PLOT] });
    assert.deepEqual(shown(data, true), { data, withheld: [] });
  }
  assert.deepEqual(shown({ [PLOT]: { url: 'x' } }).data, { 'text/plain': `not shown: ${PLOT}` });
});

test('what no renderer may show is named instead of being nothing', () => {
  const script = { 'application/javascript': 'alert(1)' };
  assert.deepEqual(shown(script), {
    data: { 'text/plain': 'not shown: application/javascript' },
    withheld: []
  });
  assert.deepEqual(shown({}), { data: {}, withheld: [] });
});

test('HTML, which is sanitized, and JSON, which is text, wait for nobody', () => {
  const data = {
    'text/html': '<img src=https://elsewhere.test>',
    'application/json': { url: 'https://x.test' }
  };
  assert.deepEqual(shown(data), { data, withheld: [] });
});
