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

/** Shares of the sidebar's height that the GPUs' part gets by itself. */
const LEAST_OF_GPUS = 0.12;
const MOST_OF_GPUS = 0.5;

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
    const { clock } = new Attention(this, { feed, wake: () => this.divideSoon() });
    this.id = SIDEBAR_ID;
    this.title.icon = trackIcon;
    this.title.caption = trans.__('Runs and GPUs');
    this.node.setAttribute('aria-label', trans.__('Trackside: runs and GPUs'));
    this.node.setAttribute('role', 'region');
    this.addClass('jp-trackside-sidebar');

    const gpus = new PanelWithToolbar();
    gpus.addClass('jp-trackside-section');
    gpus.addClass('jp-trackside-machines');
    gpus.title.label = trans.__('GPUs');
    this.gpus = new GpusSection({ trackside, commands, kernel, clock });
    gpus.addWidget(this.gpus);
    this.addWidget(gpus);

    const runs = new PanelWithToolbar();
    runs.addClass('jp-trackside-section');
    runs.title.label = trans.__('Runs');
    runs.addWidget(new RunsSection({ trackside, commands, clock }));
    this.addWidget(runs);

    this.sections.handleMoved.connect(() => (this.divided = true));
    // What the GPUs' part shows makes it higher: its cards come and go, and offers as they are found.
    this.growth.observe(this.gpus.node);
  }

  override dispose(): void {
    this.growth.disconnect();
    super.dispose();
  }

  /** The accordion divides its height evenly when it is first laid out, so this comes after. */
  private divideSoon(): void {
    requestAnimationFrame(() => this.divide());
  }

  /** The GPUs' part is as high as what it shows, up to half of the sidebar, until somebody moves the border. */
  private divide(): void {
    const { node, widgets } = this.sections;
    if (this.divided || this.isDisposed || widgets.some(section => section.isHidden)) {
      return;
    }
    const room = widgets.reduce((sum, section) => sum + section.node.offsetHeight, 0);
    if (!node.isConnected || room === 0) {
      return;
    }
    const share = Math.min(MOST_OF_GPUS, Math.max(LEAST_OF_GPUS, (this.gpus.node.offsetHeight + 8) / room));
    if (Math.abs(share - (this.sections.relativeSizes()[0] ?? 0)) > 0.005) {
      this.sections.setRelativeSizes([share, 1 - share]);
    }
  }

  private get sections(): AccordionPanel {
    return this.content as AccordionPanel;
  }

  private readonly gpus: GpusSection;
  private readonly growth = new ResizeObserver(() => this.divideSoon());
  /** Whether somebody has chosen the heights. */
  private divided = false;
}
