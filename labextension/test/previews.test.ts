import assert from 'node:assert/strict';
import test from 'node:test';

import { Previews } from '../src/model/previews';
import type { Run } from '../src/wire/protocol';
import { golden } from './golden';

const { runs } = golden<{ runs: Run[] }>('filters');
const told = { ...(runs[0] as Run), id: 'r', name: 'old', pinned: false, tags: ['a'] };

test('a change is shown over what the server says until it says the same', () => {
  const previews = new Previews();
  const token = previews.add([{ run: 'r', change: { name: 'new', tags: ['a', 'b'] } }]);
  assert.deepEqual(previews.told(told), { ...told, name: 'new', tags: ['a', 'b'] });
  assert.deepEqual(previews.told({ ...told, name: 'new' }), { ...told, name: 'new', tags: ['a', 'b'] });
  // The name was taken over: what the server says of it counts again, whoever has changed it.
  assert.equal(previews.told({ ...told, name: 'another' }).name, 'another');
  const whole = { ...told, name: 'new', tags: ['a', 'b'] };
  assert.equal(previews.told(whole), whole);
  assert.equal(previews.drop(token), false, 'nothing is left to be taken back');
  assert.equal(previews.told(told), told);
});

test('a later change of the same thing outlives the end of an earlier one', () => {
  const previews = new Previews();
  const first = previews.add([{ run: 'r', change: { name: 'first', pinned: true } }]);
  const second = previews.add([{ run: 'r', change: { name: 'second' } }]);
  assert.equal(previews.told({ ...told, name: 'first' }).name, 'second');
  assert.equal(previews.drop(first), true, 'it was still shown as pinned');
  assert.deepEqual(previews.told(told), { ...told, name: 'second' });
  assert.equal(previews.drop(second), true);
  assert.equal(previews.told(told), told);
});

test('what is shown before the server told of it is not taken for what it told', () => {
  const previews = new Previews();
  previews.add([{ run: 'r', change: { name: 'new' } }]);
  const shown = previews.over(told);
  previews.add([{ run: 'r', change: { pinned: true } }]);
  assert.deepEqual(previews.over(shown), { ...told, name: 'new', pinned: true });
  assert.equal(previews.told(told).name, 'new', 'what was on its way is older');
});

test('what is changed of one run is not shown of another', () => {
  const previews = new Previews();
  previews.add([{ run: 'r', change: { colour: null, group: 'g' } }]);
  const other = { ...told, id: 's' };
  assert.equal(previews.told(other), other);
});
