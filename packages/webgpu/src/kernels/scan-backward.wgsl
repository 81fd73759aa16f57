// use: scan scan-coefficients scan-quads
// Gradients of the selective scan, chunk by chunk: the states come from the chunk's start (scan-chunk, scan-carry), the
// gradient that flows in from the chunks after it likewise (REVERSE). Inside a chunk of at most 64 tokens the states at every
// eighth token are kept, then, from the last eight tokens to the first, those between are computed again.
// Design: see scan.wgsl. Sums over channels (dB, dC) are added within the workgroup, token by token, in a fixed order, and
// written to scratch [token, workgroup, lane]; sums over tokens (dA, dD, ...) stay in registers and are written once a chunk
// [chunk, item, channel]: the next kernels add those up. Nothing is atomic. 8 KiB + 2 tiles of workgroup memory.
// `g` brings dy (without the gate) and leaves with ddelta.
const SUB: u32 = 8u;
const SUBS: u32 = 8u;
@group(0) @binding(0) var<storage, read> u: array<f32>;
@group(0) @binding(1) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> g: array<f32>;
@group(0) @binding(6) var<storage, read> seq: array<i32>;
@group(0) @binding(7) var<storage, read_write> du: array<f32>;
const FROM_C: u32 = select(Q * PARTS, 0u, B_CONSTANT); // first quad of dC in what the workgroup adds
const SHARED: u32 = FROM_C + select(Q * PARTS, 0u, C_CONSTANT);
const OWN_B: u32 = LANES; // first item of dB, dC in what a thread keeps of a block
const OWN_C: u32 = OWN_B + select(0u, LANES, B_CONSTANT);
const OWN: u32 = OWN_C + select(0u, LANES, C_CONSTANT);
const SUMMED: u32 = max(SHARED, 1u);
var<workgroup> adder: array<vec4f, SUMMED * WG>;

