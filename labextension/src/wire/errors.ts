/** What can go wrong between this panel and the server, and how it is said. */

/** What went wrong on the server, as a sentence, and what to do about it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly remedy: string | null
  ) {
    super(message);
  }
}

/** A sentence for a person about anything that was thrown. */
export function describeError(error: unknown): string {
  if (error instanceof ApiError && error.remedy) {
    return `${error.message} ${error.remedy}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether the same request can succeed later: a server that refused will refuse again. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status >= 500;
}
