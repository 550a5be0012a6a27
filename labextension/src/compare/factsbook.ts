/** All facts of the compared runs, read while somebody looks at them. Lists of runs have only the short ones. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../wire/api';
import { describeError } from '../wire/errors';
import type { Run } from '../wire/protocol';

export class FactsBook {
  constructor(private readonly api: Api) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The run with all its facts, a sentence about why there is none, or `undefined` while it is read. */
  get(id: string): Run | string | undefined {
    return this.known.get(id)?.answer;
  }

  /** Reads runs that are not known, or whose state is another than when they were read. */
  ensure(runs: readonly { id: string; status: string }[]): void {
    for (const { id, status } of runs) {
      const known = this.known.get(id);
      if (known?.status !== status) {
        const entry = { status, answer: known?.answer };
        this.known.set(id, entry);
        const set = (answer: Run | string): void => {
          if (this.known.get(id) === entry) {
            entry.answer = answer;
            this._changed.emit();
          }
        };
        this.api.run(id).then(set, (error: unknown) => set(describeError(error)));
      }
    }
  }

  private readonly known = new Map<string, { status: string; answer: Run | string | undefined }>();
  private readonly _changed = new Signal<this, void>(this);
}
