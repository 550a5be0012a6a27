/**
 * Stands in for a kernel future that went with its page.
 *
 * JupyterLab's output area does all its usual work on what it is handed: joining text, display ids, clearing, the box
 * of `input()`. Running the cell again, or closing it, disposes this, which ends the replay.
 */
import type { Kernel, KernelMessage } from '@jupyterlab/services';

import type { JsonObject } from '../wire/protocol';

type Execution = Kernel.IShellFuture<KernelMessage.IExecuteRequestMsg, KernelMessage.IExecuteReplyMsg>;
type Answer = (
  content: KernelMessage.IInputReplyMsg['content'],
  parent: KernelMessage.IInputReplyMsg['parent_header']
) => void;

export class StandIn {
  /**
   * @param key `msg_id` of the request.
   * @param answer takes what the person types into a box of `input()`.
   */
  constructor(
    readonly key: string,
    private readonly answer: Answer
  ) {
    this.msg = { header: { msg_id: key } };
    this.done = new Promise(resolve => {
      this.resolve = resolve;
    });
  }

  /** As what an output area takes. It uses no more of a future than there is here. */
  get future(): Execution {
    return this as unknown as Execution;
  }

  /** Hands a message on, as if it came from the kernel now. */
  feed(type: string, content: JsonObject): void {
    if (this.isDisposed) {
      return;
    }
    const message = { header: { msg_type: type }, parent_header: this.msg.header, metadata: {}, content };
    if (type === 'input_request') {
      this.onStdin({ ...message, channel: 'stdin' });
    } else {
      this.onIOPub({ ...message, channel: 'iopub' });
    }
  }

  /** The cell has ended. What threads of it still print goes on to show. */
  finish(): void {
    this.feed('status', { execution_state: 'idle' });
    this.resolve();
  }

  dispose(): void {
    this.isDisposed = true;
    this.resolve();
  }

  sendInputReply(
    content: KernelMessage.IInputReplyMsg['content'],
    parent: KernelMessage.IInputReplyMsg['parent_header']
  ): void {
    this.answer(content, parent);
  }

  registerMessageHook(): void {
    // Hooks are for messages of the kernel's own connection, and these come by another.
  }

  removeMessageHook(): void {
    // See registerMessageHook.
  }

  readonly msg: { header: { msg_id: string } };
  readonly done: Promise<void>;
  isDisposed = false;
  onReply: (message: unknown) => void = () => undefined;
  onIOPub: (message: unknown) => void = () => undefined;
  onStdin: (message: unknown) => void = () => undefined;
  private resolve: () => void = () => undefined;
}
