import { type DType, MambaError, type Tensor, type TensorData } from '@mamba-ts/backend';

/** The arrays that ops compute on. Weights in f16, bf16 and int8 are held as the f32 numbers that they stand for. */
export type Floats = Float32Array | Float64Array;

/** Numbers in JavaScript memory. */
export class CpuTensor implements Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly #release: (tensor: CpuTensor) => void;
  #values: TensorData | undefined;

  constructor(
    values: TensorData,
    shape: readonly number[],
    dtype: DType,
    release: (tensor: CpuTensor) => void,
  ) {
    this.#values = values;
    this.shape = shape;
    this.dtype = dtype;
    this.#release = release;
  }

  get disposed(): boolean {
    return this.#values === undefined;
  }

  /** The numbers themselves, not a copy. */
  get values(): TensorData {
    if (this.#values === undefined) {
      throw new MambaError(
        'DISPOSED',
        `a tensor of shape [${this.shape.join(', ')}] was used after it was disposed`,
      );
    }
    return this.#values;
  }

  async data(): Promise<TensorData> {
    return this.values.slice();
  }

  dispose(): void {
    if (this.#values === undefined) return;
    this.#values = undefined;
    this.#release(this);
  }
}
