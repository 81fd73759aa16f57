import { MambaError } from '../errors.js';
import type { Tensor } from '../tensor.js';

/**
 * What each backend asks of an op's arguments before anything else: every tensor in them lives, and lives here. `owns` says
 * whether a tensor was made by this backend. Throws `DISPOSED` or `INVALID_ARGUMENT`, naming op and argument.
 */
export function checkTensors(
  op: string,
  args: readonly object[],
  backend: string,
  owns: (tensor: Tensor) => boolean,
): void {
  for (const inputs of args) visit(op, '', inputs, backend, owns);
}

function visit(
  op: string,
  name: string,
  value: unknown,
  backend: string,
  owns: (tensor: Tensor) => boolean,
): void {
  if (typeof value !== 'object' || value === null) return;
  if ('dispose' in value) {
    checkTensor(op, name, value as Tensor, backend, owns);
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== 'object') continue;
    const path = Array.isArray(value) ? `${name}[${key}]` : name === '' ? key : `${name}.${key}`;
    visit(op, path, item, backend, owns);
  }
}

function checkTensor(
  op: string,
  name: string,
  tensor: Tensor,
  backend: string,
  owns: (tensor: Tensor) => boolean,
): void {
  if (tensor.disposed) {
    throw new MambaError(
      'DISPOSED',
      `${op}: ${name} was disposed: keep a tensor until its last use, or copy it`,
    );
  }
  if (!owns(tensor)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `${op}: ${name} lives on another backend than this ${backend} one: upload it with backend.tensor(await ${name}.data(), ${name}.shape)`,
    );
  }
}
