// For step-in.wgsl, where eight storage buffers are in use.
const NORM: u32 = 1u; // quads of inputs
@group(0) @binding(8) var<uniform> norm: array<vec4f, NORM>;
