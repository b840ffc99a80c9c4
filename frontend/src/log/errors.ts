// SPDX-License-Identifier: AGPL-3.0-or-later
/** What can be wrong with a log, as log/errors.py. */

/** Bytes of a log that are not what they must be. The text says what was expected, never the content. */
export class LogError extends Error {
  override name = "LogError";
}

/** The root at that size cannot be computed from the hashes at hand. */
export class NotDerivable extends LogError {
  override name = "NotDerivable";
}
