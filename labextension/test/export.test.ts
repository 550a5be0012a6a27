import assert from 'node:assert/strict';
import test from 'node:test';

import { csvOf } from '../src/text/csv';
import { metricSearch, prefixOf } from '../src/text/metricsearch';
import { decodeWindow } from '../src/wire/decode';
import type { FeedMessage } from '../src/wire/protocol';
import { golden } from './golden';

const series = golden<{ series: Extract<FeedMessage, { type: 'series' }> }>('feed').series;
const window = decodeWindow(series.windows[0]!);
const metric = { name: series.metric, source: 'logged' } as const;

test('CSV has every point that is seen, in full, and says what is not a number', () => {
  const text = csvOf(metric, [window], { start: 0, end: 3 }, () => 'brave, "otter"');
  const [head, ...rows] = text.split('\r\n');
  assert.equal(head, 'run,name,metric,source,step,value,min,max,points,nan,posinf,neginf');
  const whose = `${window.run},"brave, ""otter""",loss/été,logged`;
  assert.deepEqual(rows, [
    `${whose},0,2.5,2.5,2.5,1,0,0,0`,
    `${whose},1,nan,,,1,1,0,0`,
    `${whose},2,inf,,,1,0,1,0`,
    `${whose},3,0.125,0.125,0.125,1,0,0,0`,
    ''
  ]);
});

test('CSV leaves out what is not in view', () => {
  const text = csvOf(metric, [window], { start: 2.5, end: 9 }, run => run);
  assert.equal(text.split('\r\n').length, 3);
});

test('a name that a spreadsheet would run as a formula is only text', () => {
  const text = csvOf({ ...metric, name: '=cmd()' }, [window], { start: 3, end: 3 }, () => '@x\n');
  assert.ok(text.includes(`"'@x\n",'=cmd(),logged`), text);
});

test('a search is words that all occur, or a regular expression between slashes', () => {
  const found = (text: string, ...names: string[]): string[] => {
    const search = metricSearch(text);
    assert.equal(search.kind, 'found');
    return search.kind === 'found' ? names.filter(search.matches) : [];
  };
  const names = ['train/loss', 'val/loss', 'val/acc', 'gpu0.memory'];
  assert.deepEqual(found('', ...names), names);
  assert.deepEqual(found('LOSS va', ...names), ['val/loss']);
  assert.deepEqual(found('/^val.+(loss|acc)$/', ...names), ['val/loss', 'val/acc']);
  assert.deepEqual(found('/gpu\\d', ...names), ['gpu0.memory'], 'while the last slash is not there yet');
  assert.deepEqual(found('/', ...names), ['train/loss', 'val/loss', 'val/acc'], 'one slash is a slash');
  assert.equal(metricSearch('/(/').kind, 'bad');
});

test('a prefix ends at the first slash', () => {
  assert.deepEqual(['a/b/c', 'loss', '/x'].map(prefixOf), ['a', '', '']);
});

test('CSV has what was smoothed beside what was recorded', () => {
  const smooth = { ...window, last: Float64Array.from([2, 2, 2, 1.5]) };
  const text = csvOf(metric, [window], { start: 3, end: 3 }, run => run, new Map([[window.run, smooth]]));
  const [head, row] = text.split('\r\n');
  assert.ok(head?.endsWith(',neginf,smoothed'));
  assert.ok(row?.endsWith(',0,1.5'), row);
});
