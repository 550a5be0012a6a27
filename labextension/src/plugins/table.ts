/** The run table in the main area. */
import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, showErrorMessage, WidgetTracker } from '@jupyterlab/apputils';
import type { JSONObject } from '@lumino/coreutils';

import { trackIcon } from '../icons';
import { RunTableView } from '../table/runtableview';
import { TableModel } from '../table/tablemodel';
import { stateToJson, tableStateFrom } from '../table/tablestate';
import { takeUp } from '../table/viewsmenu';
import { CommandIDs, ITrackside, type Trackside } from '../trackside';
import { describedBy } from './palette';

const ID = 'trackside-table';

export const tablePlugin: JupyterFrontEndPlugin<void> = {
  id: 'trackside:table',
  description: 'All runs as a table.',
  autoStart: true,
  requires: [ITrackside],
  optional: [ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    trackside: Trackside,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): void => {
    const { trans, selection } = trackside;
    const tracker = new WidgetTracker<MainAreaWidget<RunTableView>>({ namespace: ID });
    let model: TableModel | null = null;

    const open = (state: JSONObject): MainAreaWidget<RunTableView> => {
      const opened = new TableModel(ID, trackside, tableStateFrom(state));
      model = opened;
      if (opened.state.selected.length > 0 && selection.size === 0) {
        selection.set(opened.state.selected);
      }
      const content = new RunTableView({ trackside, model: opened, commands: app.commands });
      const widget = new MainAreaWidget({ content });
      widget.id = ID;
      widget.title.label = trans.__('Runs');
      widget.title.icon = trackIcon;
      widget.title.closable = true;
      widget.toolbar.hide();
      const keep = (): void => void tracker.save(widget);
      opened.changed.connect(keep);
      selection.changed.connect(keep);
      widget.disposed.connect(() => selection.changed.disconnect(keep));
      void tracker.add(widget);
      return widget;
    };

    app.commands.addCommand(CommandIDs.openTable, {
      label: trans.__('Open the Run Table'),
      caption: trans.__('All runs as a table: filter, columns, groups, edits, saved views'),
      icon: trackIcon,
      describedBy: describedBy({
        view: { type: 'string', description: 'The id of a saved view' },
        state: { type: 'object', description: 'How the table is arranged' }
      }),
      execute: async args => {
        const state = args['state'];
        const widget = tracker.find(() => true) ?? open((state ?? {}) as JSONObject);
        if (!widget.isAttached) {
          app.shell.add(widget, 'main', { type: 'Trackside' });
        }
        app.shell.activateById(widget.id);
        const view = args['view'];
        if (typeof view === 'string' && model) {
          await trackside.views.refresh();
          const saved = trackside.views.get(view);
          if (saved) {
            await takeUp(trackside, model, saved);
          } else {
            await showErrorMessage(trans.__('No such view'), trans.__('It has been deleted.'));
          }
        }
        return widget;
      }
    });
    palette?.addItem({ command: CommandIDs.openTable, category: trans.__('Trackside') });
    void restorer?.restore(tracker, {
      command: CommandIDs.openTable,
      args: () => ({
        state: model ? stateToJson({ ...model.state, selected: selection.ids.slice(0, 1000) }) : {}
      }),
      name: () => ID
    });
  }
};
