/** Where a recorded notebook lies for JupyterLab. Pure functions. */

/**
 * The path below the server's root, or `null` when the notebook lies elsewhere.
 *
 * @param recorded what the run says: a path below the root, or an absolute one.
 * @param root the server's root as the page knows it; `~/…` stands for a home folder that the page does not know.
 */
export function notebookPath(recorded: string, root: string): string | null {
  if (!recorded.endsWith('.ipynb')) {
    return null;
  }
  if (!recorded.startsWith('/')) {
    return recorded;
  }
  const folder = root.replace(/\/+$/, '');
  if (!folder.startsWith('~')) {
    return recorded.startsWith(`${folder}/`) ? recorded.slice(folder.length + 1) : null;
  }
  const below = /^\/(?:root|[^/]+\/[^/]+)(\/.*)$/.exec(recorded)?.[1];
  const inside = `${folder.slice(1)}/`;
  return below?.startsWith(inside) ? below.slice(inside.length) : null;
}