fn isClear(b: u32, t: u32) -> bool {
  if (!has(SEQ) || t == 0u) { return false; }
  return seq[b * p.length + t] != seq[b * p.length + t - 1u];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) i: u32) {
  let place = placeOf(w.x, i);
  let d = place.channel;
  let b = p.first + w.z;
  let D = p.channels;
  let start = w.y * p.chunk;
  let end = min(start + p.chunk, p.length);
  let subs = (end - start + SUB - 1u) / SUB;
  let chunk = w.z * p.chunks + w.y;
  let packed = p.packedAt + p.blocks * LANES * D + d;
  var dBias = 0.0;
  var through = 0.0;
  if (has(BIAS)) { dBias = scratch[packed]; }
  if (has(SKIP)) { through = scratch[packed + D]; }
  var sumSkip = 0.0;
  var sumBias = 0.0;
  let items = p.blocks * OWN + 2u;

  for (var k = 0u; k < p.blocks; k++) {
    var aR: array<vec4f, Q>;
    var aI: array<vec4f, IMS>;
    var hR: array<vec4f, Q>;
    var hI: array<vec4f, IMS>;
    var qR: array<vec4f, Q>; // what flows to the token before
    var qI: array<vec4f, IMS>;
    var dA = array<C4, Q>();
    var dOwnB = array<C4, Q>();
    var dOwnC = array<C4, Q>();
    var keptR: array<vec4f, SUBS * Q>; // before each eighth token
    var keptI: array<vec4f, SUBS * IMS>;
    takeOwn(k, d);
    let atA = p.packedAt + k * LANES * D + d;
    let atH = p.statesAt + (chunk * p.blocks + k) * LANES * D + d;
    let atQ = p.reverseAt + (chunk * p.blocks + k) * LANES * D + d;
    for (var q = 0u; q < Q; q++) {
      aR[q] = max(quadAt(atA, q), vec4f(-1e30));
      hR[q] = quadAt(atH, q);
      qR[q] = quadAt(atQ, q);
      if (COMPLEX) {
        aI[q] = quadAt(atA, Q + q);
        hI[q] = quadAt(atH, Q + q);
        qI[q] = quadAt(atQ, Q + q);
      }
    }

    // Round 0 runs through the chunk up to its last eight tokens; round r runs again through the r-th eight from the end, and
    // then back.
    for (var round = 0u; round <= subs; round++) {
      let sub = subs - round;
      let from_ = start + select(sub * SUB, 0u, round == 0u);
      let to_ = select(min(from_ + SUB, end), start + (subs - 1u) * SUB, round == 0u);
      var beforeR: array<vec4f, SUB * Q>;
      var beforeI: array<vec4f, SUB * IMS>;
      if (round > 0u) {
        for (var q = 0u; q < Q; q++) {
          hR[q] = keptR[sub * Q + q];
          if (COMPLEX) { hI[q] = keptI[sub * Q + q]; }
        }
      }
      for (var t = from_; t < to_; t++) {
        let j = (t - start) % SUB;
        if (j == 0u) {
          fetch(k, t, end, b, place.group, i);
          stage(i);
        }
        let at = (b * p.length + t) * D + d;
        let dt = timeStep(vec4f(delta[at] + dBias)).x;
        let input = u[at];
        let clear = isClear(b, t);
        for (var q = 0u; q < Q; q++) {
          var h = C4(hR[q], ZERO);
          var a = C4(aR[q], ZERO);
          if (COMPLEX) { h.im = hI[q]; a.im = aI[q]; }
          if (round > 0u) {
            beforeR[j * Q + q] = h.re;
            if (COMPLEX) { beforeI[j * Q + q] = h.im; }
          } else if (j == 0u) {
            keptR[(t - start) / SUB * Q + q] = h.re;
            if (COMPLEX) { keptI[(t - start) / SUB * Q + q] = h.im; }
          }
          let turn = scaled(a, dt);
          let e = expOf(turn);
          h = decayed(h, turn, e);
          if (clear) { h = C4(ZERO, ZERO); }
          h = add(h, scaled(mul(coefficientB(j, q), inputWeight(turn, e, dt)), input));
          hR[q] = h.re;
          if (COMPLEX) { hI[q] = h.im; }
        }
      }
      if (round == 0u) {
        for (var q = 0u; q < Q; q++) {
          keptR[(subs - 1u) * Q + q] = hR[q];
          if (COMPLEX) { keptI[(subs - 1u) * Q + q] = hI[q]; }
        }
        continue;
      }

      for (var t = to_ - 1u; t + 1u > from_; t--) {
        let j = t - from_;
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
          var kept = decayed(before, turn, e);
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
          flow = conj(decayed(conj(dh), turn, e));
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
            let to = p.sharedAt + (((w.z * p.length + t) * groups.x + w.x) * p.blocks + k) * SHARED * 4u + 4u * i;
            for (var m = 0u; m < 4u; m++) { scratch[to + m] = sum[m]; }
          }
        }
        if (place.live) {
          // Blocks before this one left their share: of du where it goes, of ddelta, where dy still is, beside.
          var total = dot(dInput, vec4f(1.0));
          var slope = dot(dDt, vec4f(1.0));
          let held = p.heldAt + (w.z * p.length + t) * D + d;
          if (k > 0u) {
            total += du[at];
            slope += scratch[held];
          }
          if (k + 1u < p.blocks) {
            scratch[held] = slope;
          } else {
            if (has(SKIP)) { total += through * dy; }
            if (has(SOFTPLUS) && raw <= 20.0) { slope *= sigmoid(vec4f(raw)).x; }
            g[at] = slope;
            sumSkip += dy * input;
            sumBias += slope;
          }
          du[at] = total;
        }
      }
    }

    if (place.live) {
      let own = p.ownAt + (chunk * items + k * OWN) * D + d;
      for (var q = 0u; q < Q; q++) {
        putQuad(own, q, dA[q].re);
        if (COMPLEX) { putQuad(own, Q + q, dA[q].im); }
        if (B_CONSTANT) {
          putQuad(own + OWN_B * D, q, dOwnB[q].re);
          if (COMPLEX) { putQuad(own + OWN_B * D, Q + q, dOwnB[q].im); }
        }
        if (C_CONSTANT) {
          putQuad(own + OWN_C * D, q, dOwnC[q].re);
          if (COMPLEX) { putQuad(own + OWN_C * D, Q + q, dOwnC[q].im); }
        }
      }
    }
  }
  if (place.live) {
    let at = p.ownAt + (chunk * items + p.blocks * OWN) * D + d;
    scratch[at] = sumSkip;
    scratch[at + D] = sumBias;
  }
}
