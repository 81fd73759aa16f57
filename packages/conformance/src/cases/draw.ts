import { sizeOf } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import type { HostTensor } from '../host.js';

/**
 * Seeded random tensors. Floats are rounded to f32, so that a backend in f32 and the oracle in f64 are given the very same
 * numbers and the rounding of the inputs is no part of the error.
 */
export class Draw {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  fill(shape: readonly number[], value: () => number): HostTensor {
    return { shape, dtype: 'f32', data: Float32Array.from({ length: sizeOf(shape) }, value) };
  }

  /** Normal, of this standard deviation. */
  normal(shape: readonly number[], deviation = 1): HostTensor {
    return this.fill(shape, () => deviation * this.#random.normal());
  }

  uniform(shape: readonly number[], low: number, high: number): HostTensor {
    return this.fill(shape, () => low + (high - low) * this.#random.next());
  }

  /** Negative, from weak decays to strong ones: -exp(-3) to -exp(2.5). */
  decays(shape: readonly number[]): HostTensor {
    return this.fill(shape, () => -Math.exp(-3 + 5.5 * this.#random.next()));
  }

  /** Integers in [0, n). */
  ints(shape: readonly number[], n: number): HostTensor {
    return {
      shape,
      dtype: 'i32',
      data: Int32Array.from({ length: sizeOf(shape) }, () => this.#random.int(n)),
    };
  }

  /** One integer in [0, n). */
  int(n: number): number {
    return this.#random.int(n);
  }

  /** [B, L] indices of packed sequences: they start anywhere, and grow by 1 or 2 where a new sequence begins. */
  sequences(batch: number, length: number): HostTensor {
    const data = new Int32Array(batch * length);
    for (let b = 0; b < batch; b++) {
      let index = this.#random.int(3);
      for (let t = 0; t < length; t++) {
        // Early and often at short lengths, so that a convolution's window meets more than one border.
        if (t > 0 && this.#random.next() < Math.max(0.08, 1 / length)) index += 1 + this.#random.int(2);
        data[b * length + t] = index;
      }
    }
    return { shape: [batch, length], dtype: 'i32', data };
  }
}
