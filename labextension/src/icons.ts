/** Trackside's icons, drawn on JupyterLab's grid and coloured by its theme. */
import { LabIcon } from '@jupyterlab/ui-components';

import type { RunStatus } from './wire/protocol';

const svg = (size: number, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 ${size} ${size}">${body}</svg>`;

/** A train track running to the horizon. */
export const trackIcon = new LabIcon({
  name: 'trackside:track',
  svgstr: svg(
    24,
    '<g class="jp-icon3" fill="#616161"><path d="M8.6 3h1.9L6.2 21H3.9zM13.5 3h1.9l4.7 18h-2.3z"/>' +
      '<path d="M8.3 6.2h7.4v1.5H8zM7.2 10.4h9.6l.4 1.7H6.8zM5.9 15.3h12.2l.5 2H5.4z"/></g>'
  )
});

const ring = '<path d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13z"/>';
const cut = (shape: string): string =>
  `<path fill-rule="evenodd" d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13z${shape}"/>`;

/** A shape of its own for each state: colour alone never says it. */
const STATUS_SHAPES: Record<RunStatus, string> = {
  running:
    '<circle cx="8" cy="8" r="3.4"/><path class="jp-trackside-pulse" fill="none" stroke-width="1.5" d="M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z"/>',
  finished: cut('m3.3 4.2.9.9-4.9 5.1-3-3 .9-1 2.1 2.1z'),
  failed: cut('M5.6 4.7 8 7.1l2.4-2.4.9.9L8.9 8l2.4 2.4-.9.9L8 8.9l-2.4 2.4-.9-.9L7.1 8 4.7 5.6z'),
  interrupted: cut('M5.5 5.5v5h5v-5z'),
  killed: cut('m1 2-4.2 5.2h2.7L6.3 12.6l4.4-5.5H8z'),
  unknown: ring.replace('<path', '<path fill="none" stroke-width="1.4" stroke-dasharray="2.2 2"')
};

export const statusIcons: Record<RunStatus, LabIcon> = Object.fromEntries(
  Object.entries(STATUS_SHAPES).map(([status, body]) => [
    status,
    new LabIcon({
      name: `trackside:status-${status}`,
      svgstr: svg(16, `<g class="jp-trackside-shape">${body}</g>`)
    })
  ])
) as Record<RunStatus, LabIcon>;
