/** The left sidebar: machines above, runs below. */
import { PanelWithToolbar, SidePanel } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { AccordionPanel } from '@lumino/widgets';

import { trackIcon } from '../icons';
import { Attention } from '../model/attention';
import type { CurrentKernel } from '../model/currentkernel';
import { SIDEBAR_ID, type Trackside } from '../trackside';
import { GpusSection } from './gpussection';
import { RunsSection } from './runssection';

export interface SidebarOptions {
  trackside: Trackside;
  commands: CommandRegistry;
  kernel: CurrentKernel | null;
}

export class Sidebar extends SidePanel {
  constructor(options: SidebarOptions) {
    super();
    const { trackside, commands, kernel } = options;
    const { trans, feed } = trackside;
    const { clock } = new Attention(this, { feed, wake: () => this.divide() });
    this.id = SIDEBAR_ID;
    this.title.icon = trackIcon;
    this.title.caption = trans.__('Runs and GPUs');
    this.node.setAttribute('aria-label', trans.__('Trackside: runs and GPUs'));
    this.node.setAttribute('role', 'region');
    this.addClass('jp-trackside-sidebar');

    const gpus = new PanelWithToolbar();
    gpus.addClass('jp-trackside-section');
    gpus.title.label = trans.__('GPUs');
    gpus.addWidget(new GpusSection({ trackside, commands, kernel, clock }));
    this.addWidget(gpus);

    const runs = new PanelWithToolbar();
    runs.addClass('jp-trackside-section');
    runs.title.label = trans.__('Runs');
    runs.addWidget(new RunsSection({ trackside, commands, clock }));
    this.addWidget(runs);
  }

  private divide(): void {
    if (!this.divided) {
      // The accordion divides its height evenly when it is first laid out, so this comes after.
      this.divided = true;
      requestAnimationFrame(() => (this.content as AccordionPanel).setRelativeSizes([1, 3]));
    }
  }

  private divided = false;
}
