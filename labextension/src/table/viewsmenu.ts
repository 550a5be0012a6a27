/** Saved views: take one up, save this one, delete it. */
import { Dialog, InputDialog, Notification, showDialog, showErrorMessage } from '@jupyterlab/apputils';

import { openMenu, type MenuAction } from '../menu';
import type { Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { SavedView } from '../wire/protocol';
import { inWords } from '../text/looks';
import type { TableModel } from './tablemodel';
import { stateToJson, tableStateFrom } from './tablestate';

/** The saved views as a menu below a button. */
export async function listViews(
  { views, trans }: Trackside,
  button: HTMLElement,
  open: (view: string) => void
): Promise<void> {
  await views.refresh();
  const none = { id: 'none', label: views.problem ?? trans.__('No view is saved'), run: () => undefined };
  const actions = views.list.map(view => ({ id: view.id, label: view.name, run: () => open(view.id) }));
  const { left, top } = button.getBoundingClientRect();
  openMenu(actions.length > 0 ? actions : [none], { x: left, y: top, focusAfter: button });
}

/** Opens the menu below a button. */
export async function openViews(trackside: Trackside, model: TableModel, button: HTMLElement): Promise<void> {
  const { views, trans, editor } = trackside;
  await views.refresh();
  if (views.problem !== null) {
    await showErrorMessage(trans.__('Saved views could not be read'), views.problem);
    return;
  }
  const current = model.state.view === null ? undefined : views.get(model.state.view);
  const actions: MenuAction[] = views.list.map(view => ({
    id: `open-${view.id}`,
    label: view === current ? `✓ ${view.name}` : view.name,
    run: () => void takeUp(trackside, model, view)
  }));
  if (editor.allowed) {
    actions.push({
      id: 'save',
      label: trans.__('Save This View…'),
      run: () => void save(trackside, model, current)
    });
  }
  if (editor.allowed && current) {
    actions.push({
      id: 'delete',
      label: trans.__('Delete “%1”', inWords(current.name)),
      run: () => void forget(trackside, model, current)
    });
  }
  if (actions.length === 0) {
    actions.push({ id: 'none', label: trans.__('No view is saved'), run: () => undefined });
  }
  const { left, bottom } = button.getBoundingClientRect();
  openMenu(actions, { x: left, y: bottom, focusAfter: button });
}

/** Arranges the table as a view says; runs that are gone are named, the others are chosen. */
export async function takeUp(trackside: Trackside, model: TableModel, view: SavedView): Promise<void> {
  const { runs, selection, trans } = trackside;
  const state = tableStateFrom(view.state);
  await runs.ensure(state.selected);
  const there = state.selected.filter(id => runs.get(id));
  model.update({ ...state, view: view.id, selected: there });
  selection.set(there);
  trackside.chartSettings = state.charts;
  const gone = state.selected.length - there.length;
  if (gone > 0) {
    Notification.warning(
      trans._n(
        'A run that “%2” had chosen is deleted. trackside restore lists what can come back.',
        '%1 runs that “%2” had chosen are deleted. trackside restore lists what can come back.',
        gone,
        inWords(view.name)
      ),
      { autoClose: 10_000 }
    );
  }
}

async function save(trackside: Trackside, model: TableModel, current: SavedView | undefined): Promise<void> {
  const { views, selection, trans, chartSettings } = trackside;
  const answer = await InputDialog.getText({
    title: trans.__('Save This View'),
    label: trans.__('Name; one that is there is replaced'),
    text: current?.name ?? ''
  });
  const name = answer.value?.trim();
  if (!answer.button.accept || !name) {
    return;
  }
  const state = { ...model.state, selected: selection.ids, charts: chartSettings, view: null };
  try {
    const saved = await views.save(name, stateToJson(state));
    model.update({ view: saved.id });
  } catch (error) {
    await showErrorMessage(trans.__('The view was not saved'), describeError(error));
  }
}

async function forget(trackside: Trackside, model: TableModel, view: SavedView): Promise<void> {
  const { views, trans } = trackside;
  const answer = await showDialog({
    title: trans.__('Delete the view “%1”?', inWords(view.name)),
    body: trans.__('The runs stay.'),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Delete') })]
  });
  if (answer.button.accept) {
    try {
      await views.delete(view.id);
      model.update({ view: null });
    } catch (error) {
      await showErrorMessage(trans.__('The view was not deleted'), describeError(error));
    }
  }
}
