import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';

import { Pace } from '../src/compare/pace';

/** A page whose frames begin when the test says so. */
function page(t: TestContext): { frame: () => void; rest: (ms: number) => void } {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let waiting: (() => void)[] = [];
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const stubs = {
    window: globalThis,
    requestAnimationFrame: (then: () => void) => waiting.push(then)
  };
  Object.assign(globalThis, stubs);
  t.after(() => Object.keys(stubs).forEach(name => Reflect.deleteProperty(globalThis, name)));
  return {
    frame: () => {
      now += 100;
      const due = waiting;
      waiting = [];
      due.forEach(then => then());
    },
    rest: ms => t.mock.timers.tick(ms)
  };
}

test('what comes while a picture is painted is one picture more, however much it is', t => {
  const { frame, rest } = page(t);
  const painted: string[] = [];
  const pace = new Pace<string>(key => painted.push(key));
  pace.want('loss');
  pace.want('loss');
  pace.want('acc');
  assert.deepEqual(painted, [], 'never in the middle of a frame');
  frame();
  assert.deepEqual(painted, ['loss', 'acc']);
  for (let i = 0; i < 1000; i++) {
    pace.want('loss');
  }
  frame(); // it is painted
  frame(); // and on the screen, after 200 ms
  rest(99);
  frame();
  assert.deepEqual(painted, ['loss', 'acc'], 'half as long is left to messages');
  rest(1);
  frame();
  assert.deepEqual(painted, ['loss', 'acc', 'loss']);
});

test('a page at rest paints with the next frame, and one that is closed never', t => {
  const { frame, rest } = page(t);
  const painted: string[] = [];
  const pace = new Pace<string>(key => painted.push(key));
  pace.want('loss');
  frame();
  frame();
  frame();
  rest(1000);
  frame();
  assert.deepEqual(painted, ['loss'], 'nothing is painted that nobody wanted');
  pace.want('loss');
  frame();
  assert.deepEqual(painted, ['loss', 'loss']);
  pace.want('loss');
  pace.dispose();
  frame();
  frame();
  rest(1000);
  frame();
  assert.deepEqual(painted, ['loss', 'loss']);
});
