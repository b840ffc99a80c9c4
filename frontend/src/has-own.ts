// SPDX-License-Identifier: AGPL-3.0-or-later
/** What the packages call Object.hasOwn, for browsers that do not have it: build.mjs puts this in its place. */

export const hasOwn = (object: object, name: PropertyKey): boolean => Object.prototype.hasOwnProperty.call(object, name);
