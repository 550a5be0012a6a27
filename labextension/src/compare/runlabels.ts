/** What the compared runs are called: by name, and by id where two of them have the same. */
import type { RunBook } from '../model/runs';
import { runLabels } from '../text/runnames';
import type { Run } from '../wire/protocol';
import type { CompareModel } from './comparemodel';

export class RunLabels {
  constructor(
    private readonly runs: RunBook,
    private readonly model: CompareModel
  ) {}

  /** Of a run that is not known, its id. */
  of(id: string): string {
    return this.labels.get(id) ?? this.runs.get(id)?.name ?? id;
  }

  /** Made anew only when runs have changed, or others are compared. */
  private get labels(): ReadonlyMap<string, string> {
    const [list, ids] = [this.runs.list, this.model.state.runs];
    if (this.made?.list !== list || this.made.ids !== ids) {
      const compared = ids.flatMap(id => this.runs.get(id) ?? []);
      this.made = { list, ids, labels: runLabels(compared) };
    }
    return this.made.labels;
  }

  private made: {
    list: readonly Run[];
    ids: readonly string[];
    labels: ReadonlyMap<string, string>;
  } | null = null;
}
