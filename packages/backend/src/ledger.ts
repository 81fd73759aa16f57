import type { MemoryUse } from './backend.js';
import { MambaError } from './errors.js';
import type { Tensor } from './tensor.js';

/**
 * The bookkeeping that every backend needs and none should write again: which tensors live, how many bytes they hold,
 * and which of them a scope must free. A backend calls `add` for each tensor it makes and `remove` when one is disposed.
 */
export class TensorLedger {
  readonly #live = new Map<Tensor, number>();
  readonly #scopes: Set<Tensor>[] = [];
  #bytes = 0;

  add(tensor: Tensor, bytes: number): void {
    this.#live.set(tensor, bytes);
    this.#bytes += bytes;
    this.#scopes.at(-1)?.add(tensor);
  }

  /** Forgets a tensor. Returns false if it was not (or no longer) known, so that `dispose` is idempotent. */
  remove(tensor: Tensor): boolean {
    const bytes = this.#live.get(tensor);
    if (bytes === undefined) return false;
    this.#live.delete(tensor);
    this.#bytes -= bytes;
    for (const scope of this.#scopes) scope.delete(tensor);
    return true;
  }

  memory(): MemoryUse {
    return { tensors: this.#live.size, bytes: this.#bytes };
  }

  /** See `Backend.scope`. */
  scope<T>(run: () => T): T {
    const made = new Set<Tensor>();
    this.#scopes.push(made);
    let kept = new Set<Tensor>();
    try {
      const result = run();
      if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
        // Nobody will await it: what it rejects with must not end the process.
        Promise.resolve(result).catch(() => {});
        throw new MambaError(
          'INVALID_ARGUMENT',
          'scope: the function returned a promise. Ops are synchronous: return the tensors and read them after the scope',
        );
      }
      kept = tensorsIn(result);
      return result;
    } finally {
      this.#scopes.pop();
      const outer = this.#scopes.at(-1);
      for (const tensor of [...made]) {
        if (kept.has(tensor)) outer?.add(tensor);
        else tensor.dispose();
      }
    }
  }

  /** Disposes every live tensor. */
  clear(): void {
    for (const tensor of [...this.#live.keys()]) tensor.dispose();
  }
}

/** The tensors in a value: in its fields, items, keys and values. */
export function tensorsIn(value: unknown, found = new Set<Tensor>(), seen = new Set<object>()): Set<Tensor> {
  if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value))
    return found;
  seen.add(value);
  if (isTensor(value)) found.add(value);
  else if (value instanceof Map) for (const [k, v] of value) tensorsIn([k, v], found, seen);
  else if (value instanceof Set) for (const v of value) tensorsIn(v, found, seen);
  else for (const v of Object.values(value)) tensorsIn(v, found, seen);
  return found;
}

function isTensor(value: object): value is Tensor {
  return 'shape' in value && 'dtype' in value && 'dispose' in value && 'data' in value;
}
