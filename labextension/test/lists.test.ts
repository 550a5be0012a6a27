import assert from 'node:assert/strict';
import test from 'node:test';

import { stateFrom } from '../src/compare/comparestate';
import { flatten, tableRows } from '../src/compare/differences';
import { attachCell, BadArgument, provisionCell } from '../src/text/cells';

test('nested configuration becomes dotted paths; lists stay values', () => {
  const flat = flatten({ opt: { lr: 0.1, betas: [0.9, 0.99] }, empty: {}, note: null });
  assert.deepEqual([...flat.keys()], ['opt.lr', 'opt.betas', 'empty', 'note']);
});

test('a row differs when a run says something else, or nothing', () => {
  const rows = tableRows([
    { lr: 0.1, seed: 0, opt: { a: 1, b: 2 } },
    { lr: 0.2, seed: 0, opt: { b: 2, a: 1 } },
    { lr: 0.1, opt: { a: 1, b: 2 } }
  ]);
  const differs = Object.fromEntries(rows.map(row => [row.key, row.differs]));
  assert.deepEqual(differs, { lr: true, seed: true, 'opt.a': false, 'opt.b': false });
  assert.deepEqual(rows[1]?.values, [0, 0, undefined]);
});

test('one run has no differences', () => {
  assert.deepEqual(
    tableRows([{ lr: 1 }]).map(row => row.differs),
    [false]
  );
  assert.deepEqual(tableRows([]), []);
});

test('the order of keys within a value is no difference', () => {
  const [row] = tableRows([{ l: [{ a: 1, b: 2 }] }, { l: [{ b: 2, a: 1 }] }]);
  assert.equal(row?.differs, false);
});

test('a provision cell loads the magics unless a cell does so', () => {
  assert.equal(provisionCell('a100', null, []), '%load_ext kernel_magics\n%gpu_provision a100');
  assert.equal(
    provisionCell('any>=24gb', 'gpu1', ['# x\n  %load_ext kernel_magics']),
    '%gpu_provision any>=24gb --on gpu1'
  );
  assert.equal(attachCell('my-gpu', ['%load_ext kernel_magics']), '%gpu_attach my-gpu');
});

test('an argument that is more than one word is refused, and no cell is written', () => {
  for (const bad of ['a100\nimport os', 'a100 --new', '', '$(x)', '-rf']) {
    assert.throws(() => provisionCell(bad, null, []), BadArgument);
    assert.throws(() => attachCell(bad, []), BadArgument);
  }
  assert.throws(() => provisionCell('a100', 'gpu1; ls', []), BadArgument);
});

test('a saved comparison is read back, and what is wrong in it takes its default', () => {
  assert.deepEqual(
    stateFrom(
      { runs: ['a', 'a', 7, 'b'] as never, x: 7, y: 'log', folded: ['system', 'x', 'metrics/train'] },
      'step'
    ),
    {
      runs: ['a', 'b'],
      x: 'step',
      y: 'log',
      groupBy: null,
      inferred: false,
      band: 'range',
      smoothing: 0,
      onlyDifferences: false,
      baseline: null,
      notes: '',
      split: false,
      search: '',
      pinned: [],
      folded: ['system', 'metrics/train'],
      apart: false,
      size: 'medium',
      sizes: {}
    }
  );
  assert.deepEqual(stateFrom({}, 'time').x, 'time');
  assert.deepEqual(stateFrom({ x: 'epoch' }, 'time').x, 'epoch', 'any metric can be the x axis');
});

test('sizes of charts are read back within what a chart can have', () => {
  const sizes = {
    wide: { columns: 2, height: 300 },
    huge: { columns: 99, height: 1e9 },
    bad: { columns: 'x' },
    none: null
  };
  const state = stateFrom({ size: 'large', sizes, apart: true }, 'step');
  assert.equal(state.size, 'large');
  assert.equal(state.apart, true);
  assert.deepEqual(state.sizes, { wide: { columns: 2, height: 300 }, huge: { columns: 6, height: 1200 } });
  assert.equal(stateFrom({ size: 'vast' }, 'step', 'small').size, 'small', 'as the settings say');
});
