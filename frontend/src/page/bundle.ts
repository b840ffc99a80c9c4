// SPDX-License-Identifier: AGPL-3.0-or-later
/** Parts of the page's script that are fetched only when they are needed. */

const WAITS = 60; // seconds: the largest comes in that at 0.6 KB a second, compressed

/**
 * Fetches what is at `address`, of the type given; rejects when it does not come or fails. Then it is another address, since
 * Firefox remembers of one that it failed, for as long as the page is open, and Chromium waits on for one that stalls,
 * whatever stands behind its #. (In a variable: the caller is not to have a copy.)
 */
export function bundle<T>(address: string): () => Promise<T> {
  let failed = 0;
  return async () => {
    const tried = failed;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => (timer = setTimeout(reject, WAITS * 1000)));
    try {
      return (await Promise.race([import(tried ? `${address}?${tried}` : address), late])) as T;
    } catch (error) {
      failed = Math.max(failed, tried + 1); // another may have gone on meanwhile
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
}
