// SPDX-License-Identifier: AGPL-3.0-or-later
/** What the build inlines as a text. */
declare module "*.txt" {
  const text: string;
  export default text;
}
