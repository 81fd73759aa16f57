import {
  type Backend,
  checkBinary,
  checkLinear,
  checkSelectiveScan,
  checkSelectiveScanStep,
  checkTensors,
  checkUpload,
  checkZeros,
  type DType,
  MambaError,
  type MaybeComplex,
  type OpName,
  type Ops,
  type SelectiveScanDims,
  type SelectiveScanInputs,
  sizeOf,
  type Tensor,
  type TensorData,
  TensorLedger,
} from '@mamba-ts/backend';

/** A tensor of this backend: its values in an array of its own. */
class MinimalTensor implements Tensor {
  readonly ledger: TensorLedger;
  readonly values: TensorData;
  readonly shape: readonly number[];
  readonly dtype: DType;
  disposed = false;

  constructor(ledger: TensorLedger, values: TensorData, shape: readonly number[], dtype: DType) {
    this.ledger = ledger;
    this.values = values;
    this.shape = [...shape];
    this.dtype = dtype;
    ledger.add(this, values.byteLength);
  }

  async data(): Promise<TensorData> {
    if (this.disposed) throw new MambaError('DISPOSED', 'data: this tensor was disposed');
    return this.values.slice();
  }

  dispose(): void {
    if (this.ledger.remove(this)) this.disposed = true;
  }
}

const ARRAYS = { f64: Float64Array, f32: Float32Array, i32: Int32Array };
const TYPES = ['f64', 'f32', 'i32'] as const;

const valuesOf = (tensor: MaybeComplex | undefined) => (tensor as MinimalTensor | undefined)?.values;
const softplus = (x: number) => (x > 20 ? x : Math.log1p(Math.exp(x)));
const silu = (x: number) => x / (1 + Math.exp(-x));

