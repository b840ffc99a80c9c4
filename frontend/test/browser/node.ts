// SPDX-License-Identifier: AGPL-3.0-or-later
/** What the tests over the project's vectors use of Node, for a browser: test.mjs --browser puts it in place of Node's
 *  modules. The page hands the files over in FILES, by their names, and reads `results` of the page when they are there. */

declare const FILES: Readonly<Record<string, string>>;

/** One test: its name, and what was wrong or null. */
export interface Result {
  readonly name: string;
  readonly error: string | null;
}

// --- node:fs, node:path, node:crypto ---------------------------------------------------------------

export const webcrypto = globalThis.crypto;
export const join = (...parts: readonly string[]): string => parts.join("/");

export function readFileSync(path: string): string {
  const text = FILES[path.slice(path.lastIndexOf("/") + 1)];
  if (text === undefined) throw new Error(`${path} was not handed over`);
  return text;
}

// --- node:test -------------------------------------------------------------------------------------

const waiting: [string, () => unknown][] = [];

export const test = (name: string, run: () => unknown): void => void waiting.push([name, run]);

/** All that were named, in turn, as Node runs those of one file. */
export async function results(): Promise<readonly Result[]> {
  const all: Result[] = [];
  for (const [name, run] of waiting) {
    try {
      await run();
      all.push({ name, error: null });
    } catch (error) {
      all.push({ name, error: String(error) });
    }
  }
  return all;
}

// --- node:assert/strict ----------------------------------------------------------------------------

class AssertionError extends Error {
  override readonly name = "AssertionError";
}

function holds(so: boolean, otherwise: string, message?: string | Error): void {
  if (!so) throw new AssertionError(message === undefined ? otherwise : `${message}: ${otherwise}`);
}

/** The same type and content all the way down, as deepStrictEqual has it for what the tests compare. */
function alike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Map && b instanceof Map) return a.size === b.size && [...a].every(([key, one]) => b.has(key) && alike(one, b.get(key)));
  if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((one) => b.has(one) || [...b].some((other) => alike(one, other)));
  if (a instanceof Error && b instanceof Error && (a.name !== b.name || a.message !== b.message)) return false;
  const keys = Object.keys(a);
  const has = (key: string): boolean => Object.prototype.propertyIsEnumerable.call(b, key);
  return keys.length === Object.keys(b).length && Array.isArray(a) === Array.isArray(b)
    && (a as { length?: unknown }).length === (b as { length?: unknown }).length
    && keys.every((key) => has(key) && alike(a[key as keyof typeof a], b[key as keyof typeof b]));
}

type Expected = RegExp | object | ((error: never) => unknown) | string | undefined;

/** Is an error the one that was expected: of a class, with a text, with these values, or one that a function takes? */
function fits(error: unknown, expected: Expected): boolean {
  if (expected === undefined || typeof expected === "string") return true;
  if (expected instanceof RegExp) return expected.test(String(error));
  if (typeof expected !== "function") {
    const [has, wants] = [Object(error) as Record<string, unknown>, Object.entries(expected)];
    return wants.every(([key, value]) => key in has && alike(has[key], value));
  }
  if (expected === Error || Object.prototype.isPrototypeOf.call(Error, expected)) return error instanceof expected;
  return (expected as (error: unknown) => unknown)(error) === true;
}

const thrown = (error: unknown, expected: Expected, message?: string): void =>
  holds(fits(error, expected), `another error was expected than ${String(error)}`, message);

const assert = {
  ok: (value: unknown, message?: string): void => holds(Boolean(value), "it does not hold", message),
  equal: (a: unknown, b: unknown, message?: string): void => holds(Object.is(a, b), `${String(a)} is not ${String(b)}`, message),
  notEqual: (a: unknown, b: unknown, message?: string): void => holds(!Object.is(a, b), `both are ${String(a)}`, message),
  deepEqual: (a: unknown, b: unknown, message?: string): void => holds(alike(a, b), `${String(a)} is not like ${String(b)}`, message),
  notDeepEqual: (a: unknown, b: unknown, message?: string): void => holds(!alike(a, b), `both are like ${String(a)}`, message),
  match: (text: string, pattern: RegExp, message?: string): void => holds(pattern.test(text), `${text} is not like ${pattern}`, message),
  throws(run: () => unknown, expected?: Expected, message?: string): void {
    try {
      run();
    } catch (error) {
      thrown(error, expected, message);
      return;
    }
    holds(false, "nothing was thrown", message);
  },
  async rejects(promise: Promise<unknown>, expected?: Expected, message?: string): Promise<void> {
    try {
      await promise;
    } catch (error) {
      thrown(error, expected, message);
      return;
    }
    holds(false, "nothing was thrown", message);
  },
};

export default assert;
