// SPDX-License-Identifier: AGPL-3.0-or-later
/** Parts of the page's script that are fetched only when they are needed. */

/**
 * Fetches what is at `address`, of the type given; rejects when it does not come or fails. Then it is another address, since
 * Firefox remembers of one that it failed, for as long as the page is open. (In a variable: the caller is not to have a copy.)
 */
export function bundle<T>(address: string): () => Promise<T> {
  let failed = 0;
  return async () => {
    const tried = failed;
    try {
      return (await import(tried ? `${address}#${tried}` : address)) as T;
    } catch (error) {
      failed = tried + 1;
      throw error;
    }
  };
}
