/** What a person can change about runs, as actions of a menu. */
import { Dialog, InputDialog, Notification, showDialog, showErrorMessage } from '@jupyterlab/apputils';

import type { MenuAction } from '../menu';
import { namesOf } from '../text/runnames';
import { mergedTags } from '../text/tags';
import { inWords } from '../text/looks';
import type { Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { Run, RunChange } from '../wire/protocol';
import { askColour } from './colourdialog';
import { askNotes } from './notesdialog';

/** How long the offer to undo a deletion stays, in milliseconds. */
const UNDO_MS = 15_000;

/** The actions for these runs; none for who may only read. */
export function editActions(ids: readonly string[], trackside: Trackside): MenuAction[] {
  const { trans, editor, runs } = trackside;
  const chosen = ids.flatMap(id => runs.get(id) ?? []);
  const first = chosen[0];
  if (!editor.allowed || !first) {
    return [];
  }
  const edits = new RunEdits(trackside, chosen);
  const pin = !chosen.every(run => run.pinned);
  const archive = !chosen.every(run => run.archived);
  const actions: MenuAction[] = [
    { id: 'tags', label: trans.__('Tags…'), run: () => void edits.tags() },
    { id: 'group', label: trans.__('Group…'), run: () => void edits.group(first) },
    { id: 'notes', label: trans.__('Notes…'), run: () => void edits.notes(first) },
    { id: 'colour', label: trans.__('Colour…'), run: () => void edits.colour(first) },
    {
      id: 'pin',
      label: pin ? trans.__('Pin') : trans.__('Unpin'),
      run: () => void edits.change({ pinned: pin })
    },
    {
      id: 'archive',
      label: archive ? trans.__('Archive') : trans.__('Bring Back from the Archive'),
      run: () => void edits.change({ archived: archive })
    },
    { id: 'delete', label: trans.__('Delete'), run: () => void edits.delete() }
  ];
  return chosen.length === 1
    ? [{ id: 'rename', label: trans.__('Rename…'), run: () => void edits.rename(first) }, ...actions]
    : actions;
}

/** Asks, then changes; a failure is told in a dialog. */
export class RunEdits {
  constructor(
    private readonly trackside: Trackside,
    private readonly chosen: readonly Run[]
  ) {}

  async rename(run: Run): Promise<void> {
    const { trans } = this.trackside;
    const answer = await InputDialog.getText({ title: trans.__('Rename'), text: run.name });
    const name = answer.value?.trim();
    if (answer.button.accept && name && name !== run.name) {
      await this.change({ name });
    }
  }

  async group(run: Run): Promise<void> {
    const { trans, runs } = this.trackside;
    const known = [...new Set(runs.list.flatMap(one => one.group ?? []))];
    const answer = await InputDialog.getItem({
      title: trans.__('Group'),
      items: known,
      current: run.group ?? '',
      editable: true
    });
    if (answer.button.accept) {
      await this.change({ group: answer.value?.trim() || null });
    }
  }

  async notes(run: Run): Promise<void> {
    const { trans } = this.trackside;
    const notes = await askNotes(run.notes, trans);
    if (notes !== null && notes !== run.notes) {
      await this.change({ notes });
    }
  }

  /** Tags of one run are set; of several, those that all share are shown, and what is added or taken counts. */
  async tags(): Promise<void> {
    const { trans } = this.trackside;
    const shared = (this.chosen[0]?.tags ?? []).filter(tag =>
      this.chosen.every(run => run.tags.includes(tag))
    );
    const answer = await InputDialog.getText({
      title: trans._n('Tags', 'Tags of %1 Runs', this.chosen.length),
      label: trans.__('With commas between them'),
      text: shared.join(', ')
    });
    if (answer.button.accept) {
      const wanted = (answer.value ?? '').split(',').map(tag => tag.trim()).filter(Boolean); // prettier-ignore
      await this.changeEach(run => ({ tags: mergedTags(run.tags, shared, wanted) }));
    }
  }

  async colour(run: Run): Promise<void> {
    const { trans, colours } = this.trackside;
    const colour = await askColour(run.colour, colours.dark, trans);
    if (colour !== undefined) {
      await this.change({ colour });
    }
  }

  change(change: RunChange): Promise<void> {
    return this.changeEach(() => change);
  }

  async delete(): Promise<void> {
    const { trans, editor, selection } = this.trackside;
    const ids = this.chosen.map(run => run.id);
    if (ids.length > 1 && !(await this.confirmed(ids.length))) {
      return;
    }
    const deleted = await this.guarded(trans.__('Not deleted'), () => editor.delete(ids));
    if (!deleted || deleted.gone.length === 0) {
      return;
    }
    const { gone, refusal } = deleted;
    selection.set(selection.ids.filter(id => !gone.includes(id)));
    const said = trans._n(
      '%2 is in the trash.',
      '%1 runs are in the trash.',
      gone.length,
      inWords(namesOf(this.chosen, gone)[0] ?? '')
    );
    Notification.info(said, {
      autoClose: UNDO_MS,
      actions: [
        {
          label: trans.__('Undo'),
          caption: trans.__('Bring back what was deleted'),
          callback: () => void this.guarded(trans.__('Not brought back'), () => editor.restore(gone))
        }
      ]
    });
    if (gone.length < ids.length) {
      const left = ids.length - gone.length;
      const why = trans._n('%1 run was not deleted.', '%1 runs were not deleted.', left);
      await showErrorMessage(trans.__('Not all deleted'), `${why} ${describeError(refusal)}`);
    }
  }

  private async confirmed(count: number): Promise<boolean> {
    const { trans } = this.trackside;
    const answer = await showDialog({
      title: trans.__('Delete %1 runs?', count),
      body: trans.__('They go into the trash, and can be brought back.'),
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Delete') })]
    });
    return answer.button.accept;
  }

  private async changeEach(changeOf: (run: Run) => RunChange): Promise<void> {
    const { trans, editor } = this.trackside;
    const ids = this.chosen.map(run => run.id);
    await this.guarded(trans.__('Not changed'), () => editor.edit(ids, changeOf));
  }

  private async guarded<T>(title: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      await showErrorMessage(title, describeError(error));
      return undefined;
    }
  }
}
