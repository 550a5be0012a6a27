import assert from 'node:assert/strict';
import test from 'node:test';

import { ApiError } from '../src/wire/errors';
import { Persistent } from '../src/wire/persistent';
import type { SeriesRequest } from '../src/wire/protocol';
import { Watches, type SeriesMessage } from '../src/wire/watches';

/** Lets everything that is ready to go on do so. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
  }
};

test('what fails is tried again ever later, whoever asks meanwhile, and until it succeeds', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(Math, 'random', () => 0.5);
  let [attempts, broken] = [0, true];
  const said: (string | null)[] = [];
  const persistent = new Persistent(
    () => {
      attempts += 1;
      return broken ? Promise.reject(new Error('no')) : Promise.resolve();
    },
    problem => said.push(problem)
  );
  persistent.start();
  await settle();
  assert.equal(attempts, 1);
  for (let i = 0; i < 50; i++) {
    persistent.start();
    await settle();
  }
  assert.equal(attempts, 1, 'a wait is waited out');
  for (const wait of [500, 1000, 2000, 4000]) {
    t.mock.timers.tick(wait - 1);
    await settle();
    const before: number = attempts;
    t.mock.timers.tick(1);
    await settle();
    assert.equal(attempts, before + 1);
  }
  broken = false;
  persistent.restart();
  await settle();
  assert.deepEqual(said, ['no', 'no', 'no', 'no', 'no', null]);
  t.mock.timers.tick(1e6);
  await settle();
  assert.equal(attempts, 6, 'what succeeded is not tried again');
});

test('what is asked for during an attempt is done after it, once', async () => {
  let attempts = 0;
  const doors: (() => void)[] = [];
  const persistent = new Persistent(
    () =>
      new Promise(open => {
        attempts += 1;
        doors.push(open);
      }),
    () => undefined
  );
  persistent.start();
  persistent.start();
  persistent.start();
  assert.equal(attempts, 1);
  doors[0]?.();
  await settle();
  assert.equal(attempts, 2);
  doors[1]?.();
  await settle();
  assert.equal(attempts, 2);
});

test('a refusal is said and not repeated', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let attempts = 0;
  const said: (string | null)[] = [];
  const persistent = new Persistent(
    () => {
      attempts += 1;
      return Promise.reject(new ApiError(403, 'You may not.', 'Log in.'));
    },
    problem => said.push(problem)
  );
  persistent.start();
  await settle();
  t.mock.timers.tick(1e6);
  await settle();
  assert.equal(attempts, 1);
  assert.deepEqual(said, ['You may not. Log in.']);
});

const request = (metric: string, width: number): SeriesRequest => ({
  metric, width, runs: ['r'], x: 'step', start: null, stop: null, source: 'logged', smoothing: 0,
  groups: null
}); // prettier-ignore
const push = (watch: number, index: number): SeriesMessage => ({
  type: 'series', watch, index, metric: 'loss', source: 'logged', windows: []
}); // prettier-ignore

test('a push answers the request at its index, also of the watch before', () => {
  const watches = new Watches();
  const [one, two] = [{}, {}];
  watches.set(one, [request('loss', 100)]);
  const first = watches.message();
  watches.set(two, [request('acc', 50), request('loss', 50)]);
  const second = watches.message();
  assert.deepEqual(
    second.series.map(series => series.width),
    [100, 50, 50]
  );
  assert.equal(watches.answered(push(first.id, 0))?.owner, one);
  assert.equal(watches.answered(push(second.id, 2))?.owner, two);
  assert.equal(watches.answered(push(second.id, 2))?.request.width, 50);
  assert.equal(watches.answered(push(first.id, 0)), null, 'the server does not go back');
  assert.equal(watches.answered(push(second.id, 3)), null);
  assert.equal(watches.answered(push(99, 0)), null);
});

test('watches that nothing answers are forgotten but for the last', () => {
  const watches = new Watches();
  const owner = {};
  const ids = Array.from({ length: 1000 }, (_, width) => {
    watches.set(owner, [request('loss', width)]);
    return watches.message().id;
  });
  assert.equal(watches.answered(push(ids[0]!, 0)), null);
  assert.equal(watches.answered(push(ids[990]!, 0))?.request.width, 990);
  assert.equal(watches.answered(push(ids[999]!, 0))?.request.width, 999);
});

test('an owner that wants nothing any more is told nothing', () => {
  const watches = new Watches();
  const owner = {};
  assert.equal(watches.set(owner, []), false);
  watches.set(owner, [request('loss', 1)]);
  watches.message();
  assert.equal(watches.set(owner, []), true);
  assert.deepEqual(watches.message().series, []);
});
