/** Something that the server knows of a run, read while somebody looks, and anew when the run's state is another. */
import { Signal, type ISignal } from '@lumino/signaling';

import { Persistent } from '../wire/persistent';
import type { RunStatus } from '../wire/protocol';

interface Entry<T> {
  status: RunStatus | undefined;
  answer: T | string | undefined;
  reading: Persistent;
}

/** @typeParam T no text: texts are sentences about why there is none. */
export class StateBook<T extends object> {
  constructor(private readonly read: (id: string) => Promise<T>) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What was read last, a sentence about why there is nothing, or `undefined` while it is read. */
  get(id: string): T | string | undefined {
    return this.known.get(id)?.answer;
  }

  /** Reads runs that are not known, or whose state is another than when they were read. */
  ensure(runs: readonly { id: string; status: RunStatus | undefined }[]): void {
    for (const { id, status } of runs) {
      const entry = this.known.get(id);
      if (!entry) {
        this.begin(id, status);
      } else if (entry.status !== status) {
        entry.status = status;
        entry.reading.restart();
      }
    }
  }

  /** Reads a run anew, whatever its state. */
  again(id: string): void {
    this.known.get(id)?.reading.restart();
  }

  dispose(): void {
    this.known.forEach(({ reading }) => reading.stop());
    this.known.clear();
    Signal.clearData(this);
  }

  private begin(id: string, status: RunStatus | undefined): void {
    const set = (answer: T | string): void => {
      if (this.known.get(id) === entry) {
        entry.answer = answer;
        this._changed.emit();
      }
    };
    const reading = new Persistent(
      async () => set(await this.read(id)),
      problem => problem !== null && set(problem)
    );
    const entry: Entry<T> = { status, answer: undefined, reading };
    this.known.set(id, entry);
    reading.start();
  }

  private readonly known = new Map<string, Entry<T>>();
  private readonly _changed = new Signal<this, void>(this);
}
