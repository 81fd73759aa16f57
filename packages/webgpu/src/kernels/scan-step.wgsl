// use: complex
// One token of the selective scan; the state [B, D, N] changes in place. A thread is a channel of a batch row.
// The [D] vectors are uniform buffers: eight storage buffers are all that every device has.
// scan-step-real.wgsl or scan-step-complex.wgsl goes in front: the fifth buffer is the gate, or the state's imaginary part (then
// the caller gates).
const ZOH: bool = false;
const SOFTPLUS: bool = true;
const HAS_BIAS: bool = true;
const HAS_SKIP: bool = true;
const HAS_Z: bool = true;
const BIAS: u32 = 1u; // quads of channels
const SKIP: u32 = 1u;
const NONE: u32 = 0xffffffffu;
struct Params {
  channels: u32, states: u32, uOffset: u32, uStride: u32, deltaOffset: u32, deltaStride: u32, zOffset: u32, zStride: u32,
  bOffset: u32, bBatch: u32, bChannel: u32, bSize: u32, bIm: u32, // bSize: channels that share a row
  cOffset: u32, cBatch: u32, cChannel: u32, cSize: u32, cIm: u32,
}
@group(0) @binding(0) var<storage, read> u: array<f32>;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(2) var<storage, read> A: array<f32>; // [D, N], and the imaginary part behind it
@group(0) @binding(3) var<storage, read> B: array<f32>;
@group(0) @binding(4) var<storage, read> C: array<f32>;
@group(0) @binding(6) var<storage, read_write> state: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<uniform> bias: array<vec4f, BIAS>;
@group(0) @binding(9) var<uniform> skip: array<vec4f, SKIP>;
@group(0) @binding(10) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * 64u + i;
  let b = w.y;
  if (d >= p.channels) { return; }
  let input = u[p.uOffset + b * p.uStride + d];
  var raw = delta[p.deltaOffset + b * p.deltaStride + d];
  if (HAS_BIAS) { raw += bias[d / 4u][d % 4u]; }
  var dt = raw;
  if (SOFTPLUS) { dt = softplus(vec4f(raw)).x; }
  let atB = p.bOffset + b * p.bBatch + d / p.bSize * p.bChannel;
  let atC = p.cOffset + b * p.cBatch + d / p.cSize * p.cChannel;
  let count = p.channels * p.states;
  var sum = ZERO;
  for (var n0 = 0u; n0 < p.states; n0 += 4u) {
    var a = C4(ZERO, ZERO);
    var h = C4(ZERO, ZERO);
    var Bt = C4(ZERO, ZERO);
    var Ct = C4(ZERO, ZERO);
    for (var j = 0u; j < 4u; j++) {
      let n = n0 + j;
      if (n >= p.states) { break; }
      let at = d * p.states + n;
      a.re[j] = max(A[at], -1e30);
      h.re[j] = state[b * count + at];
      Bt.re[j] = B[atB + n];
      Ct.re[j] = C[atC + n];
      if (COMPLEX) {
        a.im[j] = A[count + at];
        h.im[j] = stateIm(b * count + at);
        if (p.bIm != NONE) { Bt.im[j] = B[atB + p.bIm + n]; }
        if (p.cIm != NONE) { Ct.im[j] = C[atC + p.cIm + n]; }
      }
    }
    let turn = scaled(a, dt);
    let e = expOf(turn);
    var fed = scaled(Bt, dt);
    if (ZOH) { fed = scaled(mul(phi(turn, e), Bt), dt); }
    h = add(decayed(h, turn, e), scaled(fed, input));
    sum += inner(Ct, conj(h));
    for (var j = 0u; j < 4u; j++) {
      let n = n0 + j;
      if (n >= p.states) { break; }
      state[b * count + d * p.states + n] = h.re[j];
      if (COMPLEX) { setStateIm(b * count + d * p.states + n, h.im[j]); }
    }
  }
  var out = dot(sum, vec4f(select(1.0, 2.0, COMPLEX)));
  if (HAS_SKIP) { out += skip[d / 4u][d % 4u] * input; }
  if (HAS_Z) { out *= silu(vec4f(gateAt(p.zOffset + b * p.zStride + d))).x; }
  y[b * p.channels + d] = out;
}
