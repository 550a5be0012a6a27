import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type { SeriesRequest } from '../src/wire/protocol';
import { Watches, type SeriesMessage } from '../src/wire/watches';

const request = (metric: string): SeriesRequest => ({
  metric,
  runs: ['r'],
  x: 'step',
  start: null,
  stop: null,
  width: 100,
  source: 'logged',
  smoothing: 0,
  groups: null
});
const push = (watch: number, index: number): SeriesMessage => ({
  type: 'series',
  watch,
  index,
  metric: 'loss',
  source: 'logged',
  windows: []
});

test('what was on its way when the watch was replaced still answers the one before', () => {
  const [watches, first, second] = [new Watches(), {}, {}];
  watches.set(first, [request('loss')]);
  const { id } = watches.message();
  watches.set(second, [request('acc')]);
  watches.message();
  assert.equal(watches.answered(push(id, 0))?.owner, first);
  assert.equal(watches.answered(push(id + 1, 1))?.owner, second);
  assert.equal(watches.answered(push(id, 0)), null, 'the server never goes back');
});

test('who watches no more is not kept by what was sent', async () => {
  const watches = new Watches();
  const gone = ((): WeakRef<object> => {
    const owner = { much: new Array(1000).fill(0) };
    watches.set(owner, [request('loss')]);
    watches.message();
    watches.set(owner, []);
    return new WeakRef(owner);
  })();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await new Promise(resolve => setTimeout(resolve, 0)); // a WeakRef keeps what it names until the turn is over
  collect();
  assert.equal(gone.deref(), undefined);
  assert.equal(watches.answered(push(1, 0)), null);
});
