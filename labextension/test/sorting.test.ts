import assert from 'node:assert/strict';
import test from 'node:test';

import { notebookPath } from '../src/text/notebooks';
import { NEWEST_FIRST, orderBy, sortableMetrics, sortRuns } from '../src/text/sort';
import type { JsonObject, Run } from '../src/wire/protocol';

const run = (name: string, created: number, summary: JsonObject): Run => ({ name, created, summary }) as Run;
const runs = [
  run('run 10', 4, { loss: 0.5, note: 'x' }),
  run('run 9', 3, { loss: 'NaN' }),
  run('best', 2, { loss: '-Infinity', acc: 1 }),
  run('none', 1, {})
];
const names = (...order: Parameters<typeof sortRuns>): string[] => sortRuns(...order).map(one => one.name);

test('runs are sorted by start, by name as people do, and by a metric', () => {
  assert.deepEqual(names(runs, NEWEST_FIRST), ['run 10', 'run 9', 'best', 'none']);
  assert.deepEqual(names(runs, { by: 'started', descending: false })[0], 'none');
  assert.deepEqual(names(runs, orderBy('name')), ['best', 'none', 'run 9', 'run 10']);
  assert.deepEqual(names(runs, orderBy('metric:loss')), ['best', 'run 10', 'run 9', 'none']);
});

test('a run without the metric stands last either way round', () => {
  assert.deepEqual(names(runs, { by: 'metric:loss', descending: true }), ['run 10', 'best', 'run 9', 'none']);
});

test('runs can be sorted by what is a number in any of them', () => {
  assert.deepEqual(sortableMetrics(runs), ['acc', 'loss']);
});

test('a notebook opens when it lies below the server root', () => {
  assert.equal(notebookPath('work/a.ipynb', '/srv'), 'work/a.ipynb');
  assert.equal(notebookPath('/srv/work/a.ipynb', '/srv/'), 'work/a.ipynb');
  assert.equal(notebookPath('/srv2/a.ipynb', '/srv'), null);
  assert.equal(notebookPath('/home/ann/x/a.ipynb', '~/x'), 'a.ipynb');
  for (const home of ['home/ann', 'root']) {
    assert.equal(notebookPath(`/${home}/a.ipynb`, '~'), 'a.ipynb');
  }
  assert.equal(notebookPath('/opt/y/a.ipynb', '~/x'), null);
  assert.equal(notebookPath('/srv/script.py', '/srv'), null);
});