/** Five ops of the contract in plain loops: enough to run the scan, and for the suite to judge it. */
export async function createMinimalBackend(): Promise<Backend> {
  const ledger = new TensorLedger();
  let disposed = false;

  const alive = (what: string) => {
    if (disposed) throw new MambaError('DISPOSED', `${what}: this backend was disposed, create another`);
  };
  const make = (values: TensorData, shape: readonly number[], dtype: DType) =>
    new MinimalTensor(ledger, values, shape, dtype);
  const empty = (shape: readonly number[], dtype: DType) =>
    make(new ARRAYS[dtype as 'f64'](sizeOf(shape)), shape, dtype);

  const ops: Partial<Ops> = {
    copy: ({ x }) => make(valuesOf(x)!.slice(), x.shape, x.dtype),

    add: (inputs) => {
      const { dtype, shape } = checkBinary('add', inputs);
      const [a, b, y] = [valuesOf(inputs.a)!, valuesOf(inputs.b)!, empty(shape, dtype)];
      for (let i = 0; i < y.values.length; i++) y.values[i] = a[i] + b[i];
      return y;
    },

    linear: (inputs) => {
      const { dtype, rows, inputs: columns, outputs, shape } = checkLinear(inputs);
      const [x, weight, bias] = [valuesOf(inputs.x)!, valuesOf(inputs.weight)!, valuesOf(inputs.bias)];
      const y = empty(shape, dtype);
      for (let row = 0; row < rows; row++) {
        for (let out = 0; out < outputs; out++) {
          let sum = bias?.[out] ?? 0;
          for (let i = 0; i < columns; i++) sum += x[row * columns + i] * weight[out * columns + i];
          y.values[row * outputs + out] = sum;
        }
      }
      return y;
    },

    selectiveScan: (inputs) => {
      const dims = checkSelectiveScan(inputs);
      const { dtype, batch, channels, stateSize } = dims;
      refuseComplex('selectiveScan', dims);
      const lastState = empty([batch, channels, stateSize], dtype);
      if (inputs.initialState) lastState.values.set(valuesOf(inputs.initialState)!);
      return { y: scan(inputs, dims, lastState.values), lastState };
    },

    // The scan of one token, from the state and into it: in place.
    selectiveScanStep: (inputs) => {
      const dims = checkSelectiveScanStep(inputs);
      refuseComplex('selectiveScanStep', dims);
      return scan(inputs, dims, valuesOf(inputs.state)!);
    },
  };

  /** `supports` says so too. Before anything is made: a call that throws leaves no tensors behind. */
  function refuseComplex(op: string, { complex }: SelectiveScanDims): void {
    if (complex) throw new MambaError('UNSUPPORTED_OP', `${op}: the minimal backend has no complex A`);
  }

  /** h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t; y_t = C_t h_t + D u_t, times silu(z). `h` [B, D, N] is updated. */
  function scan(
    inputs: Omit<SelectiveScanInputs, 'initialState'>,
    dims: SelectiveScanDims,
    h: TensorData,
  ): MinimalTensor {
    const { dtype, batch, length, channels, stateSize } = dims;
    const [A, B, C] = [valuesOf(inputs.A)!, valuesOf(inputs.B)!, valuesOf(inputs.C)!];
    const [u, delta] = [valuesOf(inputs.u)!, valuesOf(inputs.delta)!];
    const [D, z, bias] = [valuesOf(inputs.D), valuesOf(inputs.z), valuesOf(inputs.deltaBias)];
    const seqIdx = valuesOf(inputs.seqIdx);
    const y = empty(inputs.u.shape, dtype);
    /** Where the row of B or C for this token and channel begins: constant [D, N], else [B, L, G, N]. */
    const row = ({ kind, groups }: SelectiveScanDims['B'], token: number, d: number) =>
      (kind === 'constant' ? d : token * groups + Math.floor((d * groups) / channels)) * stateSize;

    for (let token = 0; token < batch * length; token++) {
      const first = token % length === 0;
      const resets = seqIdx !== undefined && !first && seqIdx[token] !== seqIdx[token - 1];
      for (let d = 0; d < channels; d++) {
        const at = token * channels + d;
        const state = (Math.floor(token / length) * channels + d) * stateSize;
        const raw = delta[at] + (bias?.[d] ?? 0);
        const step = dims.softplus ? softplus(raw) : raw;
        let sum = (D?.[d] ?? 0) * u[at];
        for (let n = 0; n < stateSize; n++) {
          const a = A[d * stateSize + n];
          const Bbar = dims.discretization === 'zoh' && a !== 0 ? Math.expm1(step * a) / a : step;
          const before = resets ? 0 : h[state + n];
          const after = Math.exp(step * a) * before + Bbar * B[row(dims.B, token, d) + n] * u[at];
          sum += C[row(dims.C, token, d) + n] * after;
          h[state + n] = after;
        }
        y.values[at] = z ? sum * silu(z[at]) : sum;
      }
    }
    return y;
  }

  /** What is asked of every call before anything else; and an error, not `undefined`, for the ops that are missing. */
  const guarded = new Proxy(ops, {
    get: (_, op: OpName) => {
      return (...args: object[]) => {
        alive(op);
        const run = ops[op] as ((...args: object[]) => unknown) | undefined;
        if (!run) throw new MambaError('UNSUPPORTED_OP', `${op}: the minimal backend has no such op`);
        checkTensors(
          op,
          args.filter(Boolean),
          'minimal',
          (tensor) => tensor instanceof MinimalTensor && tensor.ledger === ledger,
        );
        return run(...args);
      };
    },
  }) as Ops;

  return {
    name: 'minimal',
    description: 'plain loops, one thread',
    ops: guarded,
    supports: (op, { dtype = 'f32', weight, complex } = {}) =>
      op in ops && dtype in ARRAYS && weight === undefined && !complex,
    tensor(data, shape, dtype = 'f32') {
      alive('tensor');
      checkUpload(data, shape, dtype, TYPES);
      return make(ARRAYS[dtype as 'f64'].from(data), shape, dtype);
    },
    zeros(shape, dtype = 'f32') {
      alive('zeros');
      checkZeros(shape, dtype, TYPES);
      return empty(shape, dtype);
    },
    scope(run) {
      alive('scope');
      return ledger.scope(run);
    },
    memory: () => ledger.memory(),
    async dispose() {
      disposed = true;
      ledger.clear();
    },
  };
}
