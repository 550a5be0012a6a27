/** Names as they are seen, which is not as they are written. Pure functions. */

/** Characters that turn the writing around until somebody turns it back. */
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** Characters that take no room, and those turning. */
const UNSEEN = /\p{Default_Ignorable_Code_Point}|\p{Cc}/gu;
/** What is read from right to left stands between marks of its own, and leaves the sentence as it is. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
/** Letters that are seen as they are written. */
const ORDINARY = /[\p{L}\p{N}\p{P}\p{S}]/u;
const LONGEST = 60;

/** The same for names that look the same: letters however they are composed, nothing unseen, one space for several. */
export function lookOf(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) && !name.includes('  ') ? name.trim() : seen(name);
}

function seen(name: string): string {
  return name.normalize('NFC').replace(UNSEEN, '').replace(/\s+/g, ' ').trim();
}

/** How a name is written that does not look so (`cafe\\u{301}`), or `null`: most are what they look like. */
export function spelledOut(name: string): string | null {
  if (lookOf(name) === name) {
    return null;
  }
  const letters = [...name].map(letter =>
    /[\x20-\x7e]/.test(letter) || ORDINARY.test(letter)
      ? letter
      : `\\u{${letter.codePointAt(0)?.toString(16) ?? ''}}`
  );
  return letters.join('');
}

/** A name in the middle of a sentence: it hides nothing that is said after it, by its length or by turning it around. */
export function inWords(name: string): string {
  const letters = [...name.replace(TURNING, '').replace(/\s+/g, ' ')];
  const short = letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join('')}…` : letters.join('');
  return RIGHT_TO_LEFT.test(short) ? `\u2068${short}\u2069` : short;
}

/** As much of a text as is looked at in one place; how much there is of it is said. A page of ten megabytes is no page. */
export function beginningOf(text: string, most = 2_000): string {
  return text.length > most
    ? `${text.slice(0, most)}… (${text.length.toLocaleString('en-US')} characters)`
    : text;
}
