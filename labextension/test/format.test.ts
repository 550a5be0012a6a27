import assert from 'node:assert/strict';
import test from 'node:test';

import type { TranslationBundle } from '@jupyterlab/translation';

import {
  baseName,
  describePrice,
  formatDevice,
  formatDuration,
  formatLease,
  formatNumber,
  formatPrice,
  formatValue,
  numberOf,
  runSeconds
} from '../src/text/format';
import { lastValues, leadingMetrics } from '../src/text/metrics';
import type { Lease, Run } from '../src/wire/protocol';
import { golden } from './golden';

const trans = { __: (text: string) => text } as TranslationBundle;

const lease = golden<{ leases: Lease[] }>('leases').leases[0]!;
const runs = golden<{ runs: { changed: Run[] } }>('feed').runs.changed;

test('numbers keep four digits and never lose what they are', () => {
  const cases: [number, string][] = [
    [0, '0'],
    [0.1 + 0.2, '0.3'],
    [0.023127, '0.02313'],
    [-1.5, '−1.5'],
    [1234, '1,234'],
    [123456.7, '123,457'],
    [0.00001234567, '1.235e-5'],
    [5e-324, '4.941e-324'],
    [1.5e12, '1.5e12'],
    [NaN, 'NaN'],
    [Infinity, '∞'],
    [-Infinity, '−∞']
  ];
  for (const [value, text] of cases) {
    assert.equal(formatNumber(value), text);
  }
});

test('a string that stands for a number JSON cannot spell is that number', () => {
  assert.equal(Number.isNaN(numberOf('NaN')), true);
  assert.equal(numberOf('-Infinity'), -Infinity);
  assert.equal(numberOf('12'), null);
  assert.equal(formatValue('NaN'), 'NaN');
  assert.equal(formatValue([64, 10]), '[64,10]');
  assert.equal(formatValue(undefined), '');
  assert.equal(formatValue(null), 'null');
});

test('durations read as clocks, long ones as days', () => {
  const cases: [number, string][] = [
    [0, '0:00'],
    [-3, '0:00'],
    [7.9, '0:07'],
    [723, '12:03'],
    [3849, '1:04:09'],
    [47 * 3600, '47:00:00'],
    [51 * 3600, '2 d 3 h']
  ];
  for (const [seconds, text] of cases) {
    assert.equal(formatDuration(seconds), text);
  }
});

test('a run that goes on lasts until now, and never a negative time', () => {
  assert.equal(runSeconds({ created: 100, finished: null }, 112), 12);
  assert.equal(runSeconds({ created: 100, finished: 105 }, 112), 5);
  assert.equal(runSeconds({ created: 100, finished: null }, 98), 0);
});

test('the status bar says device, price and time, and leaves out what is not known', () => {
  assert.equal(
    formatLease({ ...lease, usd_per_hour: 2.7 }, lease.created + 12),
    'A100-80GB · $2.70/h · 0:12'
  );
  assert.equal(formatLease({ ...lease, usd_per_hour: null }, lease.created + 12), 'A100-80GB · 0:12');
  assert.equal(formatLease({ ...lease, state: 'lost' }, lease.created), 'A100-80GB · lost · 0:00');
});

test('no price is not a price of nothing', () => {
  assert.equal(formatPrice(null), null);
  assert.equal(formatPrice(0), 'free');
  assert.equal(formatPrice(2.7), '$2.70/h');
  const said = (provider: string, usd: number | null): string =>
    describePrice({ provider, usd_per_hour: usd }, trans);
  assert.deepEqual(
    [said('ssh', null), said('local', null), said('cloud', null)],
    ['your own machine: no price', 'your own machine: no price', 'no price known']
  );
  assert.deepEqual([said('ssh', 2.7), said('cloud', 0)], ['≈ $2.70/h', 'free']);
  assert.equal(formatDevice('l4', 2), '2 × L4');
  assert.equal(baseName('a/b/c.ipynb'), 'c.ipynb');
});

test('a row shows the usual metrics first, and NaN as NaN', () => {
  assert.deepEqual(leadingMetrics({ ...runs[0]!, summary: { z: 1, text: 'x', acc: 0.5, loss: 2 } }, 2), [
    'loss',
    'acc'
  ]);
  assert.deepEqual(lastValues(runs[0]!, 3), [
    { name: 'loss', text: 'NaN' },
    { name: 'best', text: '0.125' },
    { name: 'peak', text: '∞' }
  ]);
});
