import assert from 'node:assert/strict';
import test from 'node:test';

import { around, diffLines, pairs, type DiffLine } from '../src/text/diff';
import { changeOf, gitOf, packagesOf, sourceOf } from '../src/text/facts';
import type { JsonObject, Run } from '../src/wire/protocol';

const SIGNS = { same: ' ', added: '+', removed: '-' };
const shown = (lines: readonly DiffLine[]): string[] => lines.map(line => SIGNS[line.kind] + line.text);

test('a changed line is one removed and one added between what stays', () => {
  const lines = diffLines(['a', 'lr = 0.1', 'b'], ['a', 'lr = 0.2', 'b']);
  assert.deepEqual(shown(lines), [' a', '-lr = 0.1', '+lr = 0.2', ' b']);
  assert.deepEqual(
    lines.map(line => [line.before, line.after]),
    [[1, 1], [2, null], [null, 2], [3, 3]]
  ); // prettier-ignore
});

test('a diff taken apart gives both texts back, whatever they are', () => {
  const random = (seed: number): (() => number) => {
    let state = seed;
    return () => (state = (state * 48271) % 2147483647) / 2147483647;
  };
  for (let seed = 1; seed < 200; seed++) {
    const next = random(seed);
    const text = (): string[] => Array.from({ length: next() * 12 }, () => 'abc'[Math.floor(next() * 3)]!);
    const [before, after] = [text(), text()];
    const lines = diffLines(before, after);
    const side = (not: string): string[] => lines.filter(l => l.kind !== not).map(l => l.text);
    assert.deepEqual(side('added'), before);
    assert.deepEqual(side('removed'), after);
  }
});

test('as many lines as possible stay', () => {
  const same = diffLines([...'abcabba'], [...'cbabac']).filter(line => line.kind === 'same');
  assert.equal(same.length, 4);
});

test('texts too different to compare count as replaced, and keep what begins and ends alike', () => {
  const many = (word: string): string[] => Array.from({ length: 3000 }, (_, i) => `${word} ${i}`);
  const lines = diffLines(['top', ...many('a'), 'end'], ['top', ...many('b'), 'end']);
  assert.equal(lines.filter(line => line.kind === 'same').length, 2);
  assert.equal(lines.length, 6002);
});

test('what is the same and far from a change is counted, not shown', () => {
  const before = Array.from({ length: 20 }, (_, i) => `line ${i}`);
  const after = before.map((line, i) => (i === 10 ? 'new' : line));
  const near = around(diffLines(before, after), 2);
  assert.deepEqual(near[0], { kind: 'skipped', count: 8 });
  assert.equal(near.length, 1 + 2 + 2 + 2 + 1);
  assert.deepEqual(near.at(-1), { kind: 'skipped', count: 7 });
});

test('side by side a removed line stands beside the one that replaces it', () => {
  const rows = pairs(diffLines(['a', 'x', 'y'], ['a', 'z']));
  const words = rows.map(row => (row.kind === 'pair' ? [row.left?.text, row.right?.text] : []));
  assert.deepEqual(words, [['a', 'a'], ['x', 'z'], ['y', undefined]]); // prettier-ignore
});

test('facts of any shape are read without trust', () => {
  const run = (facts: JsonObject): Run => ({ facts }) as Run;
  for (const odd of [null, 7, 'text', [1], {}, { run: 3, commit: [], diff: {} }]) {
    const facts = run({ source: odd, source_changed_from: odd, packages: odd, git: odd } as JsonObject);
    assert.equal(changeOf(facts), null);
    assert.equal(typeof packagesOf(facts), 'object');
    assert.ok((gitOf(facts)?.commit ?? null) === null);
  }
  assert.equal(sourceOf(run({ source: 'x' })), 'x');
  assert.deepEqual(changeOf(run({ source_changed_from: { run: 'a', diff: '' } })), { run: 'a', diff: '' });
});
