// SPDX-License-Identifier: AGPL-3.0-or-later
/** What the build inlines as bytes. */
declare module "*.wasm" {
  const code: Uint8Array;
  export default code;
}
