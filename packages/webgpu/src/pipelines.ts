import { KERNELS } from './kernels.generated.js';

export type KernelName = keyof typeof KERNELS;
export type Constants = Readonly<Record<string, number | boolean>>;

/** A kernel with its constants set. */
export interface Pipeline {
  /** `scan-emit Q=4 HAS_Z=true`: what profilers and error messages show. */
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: BindLayout;
}

export interface BindLayout {
  readonly id: number;
  readonly gpu: GPUBindGroupLayout;
  /** By binding number: read, written, uniform, or not declared. */
  readonly kinds: readonly (BindKind | undefined)[];
}

export type BindKind = 'read' | 'write' | 'uniform';

/** Sets `const NAME: T = ...;` declarations of a kernel to other values. */
export function specialise(name: string, source: string, constants: Constants): string {
  let code = source;
  for (const [constant, value] of Object.entries(constants)) {
    const declaration = new RegExp(`const ${constant}:(\\w+)=[^;]*;`);
    const type = declaration.exec(code)?.[1];
    if (type === undefined) throw new Error(`kernel ${name} has no constant ${constant}`);
    code = code.replace(declaration, `const ${constant}:${type}=${value}${type === 'u32' ? 'u' : ''};`);
  }
  return code;
}

/** What a kernel's source declares, by binding number. */
export function bindingsOf(code: string): (BindKind | undefined)[] {
  const kinds: (BindKind | undefined)[] = [];
  for (const [, index, space] of code.matchAll(/@binding\((\d+)\)var<([\w,]+)>/g)) {
    kinds[Number(index)] = space === 'uniform' ? 'uniform' : space === 'storage,read' ? 'read' : 'write';
  }
  return kinds;
}

/**
 * Pipelines by variant, bind group layouts by what is bound. Layouts are explicit: `auto` drops what a variant does not
 * use, and then no bind group would fit two variants.
 */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #layouts = new Map<string, BindLayout>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get count(): number {
    return this.#pipelines.size;
  }

  /** `snippets` are kernel files without an entry point, put in front. */
  get(name: KernelName, constants: Constants = {}, snippets: readonly KernelName[] = []): Pipeline {
    let label: string = name;
    for (const snippet of snippets) label += ` ${snippet}`;
    for (const constant in constants) label += ` ${constant}=${constants[constant]}`;
    let found = this.#pipelines.get(label);
    if (!found) {
      found = this.#compile(label, name, constants, snippets);
      this.#pipelines.set(label, found);
    }
    return found;
  }

  #compile(label: string, name: KernelName, constants: Constants, snippets: readonly KernelName[]): Pipeline {
    const source = snippets.map((snippet) => KERNELS[snippet]).join('') + KERNELS[name];
    const code = specialise(name, source, constants);
    const layout = this.#layout(bindingsOf(code));
    const pipeline = this.#device.createComputePipeline({
      label,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout.gpu] }),
      compute: { module: this.#device.createShaderModule({ code }) },
    });
    return { label, pipeline, layout };
  }

  #layout(kinds: (BindKind | undefined)[]): BindLayout {
    const key = kinds.map((kind) => kind ?? '').join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      const types = { read: 'read-only-storage', write: 'storage', uniform: 'uniform' } as const;
      const entries = kinds.flatMap((kind, binding) =>
        kind ? [{ binding, visibility: 4 /* COMPUTE */, buffer: { type: types[kind] } }] : [],
      );
      const gpu = this.#device.createBindGroupLayout({ entries });
      layout = { id: this.#layouts.size, gpu, kinds };
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}
