/** How commands describe their arguments to others. */
import type { ReadonlyJSONObject } from '@lumino/coreutils';

/** A JSON schema of a command's arguments. */
export function describedBy(properties: ReadonlyJSONObject): { args: ReadonlyJSONObject } {
  return { args: { type: 'object', properties } };
}
