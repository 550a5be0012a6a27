import assert from 'node:assert/strict';
import test from 'node:test';

import { StandIn } from '../src/restore/standin';
import type { JsonObject } from '../src/wire/protocol';
import type { CellMessage, Follow, OutputMessage } from '../src/wire/replay';
import { golden } from './golden';

interface Replay {
  follow: Follow;
  cell: CellMessage;
  output: OutputMessage;
}

/** What an output area does with a future: puts its handlers on it. */
function listen(standIn: StandIn): { iopub: JsonObject[]; stdin: JsonObject[] } {
  const heard = { iopub: [] as JsonObject[], stdin: [] as JsonObject[] };
  standIn.onIOPub = message => heard.iopub.push(message as JsonObject);
  standIn.onStdin = message => heard.stdin.push(message as JsonObject);
  return heard;
}

test('golden outputs are handed on as messages of the request that ran the cell, in order', () => {
  const { cell, output } = golden<Replay>('replay');
  const standIn = new StandIn(cell.key, () => undefined);
  const heard = listen(standIn);
  assert.equal(standIn.hasFed, false);
  for (const [type, content] of output.messages) {
    standIn.feed(type, content);
  }
  assert.deepEqual(
    heard.iopub.map(message => (message.header as JsonObject).msg_type),
    ['stream', 'display_data']
  );
  assert.deepEqual(heard.iopub[0]!.content, output.messages[0]![1]);
  assert.equal(standIn.future.msg.header.msg_id, cell.key);
  assert.equal(standIn.hasFed, true);
});

test('a question goes to the box of input(), and its answer to the kernel', () => {
  const answers: unknown[] = [];
  const standIn = new StandIn('key', content => answers.push(content));
  const heard = listen(standIn);
  standIn.feed('input_request', { prompt: 'Your name? ', password: false });
  assert.equal(heard.iopub.length, 0);
  assert.deepEqual(heard.stdin[0]!.content, { prompt: 'Your name? ', password: false });
  standIn.sendInputReply({ status: 'ok', value: 'Ada' }, {} as never);
  assert.deepEqual(answers, [{ status: 'ok', value: 'Ada' }]);
});

test('one that was disposed says nothing more, and one that ended still takes late output', async () => {
  const ended = new StandIn('ended', () => undefined);
  const heard = listen(ended);
  ended.finish();
  await ended.done;
  ended.feed('stream', { name: 'stdout', text: 'late' });
  assert.equal(heard.iopub.length, 2);
  const disposed = new StandIn('disposed', () => undefined);
  const silent = listen(disposed);
  disposed.dispose();
  await disposed.done;
  disposed.feed('stream', { name: 'stdout', text: 'never' });
  assert.equal(silent.iopub.length, 0);
  assert.equal(disposed.isDisposed, true);
});
