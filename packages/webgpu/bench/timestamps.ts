/** The time that the GPU itself spends on each kernel, by timestamp queries. */

export interface KernelTime {
  /** The variant, as `onDispatch` shows it. */
  readonly label: string;
  readonly microseconds: number;
}

/** Two a kernel. */
const QUERIES = 4096;

/**
 * A device whose compute passes are cut into one a dispatch while `profile` runs, each between two timestamps; that adds some
 * microseconds to each. `span` is the time from the first kernel's start to the last one's end, in passes as they are, in
 * microseconds. `onDispatch` must be given to the backend. Undefined where the adapter has no timestamps.
 */
export async function timedDevice(gpu: GPU): Promise<
  | {
      device: GPUDevice;
      onDispatch: (info: { label: string }) => void;
      profile: (run: () => Promise<unknown>) => Promise<KernelTime[]>;
      span: (run: () => Promise<unknown>) => Promise<number>;
    }
  | undefined
> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter?.features.has('timestamp-query')) return undefined;
  const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: [
      'timestamp-query',
      ...(adapter.features.has('subgroups') ? ['subgroups' as const] : []),
    ],
    requiredLimits: { maxStorageBufferBindingSize, maxBufferSize },
  });
  const querySet = device.createQuerySet({ type: 'timestamp', count: QUERIES });
  const resolved = device.createBuffer({
    size: 8 * QUERIES,
    usage: 0x200 | 0x4 /* QUERY_RESOLVE, COPY_SRC */,
  });
  const staging = device.createBuffer({ size: 8 * QUERIES, usage: 0x1 | 0x8 /* MAP_READ, COPY_DST */ });
  let labels: string[] | undefined;
  /** Passes while `span` runs. */
  let passes: number | undefined;

  const create = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = create(descriptor);
    if (labels) {
      const begin = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = () => cut(begin);
    } else if (passes !== undefined) {
      const begin = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = () => {
        const at = 2 * passes!++;
        return begin({
          timestampWrites: { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 },
        });
      };
    }
    return encoder;
  };

  /** Looks like a pass; each dispatch is one of its own. */
  function cut(
    begin: (descriptor: GPUComputePassDescriptor) => GPUComputePassEncoder,
  ): GPUComputePassEncoder {
    let pipeline: GPUComputePipeline;
    let group: GPUBindGroup;
    return {
      setPipeline: (given: GPUComputePipeline) => {
        pipeline = given;
      },
      setBindGroup: (_: number, given: GPUBindGroup) => {
        group = given;
      },
      dispatchWorkgroups: (x: number, y?: number, z?: number) => {
        const at = 2 * labels!.length;
        const timed = at + 2 <= QUERIES;
        const pass = begin(
          timed
            ? { timestampWrites: { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 } }
            : {},
        );
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(x, y, z);
        pass.end();
      },
      end: () => {},
    } as unknown as GPUComputePassEncoder;
  }

  async function read(count: number): Promise<BigUint64Array> {
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 8 * count);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const times = new BigUint64Array(staging.getMappedRange().slice(0));
    staging.unmap();
    return times;
  }

  return {
    device,
    onDispatch: ({ label }) => void labels?.push(label),
    async profile(run) {
      labels = [];
      await run();
      await device.queue.onSubmittedWorkDone();
      const found = labels.slice(0, QUERIES / 2);
      labels = undefined;
      const times = await read(2 * found.length);
      return found.map((label, i) => ({
        label,
        microseconds: Number(times[2 * i + 1]! - times[2 * i]!) / 1000,
      }));
    },
    async span(run) {
      passes = 0;
      await run();
      await device.queue.onSubmittedWorkDone();
      const count = 2 * passes;
      passes = undefined;
      const times = await read(count);
      return Number(times[count - 1]! - times[0]!) / 1000;
    },
  };
}

/** Sums by kernel, the longest first. */
export function byKernel(
  times: readonly KernelTime[],
): { kernel: string; count: number; microseconds: number }[] {
  const sums = new Map<string, { kernel: string; count: number; microseconds: number }>();
  for (const { label, microseconds } of times) {
    const sum = sums.get(label) ?? { kernel: label, count: 0, microseconds: 0 };
    sums.set(label, { ...sum, count: sum.count + 1, microseconds: sum.microseconds + microseconds });
  }
  return [...sums.values()].sort((a, b) => b.microseconds - a.microseconds);
}
