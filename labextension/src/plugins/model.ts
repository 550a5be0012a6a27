/** The model that the other plugins share, and its settings. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IThemeManager } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { tellFrames } from '../model/framethemes';
import { DEFAULT_PREFERENCES, ITrackside, Trackside, type Preferences } from '../trackside';

/** Also the name of the settings, see `schema/plugin.json`. */
const ID = 'trackside:plugin';

export const modelPlugin: JupyterFrontEndPlugin<Trackside> = {
  id: ID,
  description: 'Runs, leases and the feed of Trackside.',
  autoStart: true,
  provides: ITrackside,
  optional: [ISettingRegistry, IStateDB, IThemeManager, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    settings: ISettingRegistry | null,
    state: IStateDB | null,
    themes: IThemeManager | null,
    translator: ITranslator | null
  ): Trackside => {
    const trackside = new Trackside({
      serverSettings: app.serviceManager.serverSettings,
      trans: (translator ?? nullTranslator).load('trackside'),
      state,
      themes
    });
    void trackside.colours.restore();
    if (themes) {
      tellFrames(themes);
    }
    void settings?.load(ID).then(loaded => {
      const apply = (): void => {
        const before = trackside.preferences;
        trackside.preferences = { ...DEFAULT_PREFERENCES, ...(loaded.composite as Partial<Preferences>) };
        if (trackside.preferences.maxRuns !== before.maxRuns && trackside.runs.loaded) {
          trackside.runs.refresh();
        }
      };
      loaded.changed.connect(apply);
      apply();
    });
    return trackside;
  }
};
