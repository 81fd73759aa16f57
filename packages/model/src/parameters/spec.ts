import type { Random } from '@mamba-ts/ssm';

/** One parameter: what it is called, how it looks, how it starts. */
export interface ParameterSpec {
  /** Name in the official state dict (inside its module, until `parameterSpecs` puts the module's path before it). */
  readonly name: string;
  readonly shape: readonly number[];
  /** Shape in a checkpoint, where it is not `shape`: torch keeps the depthwise convolution as [D, 1, W]. */
  readonly fileShape?: readonly number[];
  /**
   * - `matrix`: a large weight of `linear` or `embedding`, kept in the type that the user asked for.
   * - `projection`: a small weight of `linear`; where the matrices are int8 it is f16, since it is cheap and errors in Δ, B
   *   and C go through an exponential.
   * - `vector`: everything else, always in the activations' type.
   */
  readonly role: 'matrix' | 'projection' | 'vector';
  /** False for what the optimiser must not decay. */
  readonly decay: boolean;
  /** Initial values, row-major. */
  readonly init: (random: Random) => Float64Array;
}
