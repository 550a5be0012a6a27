/** What the plugins share. */
import type { IThemeManager } from '@jupyterlab/apputils';
import type { ServerConnection } from '@jupyterlab/services';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';

import type { ChartSize } from './compare/comparestate';
import { ColourBook } from './model/colours';
import { RunEditor } from './model/editor';
import { LeaseBook } from './model/leases';
import { OfferSearch } from './model/offers';
import { PulseBook } from './model/pulses';
import { RunBook } from './model/runs';
import { Pointing } from './model/pointing';
import { Selection } from './model/selection';
import { ViewBook } from './model/views';
import { Api } from './wire/api';
import { Feed } from './wire/feed';
import type { JsonObject, XKind } from './wire/protocol';

/** The ids other extensions may rely on. */
export const CommandIDs = {
  /** `{runs: [ids]}`; without runs, those ticked in the sidebar. */
  openCompare: 'trackside:open-compare',
  /** `{spec, on}` */
  provision: 'trackside:provision',
  /** `{lease}` */
  release: 'trackside:release',
  /** `{lease}`: the lease's name */
  attach: 'trackside:attach',
  /** `{lease}`: follows the log of its agent. */
  openLog: 'trackside:open-log',
  showSidebar: 'trackside:show-sidebar',
  /** `{view}`: the id of a saved view; without it, the table as it was. */
  openTable: 'trackside:open-table'
} as const;

export const SIDEBAR_ID = 'trackside-sidebar';

/** What the settings say; see `schema/plugin.json`. */
export interface Preferences {
  xAxis: XKind | 'auto';
  maxRuns: number;
  chartSize: ChartSize;
}

export const DEFAULT_PREFERENCES: Preferences = { xAxis: 'auto', maxRuns: 10000, chartSize: 'medium' };

export interface TracksideOptions {
  serverSettings: ServerConnection.ISettings;
  trans: TranslationBundle;
  state: IStateDB | null;
  themes: IThemeManager | null;
}

/** The one model behind sidebar, compare views and status bar. Data flows from the feed through it to the views. */
export class Trackside {
  constructor(options: TracksideOptions) {
    const themes = options.themes;
    const isDark = (): boolean => (themes?.theme ? !themes.isLight(themes.theme) : false);
    this.trans = options.trans;
    this.api = new Api(options.serverSettings);
    this.feed = new Feed(this.api);
    this.runs = new RunBook(this.api, this.feed, () => this.preferences.maxRuns);
    this.leases = new LeaseBook(this.api, this.feed);
    this.pulses = new PulseBook(this.feed);
    this.offers = new OfferSearch(this.api);
    this.colours = new ColourBook(options.state, isDark, run => this.runs.get(run)?.colour ?? null);
    this.runs.changed.connect(() => {
      if (this.runs.loaded) {
        this.colours.list(this.runs.list.map(run => run.id));
      }
    });
    this.runs.coloursChanged.connect(() => this.colours.themeChanged());
    this.editor = new RunEditor(this.api, this.feed, this.runs);
    this.views = new ViewBook(this.api);
    themes?.themeChanged.connect(() => this.colours.themeChanged());
    this.selection.changed.connect(() => this.colours.distinguish(this.selection, this.selection.ids));
  }

  readonly trans: TranslationBundle;
  readonly api: Api;
  readonly feed: Feed;
  readonly runs: RunBook;
  readonly leases: LeaseBook;
  readonly pulses: PulseBook;
  /** What can be had, as it was last looked for. */
  readonly offers: OfferSearch;
  readonly colours: ColourBook;
  readonly selection = new Selection();
  readonly pointing = new Pointing();
  readonly editor: RunEditor;
  readonly views: ViewBook;
  /** How the comparison that was arranged last shows its charts, without its runs; part of a saved view. */
  chartSettings: JsonObject = {};
  preferences: Preferences = DEFAULT_PREFERENCES;
}

export const ITrackside = new Token<Trackside>(
  'trackside:ITrackside',
  'Runs, leases and the feed of Trackside.'
);
