// use: scan scan-coefficients scan-quads
// Third dispatch: runs each chunk from the state that it starts from, and writes y: C h + D u, times silu(z).
// Design: see scan.wgsl and scan-chunk.wgsl. What the next four tokens and the next tile need is read before these are computed.
// LAST, for a scan of one chunk: also writes the last state [B, D, N].
const PACKED: bool = false; // there are sequence indices
@group(0) @binding(0) var<storage, read> u: array<f32>;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read> z: array<f32>;
@group(0) @binding(6) var<storage, read> seq: array<i32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

fn u4At(at: vec4u) -> vec4f {
  return vec4f(u[at.x], u[at.y], u[at.z], u[at.w]);
}

fn delta4At(at: vec4u) -> vec4f {
  return vec4f(delta[at.x], delta[at.y], delta[at.z], delta[at.w]);
}

fn z4At(at: vec4u) -> vec4f {
  return vec4f(z[at.x], z[at.y], z[at.z], z[at.w]);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) i: u32) {
  let place = placeOf(w.x, i);
  let d = place.channel;
  let b = p.first + w.z;
  let D = p.channels;
  let start = w.y * p.chunk;
  let end = min(start + p.chunk, p.length);
  let final_ = b * p.length + end - 1u;
  let packed = p.packedAt + p.blocks * LANES * D + d;
  var dBias = 0.0;
  var through = 0.0;
  if (has(BIAS)) { dBias = scratch[packed]; }
  if (has(SKIP)) { through = scratch[packed + D]; }

  for (var k = 0u; k < p.blocks; k++) {
    var aR: array<vec4f, Q>;
    var aI: array<vec4f, IMS>;
    var hR: array<vec4f, Q>;
    var hI: array<vec4f, IMS>;
    takeOwn(k, d);
    let atA = p.packedAt + k * LANES * D + d;
    let atH = p.statesAt + ((w.z * p.chunks + w.y) * p.blocks + k) * LANES * D + d;
    for (var q = 0u; q < Q; q++) {
      aR[q] = held(quadAt(atA, q));
      hR[q] = quadAt(atH, q);
      if (COMPLEX) {
        aI[q] = quadAt(atA, Q + q);
        hI[q] = quadAt(atH, Q + q);
      }
    }
    let gates = has(GATE) && k + 1u == p.blocks;
    let offsets = vec4u(0u, 1u, 2u, 3u);
    var rows = min(vec4u(b * p.length + start) + offsets, vec4u(final_));
    var uNext = u4At(rows * D + d);
    var deltaNext = delta4At(rows * D + d);
    var zNext = ZERO;
    if (gates) { zNext = z4At(rows * p.zStride + p.zOffset + d); }
    fetch(k, start, end, b, place.group, i);
    for (var t0 = start; t0 < end; t0 += TILE) {
      stage(i);
      fetch(k, t0 + TILE, end, b, place.group, i);
      for (var s = 0u; s < TILE; s += 4u) {
        let t4 = t0 + s;
        if (t4 >= end) { break; }
        let at = rows * D + d;
        let u4 = uNext;
        let z4 = zNext;
        // Behind the end no time passes: the state stays, and nothing below has to ask.
        let dt4 = select(ZERO, timeStep(deltaNext + dBias), vec4u(t4) + offsets < vec4u(end));
        let dtu4 = dt4 * u4;
        rows = min(vec4u(b * p.length + t4 + 4u) + offsets, vec4u(final_));
        uNext = u4At(rows * D + d);
        deltaNext = delta4At(rows * D + d);
        if (gates) { zNext = z4At(rows * p.zStride + p.zOffset + d); }
        var y4 = ZERO;
        for (var j = 0u; j < 4u; j++) {
          let t = t4 + j;
          let dt = dt4[j];
          var clear = false;
          if (PACKED) {
            if (t > 0u && t < end) { clear = seq[b * p.length + t] != seq[b * p.length + t - 1u]; }
          }
          var sum = ZERO;
          for (var q = 0u; q < Q; q++) {
            var a = C4(aR[q], ZERO);
            var h = C4(hR[q], ZERO);
            if (COMPLEX) { a.im = aI[q]; h.im = hI[q]; }
            let turn = scaled(a, dt);
            let e = decayOf(turn);
            h = decayed(h, turn, e);
            if (PACKED && clear) { h = C4(ZERO, ZERO); }
            h = add(h, fed(coefficientB(t - t0, q), turn, e, dtu4[j]));
            sum += inner(coefficientC(t - t0, q), conj(h));
            hR[q] = h.re;
            if (COMPLEX) { hI[q] = h.im; }
          }
          y4[j] = dot(sum, vec4f(f32(PARTS)));
        }
        if (!place.live) { continue; }
        if (k > 0u) { y4 += vec4f(y[at.x], y[at.y], y[at.z], y[at.w]); }
        if (k + 1u == p.blocks) {
          if (has(SKIP)) { y4 += through * u4; }
          if (gates) { y4 *= silu(z4); }
        }
        for (var j = 0u; j < 4u; j++) {
          if (t4 + j < end) { y[at[j]] = y4[j]; }
        }
      }
    }
    if (has(LAST) && place.live) {
      for (var n = 0u; n < 4u * Q; n++) {
        let state = 4u * k * Q + n;
        if (state < p.states) { scratch[p.lastAt + (b * D + d) * p.states + state] = hR[n / 4u][n % 4u]; }
      }
    }
  }
}
