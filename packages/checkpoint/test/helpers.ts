import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MambaError } from '@mamba-ts/backend';
import { afterAll, expect } from 'vitest';

/** A safetensors file by hand, from the public description of the format: length (u64, little endian), JSON, data. */
export function file(header: string | object, data: Uint8Array | number = 0, length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + json.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(body, 8 + json.length);
  return bytes;
}

/** The error of a promise, which must be a MambaError of that code with a message that matches. */
export async function expectError(
  promise: Promise<unknown>,
  code: string,
  message: RegExp,
): Promise<MambaError> {
  const error = await promise.then(
    (value) => expect.fail(`no error, but ${String(value)}`),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(MambaError);
  expect((error as MambaError).code).toBe(code);
  expect((error as MambaError).message).toMatch(message);
  return error as MambaError;
}

/** Bytes that differ everywhere, the same for the same seed. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed * 2654435761;
  for (let i = 0; i < length; i++) {
    x = Math.imul(x ^ (x >>> 15), 2246822519) + i;
    bytes[i] = x >>> 11;
  }
  return bytes;
}

/** Whether two arrays have the same bytes (`toEqual` takes seconds for megabytes). */
export function same(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const bytes = (x: ArrayBufferView) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
  return bytes(a).equals(bytes(b));
}

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** A folder that is gone after the test file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mamba-ts-checkpoint-'));
  folders.push(folder);
  return folder;
}
