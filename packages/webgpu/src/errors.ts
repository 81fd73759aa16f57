import { MambaError } from '@mamba-ts/backend';

/**
 * WebGPU reports errors when nobody is listening: after the call that caused them. They are kept here and thrown by the
 * next call or read.
 */
export class DeviceErrors {
  #pending: MambaError | undefined;
  /** Allocations that the device has not answered for yet, and what it complained about meanwhile. */
  #unanswered = 0;
  #consequence: MambaError | undefined;
  /** Set for good when the device went away or the backend was disposed. */
  #end: MambaError | undefined;
  readonly #lost: Promise<unknown>;

  constructor(device: GPUDevice) {
    device.addEventListener('uncapturederror', (event) => {
      const error = describe((event as GPUUncapturedErrorEvent).error);
      // A buffer that could not be made makes everything around it invalid: its own error says more, and is on its way.
      if (this.#unanswered > 0) this.#consequence ??= error;
      else this.report(error);
    });
    this.#lost = device.lost.then(({ reason, message }) => {
      this.#end ??= new MambaError(
        'DEVICE_LOST',
        `The GPU device was lost (${reason}: ${message}). Its tensors and states are gone: create a new backend, load the model there and go on from the state saved last`,
        { details: { reason } },
      );
    });
  }

  /** Watches an error scope around an allocation. */
  async watch(scope: Promise<GPUError | null>, failed: (error: GPUError) => MambaError): Promise<void> {
    this.#unanswered++;
    // Rejected when the device is lost, which is reported elsewhere.
    const error = await scope.catch(() => null);
    this.#unanswered--;
    if (error) this.report(failed(error));
    if (this.#unanswered === 0 && this.#consequence) {
      this.report(this.#consequence);
      this.#consequence = undefined;
    }
  }

  /** The first is kept: those that follow are its consequences. */
  report(error: MambaError): void {
    this.#pending ??= error;
  }

  /** From here on every call throws `DISPOSED`. */
  close(): void {
    this.#end ??= new MambaError(
      'DISPOSED',
      'This WebGPU backend was disposed. Create another with createWebgpuBackend',
    );
  }

  /** Throws what went wrong, once; a lost device and a disposed backend for ever. */
  check(): void {
    if (this.#end) throw this.#end;
    const error = this.#pending;
    if (error) {
      this.#pending = undefined;
      throw error;
    }
  }

  /** Why a promise of the device was rejected. */
  async explain(cause: unknown): Promise<never> {
    // Mapping fails just before the loss is announced.
    await Promise.race([this.#lost, new Promise((resolve) => setTimeout(resolve, 1000))]);
    this.check();
    throw new MambaError('DEVICE_LOST', `Reading from the GPU failed: ${String(cause)}`, { cause });
  }
}

function describe(error: GPUError): MambaError {
  // By name: in Node the class is not global.
  if (error.constructor.name === 'GPUOutOfMemoryError') {
    return new MambaError('OUT_OF_MEMORY', `The device is out of memory: ${error.message}`, { cause: error });
  }
  return new MambaError(
    'UNSUPPORTED_DEVICE',
    `The device or its driver refused a command: ${error.message.slice(0, 400)}. Results since the last read are lost`,
    { cause: error },
  );
}
