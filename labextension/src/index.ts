import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'trackside:plugin',
  autoStart: true,
  activate: (_app: JupyterFrontEnd): void => undefined
};

export default [plugin];
