// For step-in.wgsl. Threads read different places at once, which uniform buffers of many GPUs serve one after another.
@group(0) @binding(8) var<storage, read> norm: array<vec4f>;
