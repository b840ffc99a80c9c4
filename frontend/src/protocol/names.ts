// SPDX-License-Identifier: AGPL-3.0-or-later
/** How desks, members, questions and choices may be called, as protocol/names.py. */

/** Lower-case letters, digits and hyphens, 1 to 32, no hyphen at either end? */
export const isName = (text: string): boolean => /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(text);
