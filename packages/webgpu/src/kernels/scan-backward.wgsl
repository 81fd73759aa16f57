// use: scan scan-coefficients
// Gradients of the selective scan, chunk by chunk: the states come from the chunk's start (scan-chunk, scan-carry), the
// gradient that flows in from the chunks after it likewise (REVERSE). Inside a chunk of at most 64 tokens the states at every
// eighth token are kept, then, from the last eight tokens to the first, those between are computed again.
// Design: see scan.wgsl. Sums over channels (dB, dC) are added within the workgroup, token by token, in a fixed order, and
// written to scratch [token, workgroup, lane]; sums over tokens (dA, dD, ...) stay in registers and are written once a chunk
// [chunk, item, channel]: the next kernels add those up. Nothing is atomic. 8 KiB + 2 tiles of workgroup memory.
// `g` brings dy (without the gate) and leaves with ddelta.
const HAS_SKIP: bool = false;
const SUB: u32 = 8u;
const SUBS: u32 = 8u;
@group(0) @binding(0) var<storage, read> u: array<f32>;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(6) var<storage, read> seq: array<i32>;
@group(0) @binding(7) var<storage, read_write> du: array<f32>;
const FROM_C: u32 = select(Q * PARTS, 0u, B_CONSTANT); // first quad of dC in what the workgroup adds
const SHARED: u32 = FROM_C + select(Q * PARTS, 0u, C_CONSTANT);
const OWN_B: u32 = LANES; // first item of dB, dC in what a thread keeps of a block
const OWN_C: u32 = OWN_B + select(0u, LANES, B_CONSTANT);
const OWN: u32 = OWN_C + select(0u, LANES, C_CONSTANT);
const SUMMED: u32 = max(SHARED, 1u);
const HELD: u32 = select(1u, SUB * SUBS, BLOCKS > 1u);
var<workgroup> adder: array<vec4f, SUMMED * WG>;

fn isClear(b: u32, t: u32) -> bool {
  if (!HAS_SEQ || t == 0u) { return false; }
  return seq[b * p.length + t] != seq[b * p.length + t - 1u];
}

