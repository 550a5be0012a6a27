import assert from 'node:assert/strict';
import test from 'node:test';

import { Signal } from '@lumino/signaling';

import { Restorer } from '../src/restore/restorer';
import { StandIn } from '../src/restore/standin';
import type { JsonObject } from '../src/wire/protocol';
import { ReplaySocket, type CellMessage, type Follow, type OutputMessage } from '../src/wire/replay';
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
  for (const [type, content] of output.messages) {
    standIn.feed(type, content);
  }
  assert.deepEqual(
    heard.iopub.map(message => (message.header as JsonObject).msg_type),
    ['stream', 'display_data']
  );
  assert.deepEqual(heard.iopub[0]!.content, output.messages[0]![1]);
  assert.equal(standIn.future.msg.header.msg_id, cell.key);
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

/** A WebSocket whose other end is the test. */
class FakeSocket {
  static readonly OPEN = 1;
  static last: FakeSocket;
  readonly readyState = 1;
  readonly sent: JsonObject[] = [];
  onopen: () => void = () => undefined;
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: () => void = () => undefined;
  constructor() {
    FakeSocket.last = this;
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as JsonObject);
  }
  say(message: object): void {
    this.onmessage({ data: JSON.stringify(message) });
  }
  close(): void {
    // The test looks at messages alone.
  }
}

/** Runs a test with sockets whose other end it is. */
function withFakeSocket(body: (settings: never) => void): void {
  const before = globalThis.WebSocket;
  globalThis.WebSocket = FakeSocket as never;
  try {
    body({ WebSocket: FakeSocket, wsUrl: 'ws://test/', appendToken: false, token: '' } as never);
  } finally {
    globalThis.WebSocket = before;
  }
}

test('what was on its way for an earlier follow counts for nothing', () => {
  const { cell, output, follow } = golden<Replay>('replay');
  withFakeSocket(settings => {
    const socket = new ReplaySocket(settings, () => follow);
    const told: string[] = [];
    socket.messages.connect((_, message) => told.push(message.type));
    socket.began.connect(() => told.push('began'));
    socket.open();
    const line = FakeSocket.last;
    line.onopen();
    line.say({ type: 'following', number: 1 });
    line.say(cell);
    socket.open(); // the kernel is another
    line.say(output);
    line.say({ type: 'following', number: 1 });
    line.say(cell);
    line.say({ type: 'following', number: 2 });
    line.say(cell);
    assert.deepEqual(told, ['began', 'cell', 'began', 'cell']);
    assert.deepEqual(
      line.sent.map(({ type, number }) => [type, number]),
      [
        ['follow', 1],
        ['follow', 2]
      ]
    );
    socket.close();
  });
});

test('a server that accepts and closes at once is asked less and less often; after a steady line at once', t => {
  const { follow } = golden<Replay>('replay');
  t.mock.method(Math, 'random', () => 0.5);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  withFakeSocket(settings => {
    const socket = new ReplaySocket(settings, () => follow);
    /** The line breaks when it has lasted so long; how long until there is another, in milliseconds. */
    const waitAfter = (lasted: number): number => {
      const line = FakeSocket.last;
      line.onopen();
      now += lasted;
      line.onclose();
      for (let waited = 0; waited < 60_000; waited += 100) {
        if (FakeSocket.last !== line) {
          return waited;
        }
        t.mock.timers.tick(100);
      }
      throw new Error('never again');
    };
    socket.open();
    assert.deepEqual([0, 0, 0, 11_000, 0].map(waitAfter), [500, 1000, 2000, 500, 1000]);
    socket.close();
  });
});

/** As much of a notebook of one code cell as giving back its outputs needs. */
class FakeNotebook {
  readonly model = {
    type: 'code',
    id: '',
    executionState: 'idle',
    executionCount: null as number | null,
    sharedModel: { transact: (change: () => void) => change() },
    clearExecution: () => undefined
  };
  readonly cell = { model: this.model, isDisposed: false, outputArea: { future: undefined as unknown } };
  readonly kernelChanged = new Signal<this, void>(this);
  readonly panel = {
    content: { widgets: [this.cell] },
    context: { path: 'a.ipynb', contentsModel: null, disposed: new Signal<this, void>(this) },
    sessionContext: {
      session: { kernel: { id: 'kernel-1', clientId: 'this page' } },
      kernelDisplayStatus: 'idle',
      statusChanged: new Signal<this, void>(this),
      kernelChanged: this.kernelChanged
    }
  };
  constructor(id: string) {
    this.model.id = id;
  }
}

test('a cell that ended while the page began anew has ended only when its last outputs are there', () => {
  const { cell, output } = golden<Replay>('replay');
  const running = { ...cell, running: true, open: false };
  withFakeSocket(settings => {
    const notebook = new FakeNotebook(cell.cell_id);
    new Restorer(notebook.panel as never, settings);
    const line = FakeSocket.last;
    line.onopen();
    line.say({ type: 'following', number: 1 });
    line.say(running);
    line.say({ ...output, key: cell.key, position: 100 });
    notebook.kernelChanged.emit();
    line.say({ type: 'following', number: 2 });
    line.say({ ...running, running: false, execution_count: 7 });
    assert.equal(notebook.model.executionState, 'running');
    assert.equal(notebook.model.executionCount, null);
    line.say({ ...output, key: cell.key, position: 200 });
    assert.equal(notebook.model.executionState, 'idle');
    assert.equal(notebook.model.executionCount, 7);
  });
});

test('what a person ran again since it was given back is not covered by its earlier outputs', () => {
  const { cell, output } = golden<Replay>('replay');
  const over = { ...cell, running: false, open: false, execution_count: 7 };
  withFakeSocket(settings => {
    const notebook = new FakeNotebook(cell.cell_id);
    new Restorer(notebook.panel as never, settings);
    const line = FakeSocket.last;
    line.onopen();
    line.say({ type: 'following', number: 1 });
    line.say(over);
    line.say({ ...output, key: cell.key, position: 100 });
    const { outputArea } = notebook.cell;
    (outputArea.future as StandIn).dispose(); // as an output area does that is handed another future
    const later = { isDisposed: true }; // it has gone with the kernel that was there before
    outputArea.future = later;
    notebook.kernelChanged.emit();
    line.say({ type: 'following', number: 2 });
    line.say(over);
    assert.equal(outputArea.future, later);
    assert.equal(line.sent.filter(({ type }) => type === 'want').length, 1);
  });
});
