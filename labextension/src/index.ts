/** The plugins of Trackside's panel. */
import { comparePlugin } from './plugins/compare';
import { gpusPlugin } from './plugins/gpus';
import { modelPlugin } from './plugins/model';
import { restorePlugin } from './plugins/restore';
import { sidebarPlugin } from './plugins/sidebar';
import { statusPlugin } from './plugins/status';
import { tablePlugin } from './plugins/table';

export { CommandIDs, ITrackside, SIDEBAR_ID, type Trackside } from './trackside';

export default [
  modelPlugin,
  sidebarPlugin,
  comparePlugin,
  gpusPlugin,
  restorePlugin,
  statusPlugin,
  tablePlugin
];