fn advance(h: C4, a: C4, b: C4, dt: f32, u: f32, clear: bool) -> C4 {
  let turn = scaled(a, dt);
  let e = expOf(turn);
  var next = mul(e, h);
  if (clear) { next = C4(ZERO, ZERO); }
  return add(next, scaled(mul(b, inputWeight(turn, e, dt)), u));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) i: u32) {
  let place = placeOf(w.x, i, p);
  let d = place.channel;
  let b = p.first + w.z;
  let D = p.channels;
  let start = w.y * p.chunk;
  let end = min(start + p.chunk, p.length);
  let chunk = w.z * p.chunks + w.y;
  let packed = p.packedAt + BLOCKS * LANES * D + d;
  var dBias = 0.0;
  var through = 0.0;
  if (HAS_BIAS) { dBias = scratch[packed]; }
  if (HAS_SKIP) { through = scratch[packed + D]; }
  var heldU: array<f32, HELD>;
  var heldDt: array<f32, HELD>;
  var sumSkip = 0.0;
  var sumBias = 0.0;
  let items = BLOCKS * OWN + 2u;

  for (var k = 0u; k < BLOCKS; k++) {
    var aR: array<vec4f, Q>;
    var aI: array<vec4f, IMS>;
    var hR: array<vec4f, Q>;
    var hI: array<vec4f, IMS>;
    var qR: array<vec4f, Q>; // what flows to the token before
    var qI: array<vec4f, IMS>;
    var dA: array<C4, Q>;
    var dOwnB: array<C4, Q>;
    var dOwnC: array<C4, Q>;
    var keptR: array<vec4f, SUBS * Q>;
    var keptI: array<vec4f, SUBS * IMS>;
    takeOwn(k, d);
    let atA = p.packedAt + k * LANES * D + d;
    let atH = p.statesAt + (chunk * BLOCKS + k) * LANES * D + d;
    let atQ = p.reverseAt + (chunk * BLOCKS + k) * LANES * D + d;
    for (var q = 0u; q < Q; q++) {
      for (var j = 0u; j < 4u; j++) {
        aR[q][j] = scratch[atA + (4u * q + j) * D];
        hR[q][j] = scratch[atH + (4u * q + j) * D];
        qR[q][j] = scratch[atQ + (4u * q + j) * D];
        if (COMPLEX) {
          aI[q][j] = scratch[atA + (4u * (Q + q) + j) * D];
          hI[q][j] = scratch[atH + (4u * (Q + q) + j) * D];
          qI[q][j] = scratch[atQ + (4u * (Q + q) + j) * D];
        }
      }
    }

    for (var sub = 0u; sub < SUBS; sub++) {
      let t0 = start + sub * SUB;
      if (t0 >= end) { break; }
      stage(k, t0, end, b, place.group, i);
      for (var q = 0u; q < Q; q++) {
        keptR[sub * Q + q] = hR[q];
        if (COMPLEX) { keptI[sub * Q + q] = hI[q]; }
      }
      for (var t = t0; t < min(t0 + SUB, end); t++) {
        let at = (b * p.length + t) * D + d;
        let dt = timeStep(vec4f(delta[at] + dBias)).x;
        let clear = isClear(b, t);
        for (var q = 0u; q < Q; q++) {
          var h = C4(hR[q], ZERO);
          var a = C4(aR[q], ZERO);
          if (COMPLEX) { h.im = hI[q]; a.im = aI[q]; }
          h = advance(h, a, coefficientB(t - t0, q), dt, u[at], clear);
          hR[q] = h.re;
          if (COMPLEX) { hI[q] = h.im; }
        }
      }
    }

    for (var back = 0u; back < SUBS; back++) {
      let sub = SUBS - 1u - back;
      let t0 = start + sub * SUB;
      if (t0 >= end) { continue; }
      stage(k, t0, end, b, place.group, i);
      var beforeR: array<vec4f, SUB * Q>;
      var beforeI: array<vec4f, SUB * IMS>;
      for (var q = 0u; q < Q; q++) {
        beforeR[q] = keptR[sub * Q + q];
        if (COMPLEX) { beforeI[q] = keptI[sub * Q + q]; }
      }
      for (var j = 0u; j + 1u < SUB; j++) {
        let t = t0 + j;
        if (t + 1u >= end) { break; }
        let at = (b * p.length + t) * D + d;
        let dt = timeStep(vec4f(delta[at] + dBias)).x;
        let clear = isClear(b, t);
        for (var q = 0u; q < Q; q++) {
          var h = C4(beforeR[j * Q + q], ZERO);
          var a = C4(aR[q], ZERO);
          if (COMPLEX) { h.im = beforeI[j * Q + q]; a.im = aI[q]; }
          h = advance(h, a, coefficientB(j, q), dt, u[at], clear);
          beforeR[(j + 1u) * Q + q] = h.re;
          if (COMPLEX) { beforeI[(j + 1u) * Q + q] = h.im; }
        }
      }

      for (var step = 0u; step < SUB; step++) {
        let j = SUB - 1u - step;
        let t = t0 + j;
        if (t >= end) { continue; }
        let at = (b * p.length + t) * D + d;
        let raw = delta[at] + dBias;
        let dt = timeStep(vec4f(raw)).x;
        var input = u[at];
        var dy = g[at];
        if (!place.live) { input = 0.0; dy = 0.0; }
        let clear = isClear(b, t);
        var dInput = ZERO;
        var dDt = ZERO;
        workgroupBarrier();
        for (var q = 0u; q < Q; q++) {
          var before = C4(beforeR[j * Q + q], ZERO);
          var a = C4(aR[q], ZERO);
          var flow = C4(qR[q], ZERO);
          if (COMPLEX) { before.im = beforeI[j * Q + q]; a.im = aI[q]; flow.im = qI[q]; }
          let Bt = coefficientB(j, q);
          let Ct = coefficientC(j, q);
          let turn = scaled(a, dt);
          let e = expOf(turn);
          let weight = inputWeight(turn, e, dt);
          let fed = mul(weight, Bt);
          var kept = mul(e, before);
          if (clear) { kept = C4(ZERO, ZERO); }
          let h = add(kept, scaled(fed, input));
          let dh = add(flow, scaled(conj(Ct), dy * f32(PARTS)));
          let dB = scaled(mul(dh, conj(weight)), input);
          let dC = scaled(conj(h), dy * f32(PARTS));
          dInput += inner(dh, fed);
          dDt += inner(dh, mul(a, kept));
          dA[q] = add(dA[q], scaled(mul(dh, conj(kept)), dt));
          if (ZOH) {
            dDt += inner(dh, mul(e, Bt)) * input;
            let slope = scaled(phiSlope(turn, e), dt * dt * input);
            dA[q] = add(dA[q], mul(dh, conj(mul(slope, Bt))));
          } else {
            dDt += inner(dh, Bt) * input;
          }
          flow = mul(conj(e), dh);
          if (clear) { flow = C4(ZERO, ZERO); }
          qR[q] = flow.re;
          if (COMPLEX) { qI[q] = flow.im; }
          if (B_CONSTANT) {
            dOwnB[q] = add(dOwnB[q], dB);
          } else {
            adder[q * WG + i] = dB.re;
            if (COMPLEX) { adder[(Q + q) * WG + i] = dB.im; }
          }
          if (C_CONSTANT) {
            dOwnC[q] = add(dOwnC[q], dC);
          } else {
            adder[(FROM_C + q) * WG + i] = dC.re;
            if (COMPLEX) { adder[(FROM_C + Q + q) * WG + i] = dC.im; }
          }
        }
        if (SHARED > 0u) {
          // 64 threads' values: eight by eight, then the eight sums.
          workgroupBarrier();
          for (var s = i; s < SHARED * 8u; s += WG) {
            var sum = ZERO;
            for (var m = 0u; m < 8u; m++) { sum += adder[s * 8u + m]; }
            adder[s * 8u] = sum;
          }
          workgroupBarrier();
          if (i < SHARED) {
            var sum = ZERO;
            for (var m = 0u; m < 8u; m++) { sum += adder[i * WG + m * 8u]; }
            let to = p.sharedAt + (((w.z * p.length + t) * groups.x + w.x) * BLOCKS + k) * SHARED * 4u + 4u * i;
            for (var m = 0u; m < 4u; m++) { scratch[to + m] = sum[m]; }
          }
        }
        var total = dot(dInput, vec4f(1.0));
        var slope = dot(dDt, vec4f(1.0));
        if (BLOCKS > 1u) {
          total += heldU[t - start];
          slope += heldDt[t - start];
          heldU[t - start] = total;
          heldDt[t - start] = slope;
        }
        if (k + 1u == BLOCKS && place.live) {
          if (HAS_SKIP) { total += through * dy; }
          if (SOFTPLUS && raw <= 20.0) { slope *= sigmoid(vec4f(raw)).x; }
          du[at] = total;
          g[at] = slope;
          sumSkip += dy * input;
          sumBias += slope;
        }
      }
    }

    if (place.live) {
      let own = p.ownAt + (chunk * items + k * OWN) * D + d;
      for (var q = 0u; q < Q; q++) {
        for (var j = 0u; j < 4u; j++) {
          let lane = 4u * q + j;
          scratch[own + lane * D] = dA[q].re[j];
          if (B_CONSTANT) { scratch[own + (OWN_B + lane) * D] = dOwnB[q].re[j]; }
          if (C_CONSTANT) { scratch[own + (OWN_C + lane) * D] = dOwnC[q].re[j]; }
          if (COMPLEX) {
            scratch[own + (4u * Q + lane) * D] = dA[q].im[j];
            if (B_CONSTANT) { scratch[own + (OWN_B + 4u * Q + lane) * D] = dOwnB[q].im[j]; }
            if (C_CONSTANT) { scratch[own + (OWN_C + 4u * Q + lane) * D] = dOwnC[q].im[j]; }
          }
        }
      }
    }
  }
  if (place.live) {
    let at = p.ownAt + (chunk * items + BLOCKS * OWN) * D + d;
    scratch[at] = sumSkip;
    scratch[at + D] = sumBias;
  }
}
