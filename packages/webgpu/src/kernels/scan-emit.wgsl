// use: scan scan-coefficients scan-quads
// Third dispatch: runs each chunk from the state that it starts from, and writes y: C h + D u, times silu(z).
// Design: see scan.wgsl and scan-chunk.wgsl. LAST, for a scan of one chunk: also writes the last state [B, D, N].
@group(0) @binding(0) var<storage, read> u: array<f32>;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read> z: array<f32>;
@group(0) @binding(6) var<storage, read> seq: array<i32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

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
    for (var t0 = start; t0 < end; t0 += TILE) {
      stage(k, t0, end, b, place.group, i);
      for (var s = 0u; s < TILE; s += 4u) {
        let t4 = t0 + s;
        if (t4 >= end) { break; }
        let row = b * p.length + t4;
        let rows = vec4<u32>(row, min(row + 1u, final_), min(row + 2u, final_), min(row + 3u, final_));
        let at = rows * D + d;
        let u4 = vec4f(u[at.x], u[at.y], u[at.z], u[at.w]);
        // Behind the end no time passes: the state stays, and nothing below has to ask.
        let inside = vec4<u32>(t4) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
        let raw = timeStep(vec4f(delta[at.x], delta[at.y], delta[at.z], delta[at.w]) + dBias);
        let dt4 = select(ZERO, raw, inside);
        var y4 = ZERO;
        for (var j = 0u; j < 4u; j++) {
          let t = t4 + j;
          let dt = dt4[j];
          var clear = false;
          if (has(SEQ)) {
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
            if (clear) { h = C4(ZERO, ZERO); }
            h = add(h, scaled(mul(coefficientB(t - t0, q), inputWeight(turn, e, dt)), u4[j]));
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
          if (has(GATE)) {
            let gate = rows * p.zStride + p.zOffset + d;
            y4 *= silu(vec4f(z[gate.x], z[gate.y], z[gate.z], z[gate.w]));
          }
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
