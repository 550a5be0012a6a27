/** The compare view in the main area. */
import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { UUID, type JSONObject } from '@lumino/coreutils';

import { CompareModel } from '../compare/comparemodel';
import { stateFrom } from '../compare/comparestate';
import { CompareView } from '../compare/compareview';
import { fillToolbar } from '../compare/toolbar';
import { trackIcon } from '../icons';
import { CommandIDs, ITrackside, type Trackside } from '../trackside';
import { describedBy } from './palette';

/** How a comparison shows its runs, whichever they are. */
function settingsOf(model: CompareModel): JSONObject {
  const own = ['runs', 'baseline', 'notes', 'id'];
  return Object.fromEntries(Object.entries(model.toArgs()).filter(([key]) => !own.includes(key)));
}

export const comparePlugin: JupyterFrontEndPlugin<void> = {
  id: 'trackside:compare',
  description: 'Runs side by side.',
  autoStart: true,
  requires: [ITrackside, IRenderMimeRegistry],
  optional: [ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    trackside: Trackside,
    rendermime: IRenderMimeRegistry,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): void => {
    const { trans } = trackside;
    const tracker = new WidgetTracker<MainAreaWidget<CompareView>>({ namespace: 'trackside-compare' });
    const models = new WeakMap<CompareView, CompareModel>();

    const open = (args: JSONObject): MainAreaWidget<CompareView> => {
      const state = stateFrom(args, trackside.preferences.xAxis, trackside.preferences.chartSize);
      const id = typeof args['id'] === 'string' ? args['id'] : `trackside-compare-${UUID.uuid4()}`;
      const model = new CompareModel(id, state);
      const content = new CompareView({ trackside, model, rendermime: rendermime.clone() });
      const widget = new MainAreaWidget({ content });
      widget.id = id;
      models.set(content, model);
      fillToolbar(widget.toolbar, content, model, trackside);
      model.changed.connect(() => void tracker.save(widget));
      model.changed.connect(() => (trackside.chartSettings = settingsOf(model)));
      void tracker.add(widget);
      return widget;
    };

    /** The view that shows exactly these runs already. */
    const existing = (runs: readonly string[]): MainAreaWidget<CompareView> | undefined =>
      tracker.find(widget => {
        const shown = models.get(widget.content)?.state.runs ?? [];
        return shown.length === runs.length && shown.every((id, index) => id === runs[index]);
      });

    app.commands.addCommand(CommandIDs.openCompare, {
      label: args => (args['runs'] ? trans.__('Compare Runs') : trans.__('Compare Selected Runs')),
      caption: trans.__('Show runs side by side: charts, configuration, outputs'),
      icon: trackIcon,
      isEnabled: args => Array.isArray(args['runs']) || trackside.selection.size > 0,
      describedBy: describedBy({
        runs: {
          type: 'array',
          items: { type: 'string' },
          description: 'Ids of runs; left out: those ticked'
        },
        x: { type: 'string', description: 'step, relative, time, or the name of a metric' },
        y: { type: 'string', enum: ['linear', 'log'] }
      }),
      execute: args => {
        const wanted: JSONObject = { ...(args as JSONObject) };
        wanted['runs'] ??= [...trackside.selection.ids];
        const widget = existing(wanted['runs'] as string[]) ?? open(wanted);
        if (!widget.isAttached) {
          app.shell.add(widget, 'main', { type: 'Trackside' });
        }
        app.shell.activateById(widget.id);
        return widget;
      }
    });
    trackside.selection.changed.connect(() => app.commands.notifyCommandChanged(CommandIDs.openCompare));
    palette?.addItem({ command: CommandIDs.openCompare, category: trans.__('Trackside') });
    void restorer?.restore(tracker, {
      command: CommandIDs.openCompare,
      args: widget => models.get(widget.content)?.toArgs() ?? {},
      name: widget => widget.id
    });
  }
};
