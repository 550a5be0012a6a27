/** Gives a notebook's cells back what they showed while no page was there, and what they go on to show. */
import type { Cell, CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { ServerConnection } from '@jupyterlab/services';

import type { JsonObject } from '../wire/protocol';
import { ReplaySocket, type CellMessage, type OutputMessage, type ReplayMessage } from '../wire/replay';
import { StandIn } from './standin';

/** A cell that is being given back. */
interface Restored {
  cell: CodeCell;
  standIn: StandIn;
  /** What the server said of it last. */
  said: CellMessage;
  /** Up to where its outputs have come; `null` while nothing is complete. */
  position: number | null;
  /** Whether the server has answered on this connection: all that it knew of when it spoke of the cell is here. */
  answered: boolean;
  /** Parts of what ends at the next position: shown when all of it is there, so that nothing comes twice. */
  waiting: [string, JsonObject][];
  /** Whether it is given back up to its end. */
  over: boolean;
}

/** In these states a kernel says no more of what it ran. */
const GONE = new Set(['restarting', 'autorestarting', 'terminating', 'dead']);

export class Restorer {
  /** Begins at once; the notebook must be loaded. */
  constructor(
    private readonly panel: NotebookPanel,
    settings: ServerConnection.ISettings
  ) {
    const { sessionContext, context } = panel;
    const saved = Date.parse(context.contentsModel?.last_modified ?? '') / 1000 || 0;
    this.socket = new ReplaySocket(settings, () => ({
      kernel: sessionContext.session?.kernel?.id ?? null,
      path: context.path,
      saved
    }));
    this.socket.messages.connect(this.onMessage, this);
    this.socket.began.connect(() => this.asked.clear());
    sessionContext.statusChanged.connect(this.onStatus, this);
    sessionContext.kernelChanged.connect(this.onKernel, this);
    context.disposed.connect(() => this.socket.close());
    this.onKernel();
  }

  private onKernel(): void {
    const session = this.panel.sessionContext.session?.kernel?.clientId;
    if (session) {
      this.sessions.add(session);
    }
    this.socket.open();
  }

  private onMessage(_sender: ReplaySocket, message: ReplayMessage): void {
    if (message.type === 'cell') {
      this.onCell(message);
    } else if (message.type === 'output') {
      this.onOutput(message);
    }
  }

  private onCell(said: CellMessage): void {
    const known = this.restored.get(said.key);
    if (known && !known.standIn.isDisposed) {
      known.said = said;
      this.ask(known);
      this.finishIfOver(known);
      return;
    }
    if (known && wasRunAgain(known)) {
      this.settled.add(said.key);
    }
    const cell = this.mayShow(said) ? this.cellOf(said.cell_id) : undefined;
    if (cell && !isLive(cell)) {
      const restored = this.attach(cell, said);
      this.restored.set(said.key, restored);
      this.ask(restored);
    }
  }

  private onOutput({ key, position, messages }: OutputMessage): void {
    const restored = this.restored.get(key);
    if (!restored) {
      return;
    }
    restored.waiting.push(...messages);
    if (position !== null) {
      for (const [type, content] of restored.waiting.splice(0)) {
        restored.standIn.feed(type, content);
      }
      restored.position = position;
      restored.answered = true;
      this.finishIfOver(restored);
    }
  }

  /**
   * Whether this page is the one to show a cell.
   *
   * A page that is open shows what it ran itself: two would write one notebook. What this page ran is shown by its own
   * futures, until its kernel is gone from under a cell that runs elsewhere and goes on.
   */
  private mayShow({ key, session, open, running }: CellMessage): boolean {
    if (this.kernelGone || this.settled.has(key)) {
      return false; // while it is gone nobody knows whether a person wanted that; all is told again afterwards
    }
    if (session !== null && this.sessions.has(session)) {
      return running || this.cutOff.has(key);
    }
    return !open;
  }

  /** Asks for a cell's outputs, once a connection. */
  private ask(restored: Restored): void {
    const { key } = restored.said;
    if (!this.asked.has(key)) {
      restored.waiting = []; // the connection broke in the middle of an answer
      restored.answered = false;
      this.asked.add(key);
      this.socket.want(key, restored.position);
    }
  }

  private attach(cell: CodeCell, said: CellMessage): Restored {
    const { model } = cell;
    // As CodeCell.execute does. It also trusts the cell: what comes is what this notebook's kernel shows.
    model.sharedModel.transact(() => model.clearExecution(), false, 'silent-change');
    model.executionState = 'running';
    const standIn = this.standFor(cell, said.key);
    return { cell, said, standIn, position: null, answered: false, waiting: [], over: false };
  }

  private standFor(cell: CodeCell, key: string): StandIn {
    const standIn = new StandIn(key, (content, parent) =>
      this.panel.sessionContext.session?.kernel?.sendInputReply(content, parent)
    );
    cell.outputArea.future = standIn.future;
    return standIn;
  }

  private finishIfOver(restored: Restored): void {
    const { cell, said, standIn, answered } = restored;
    if (said.running || !answered || restored.over || cell.isDisposed) {
      return;
    }
    restored.over = true;
    standIn.finish();
    cell.model.executionState = 'idle';
    cell.model.executionCount = said.execution_count;
  }

  private onStatus(): void {
    const status = this.panel.sessionContext.kernelDisplayStatus;
    if (GONE.has(status)) {
      // A kernel that died by itself is said to be restarting as well, a moment earlier.
      this.died ||= status === 'autorestarting' || status === 'dead';
      this.kernelGone = true;
      this.letGo();
    } else if (this.kernelGone && (status === 'idle' || status === 'busy')) {
      for (const key of this.ended) {
        (this.died ? this.cutOff : this.settled).add(key);
      }
      this.ended.clear();
      this.kernelGone = this.died = false;
      this.socket.open(); // what runs elsewhere goes on
    }
  }

  /** The kernel is gone: no cell here runs any more, unless it runs elsewhere. */
  private letGo(): void {
    for (const cell of this.panel.content.widgets) {
      const key = isCode(cell) && cell.model.executionState === 'running' ? keyOf(cell) : undefined;
      if (key !== undefined) {
        this.ended.add(key);
      }
    }
    for (const [key, restored] of this.restored) {
      const { cell, standIn, over } = restored;
      (wasRunAgain(restored) ? this.settled : this.ended).add(key);
      if (!over && !standIn.isDisposed && !cell.isDisposed) {
        standIn.dispose();
        cell.model.executionState = 'idle';
      }
    }
    this.restored.clear();
  }

  private cellOf(id: string): CodeCell | undefined {
    const cell = this.panel.content.widgets.find(({ model }) => model.id === id);
    return cell && isCode(cell) ? cell : undefined;
  }

  private readonly socket: ReplaySocket;
  private readonly restored = new Map<string, Restored>();
  /** Keys of cells that were asked for on this connection. */
  private readonly asked = new Set<string>();
  /** The sessions of this page's own connections to kernels. */
  private readonly sessions = new Set<string>();
  /** Keys of cells of this page's own whose kernel died under them. */
  private readonly cutOff = new Set<string>();
  /** Keys of cells that a person ran again, or ended by restarting the kernel: they stay as they are, or as they are made. */
  private readonly settled = new Set<string>();
  private kernelGone = false;
  /** Whether the kernel is gone although nobody asked it to. */
  private died = false;
  /** Keys of cells that were shown as running when the kernel went. */
  private readonly ended = new Set<string>();
}

function isCode(cell: Cell): cell is CodeCell {
  return cell.model.type === 'code';
}

/** Whether the page itself runs the cell, or ran it, or is giving it back. */
function isLive(cell: CodeCell): boolean {
  const { future } = cell.outputArea;
  return Boolean(future) && !future.isDisposed;
}

/** Whether a person has run the cell again since it was given back: it shows something newer. */
function wasRunAgain({ cell, standIn }: Restored): boolean {
  return standIn.isDisposed && !cell.isDisposed;
}

/** `msg_id` of the request that the cell shows. */
function keyOf(cell: CodeCell): string | undefined {
  const future = cell.outputArea.future as typeof cell.outputArea.future | null | undefined;
  return future?.msg.header.msg_id;
}
