import assert from 'node:assert/strict';
import test from 'node:test';

import { backoffMs } from '../src/wire/backoff';
import { decodeWindow } from '../src/wire/decode';
import { API_VERSION, type FeedMessage, type Info, type Lease, type Metric } from '../src/wire/protocol';
import { golden } from './golden';

type Feed = { [K in FeedMessage['type']]: Extract<FeedMessage, { type: K }> };

test('the golden series decodes to what was logged, with NaN and infinity counted', () => {
  const series = golden<Feed>('feed').series;
  const window = decodeWindow(series.windows[0]!);
  assert.equal(window.run, '20261122-141503-k3f9qz');
  assert.equal(window.metric, 'loss/été');
  assert.equal(window.xKind, 'step');
  assert.equal(window.raw, true);
  assert.equal(window.points, 4);
  assert.deepEqual([...window.x], [0, 1, 2, 3]);
  assert.deepEqual([...window.last], [2.5, NaN, NaN, 0.125]);
  assert.deepEqual([...window.count], [1, 1, 1, 1]);
  assert.deepEqual([...window.nan], [0, 1, 0, 0]);
  assert.deepEqual([...window.posinf], [0, 0, 1, 0]);
  assert.deepEqual([...window.neginf], [0, 0, 0, 0]);
});

test('every array of every golden window has one entry a bucket', () => {
  for (const encoded of golden<Feed>('feed').series.windows) {
    const window = decodeWindow(encoded);
    const { x, min, max, first, last, count, nan, posinf, neginf } = window;
    const lengths = new Set(
      [x, min, max, first, last, count, nan, posinf, neginf].map(array => array.length)
    );
    assert.equal(lengths.size, 1, window.run);
  }
});

test('an empty window decodes to empty arrays', () => {
  const encoded = golden<Feed>('feed').series.windows[0]!;
  const empty = { ...encoded, x: { dtype: 'float64', base64: '' } as const };
  assert.equal(decodeWindow(empty).x.length, 0);
});

test('the golden server speaks the version of this panel', () => {
  assert.equal(golden<Info>('info').api, API_VERSION);
  assert.equal(golden<Feed>('feed').hello.api, API_VERSION);
});

test('golden leases and metrics have the fields that the panel shows', () => {
  const [lease] = golden<{ leases: Lease[] }>('leases').leases;
  assert.equal(typeof lease?.name, 'string');
  assert.equal(typeof lease?.device, 'string');
  assert.equal(typeof lease?.created, 'number');
  assert.equal(lease?.state, 'ready');
  const sources = golden<{ metrics: Metric[] }>('metrics').metrics.map(metric => metric.source);
  assert.deepEqual(new Set(sources), new Set(['logged', 'inferred', 'system']));
});

test('waiting doubles from about half a second and stays within 37.5 s', () => {
  assert.equal(backoffMs(0, 0.5), 500);
  assert.equal(backoffMs(3, 0.5), 4000);
  assert.equal(backoffMs(50, 0.999) <= 37_500, true);
  assert.equal(backoffMs(0, 0) < backoffMs(0, 0.9), true, 'tabs do not come back all at once');
});
