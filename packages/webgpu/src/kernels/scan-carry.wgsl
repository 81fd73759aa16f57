// use: scan
// Second dispatch: walks the chunks. Each chunk's own end state becomes the state that it starts from; after the last comes the
// last state. BACK: from the last chunk to the first, with conjugate decays; after the first comes the gradient of the
// initial state. A thread is one state of a channel; sixteen chunks are read ahead, as only the additions depend on each other.
@group(0) @binding(0) var<storage, read> fromRe: array<f32>;
@group(0) @binding(1) var<storage, read> fromIm: array<f32>;
@group(0) @binding(2) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(3) var<storage, read_write> toRe: array<f32>;
@group(0) @binding(4) var<storage, read_write> toIm: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;
const AHEAD: u32 = 16u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let d = w.x * WG + i;
  let n = w.y;
  let D = p.channels;
  if (d >= D) { return; }
  let lanes = p.blocks * p.width * PARTS;
  let lane = n / p.width * p.width * PARTS + n % p.width;
  let im = p.width * D;
  let own = ((p.first + w.z) * D + d) * p.states + n;
  let packed = p.packedAt + lane * D + d;
  var a = C4(vec4f(max(scratch[packed], -1e30)), ZERO);
  if (COMPLEX) { a.im = vec4f(scratch[packed + im]); }
  if (has(BACK)) { a = conj(a); }
  var h = C4(ZERO, ZERO);
  if (has(STATE) && n < p.states) {
    h.re = vec4f(fromRe[own]);
    if (COMPLEX) { h.im = vec4f(fromIm[own]); }
  }
  let base = select(p.statesAt, p.reverseAt, has(BACK));
  for (var c0 = 0u; c0 < p.chunks; c0 += AHEAD) {
    var ends: array<vec2f, AHEAD>;
    var sums: array<f32, AHEAD>;
    for (var j = 0u; j < AHEAD; j++) {
      let step = min(c0 + j, p.chunks - 1u);
      let chunk = w.z * p.chunks + select(step, p.chunks - 1u - step, has(BACK));
      let at = base + (chunk * lanes + lane) * D + d;
      ends[j].x = scratch[at];
      if (COMPLEX) { ends[j].y = scratch[at + im]; }
      sums[j] = scratch[p.sumsAt + chunk * D + d];
    }
    for (var j = 0u; j < AHEAD; j++) {
      if (c0 + j >= p.chunks) { break; }
      let step = c0 + j;
      let chunk = w.z * p.chunks + select(step, p.chunks - 1u - step, has(BACK));
      let at = base + (chunk * lanes + lane) * D + d;
      scratch[at] = h.re.x;
      if (COMPLEX) { scratch[at + im] = h.im.x; }
      let passes = expOf(scaled(a, select(sums[j], 0.0, sums[j] == RESET)));
      if (sums[j] == RESET) { h = C4(ZERO, ZERO); }
      h = add(mul(passes, h), C4(vec4f(ends[j].x), vec4f(ends[j].y)));
    }
  }
  if (n < p.states) {
    toRe[own] = h.re.x;
    if (COMPLEX) { toIm[own] = h.im.x; }
  }
}
