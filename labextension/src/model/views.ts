/** The saved views, as the data folder has them. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../wire/api';
import { describeError } from '../wire/errors';
import type { JsonObject, SavedView } from '../wire/protocol';

export class ViewBook {
  constructor(private readonly api: Api) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** By name; as read last. */
  get list(): readonly SavedView[] {
    return this._list;
  }

  /** Why they could not be read, `null` when they could. */
  get problem(): string | null {
    return this._problem;
  }

  get(id: string): SavedView | undefined {
    return this._list.find(view => view.id === id);
  }

  /** Reads them anew: another page may have saved some. */
  async refresh(): Promise<void> {
    try {
      this._list = await this.api.views();
      this._problem = null;
    } catch (error) {
      this._problem = describeError(error);
    }
    this._changed.emit();
  }

  /** Saves a view under a new id, or in the place of the one of the same name. */
  async save(name: string, state: JsonObject): Promise<SavedView> {
    const same = this._list.find(view => view.name === name);
    const saved = await this.api.saveView(same?.id ?? newId(), name, state);
    await this.refresh();
    return saved;
  }

  async delete(id: string): Promise<void> {
    await this.api.deleteView(id);
    await this.refresh();
  }

  private _list: readonly SavedView[] = [];
  private _problem: string | null = null;
  private readonly _changed = new Signal<this, void>(this);
}

/** An id that the server takes: it looks like a run's. */
function newId(): string {
  const letters = '0123456789abcdefghjkmnpqrstvwxyz';
  const word = [...crypto.getRandomValues(new Uint8Array(10))].map(byte => letters[byte & 31]).join('');
  return `view-${Math.floor(Date.now() / 1000)}-${word}`;
}
