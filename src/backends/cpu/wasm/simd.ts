/**
 * SIMD instructions (128 bits, with the relaxed ones) under their WebAssembly names:
 * `f32x4.add(a, b)`, `v128.load(address, 16)`, `f32x4.relaxed_madd(a, b, sum)`.
 */
import { type Code, float32Bytes, float64Bytes, int32Bytes, int64Bytes } from "./code.js";
import {
  binary,
  extractLane,
  load,
  loadLane,
  type Opcode,
  opcodeBytes,
  replaceLane,
  shift,
  store,
  storeLane,
  ternary,
  unary,
} from "./shapes.js";

/** The opcode `code` behind the SIMD prefix. */
const v = (code: number): Opcode => [0xfd, code];

export const v128 = {
  ...load("v128", 16, { load: v(0) }),
  ...load("v128", 8, { load8x8_s: v(1), load8x8_u: v(2), load16x4_s: v(3), load16x4_u: v(4) }),
  ...load("v128", 8, { load32x2_s: v(5), load32x2_u: v(6) }),
  ...load("v128", 1, { load8_splat: v(7) }),
  ...load("v128", 2, { load16_splat: v(8) }),
  ...load("v128", 4, { load32_splat: v(9), load32_zero: v(92) }),
  ...load("v128", 8, { load64_splat: v(10), load64_zero: v(93) }),
  ...store("v128", 16, { store: v(11) }),
  ...loadLane(1, { load8_lane: v(84) }),
  ...loadLane(2, { load16_lane: v(85) }),
  ...loadLane(4, { load32_lane: v(86) }),
  ...loadLane(8, { load64_lane: v(87) }),
  ...storeLane(1, { store8_lane: v(88) }),
  ...storeLane(2, { store16_lane: v(89) }),
  ...storeLane(4, { store32_lane: v(90) }),
  ...storeLane(8, { store64_lane: v(91) }),
  ...unary("v128", "v128", { not: v(77) }),
  /** `andnot(a, b)` is a AND NOT b. */
  ...binary("v128", "v128", { and: v(78), andnot: v(79), or: v(80), xor: v(81) }),
  /** `bitselect(a, b, mask)` takes bits of `a` where the mask is one, else of `b`. */
  ...ternary("v128", "v128", { bitselect: v(82) }),
  ...unary("v128", "i32", { any_true: v(83) }),
};

export const i8x16 = {
  const: (...lanes: number[]): Code<"v128"> => vectorConstant(lanes, 16, (lane) => [lane & 255]),
  /** Byte `i` of the result is byte `lanes[i]` of `a` (0 to 15) or of `b` (16 to 31). */
  shuffle: (a: Code<"v128">, b: Code<"v128">, lanes: readonly number[]): Code<"v128"> => ({
    type: "v128",
    bytes: [a.bytes, b.bytes, opcodeBytes(v(13)), lanes],
  }),
  ...binary("v128", "v128", { swizzle: v(14), relaxed_swizzle: v(0x100) }),
  ...unary("i32", "v128", { splat: v(15) }),
  ...extractLane("i32", { extract_lane_s: v(21), extract_lane_u: v(22) }),
  ...replaceLane("i32", { replace_lane: v(23) }),
  ...binary("v128", "v128", { eq: v(35), ne: v(36), lt_s: v(37), lt_u: v(38), gt_s: v(39), gt_u: v(40) }),
  ...binary("v128", "v128", { le_s: v(41), le_u: v(42), ge_s: v(43), ge_u: v(44) }),
  ...unary("v128", "v128", { abs: v(96), neg: v(97), popcnt: v(98) }),
  ...unary("v128", "i32", { all_true: v(99), bitmask: v(100) }),
  ...binary("v128", "v128", { narrow_i16x8_s: v(101), narrow_i16x8_u: v(102) }),
  ...shift({ shl: v(107), shr_s: v(108), shr_u: v(109) }),
  ...binary("v128", "v128", { add: v(110), add_sat_s: v(111), add_sat_u: v(112) }),
  ...binary("v128", "v128", { sub: v(113), sub_sat_s: v(114), sub_sat_u: v(115) }),
  ...binary("v128", "v128", { min_s: v(118), min_u: v(119), max_s: v(120), max_u: v(121), avgr_u: v(123) }),
};

export const i16x8 = {
  const: (...lanes: number[]): Code<"v128"> =>
    vectorConstant(lanes, 8, (lane) => [lane & 255, (lane >>> 8) & 255]),
  ...unary("i32", "v128", { splat: v(16) }),
  ...extractLane("i32", { extract_lane_s: v(24), extract_lane_u: v(25) }),
  ...replaceLane("i32", { replace_lane: v(26) }),
  ...binary("v128", "v128", { eq: v(45), ne: v(46), lt_s: v(47), lt_u: v(48), gt_s: v(49), gt_u: v(50) }),
  ...binary("v128", "v128", { le_s: v(51), le_u: v(52), ge_s: v(53), ge_u: v(54) }),
  ...unary("v128", "v128", { extadd_pairwise_i8x16_s: v(124), extadd_pairwise_i8x16_u: v(125) }),
  ...unary("v128", "v128", { abs: v(128), neg: v(129) }),
  ...unary("v128", "i32", { all_true: v(131), bitmask: v(132) }),
  ...binary("v128", "v128", { q15mulr_sat_s: v(130), narrow_i32x4_s: v(133), narrow_i32x4_u: v(134) }),
  ...unary("v128", "v128", { extend_low_i8x16_s: v(135), extend_high_i8x16_s: v(136) }),
  ...unary("v128", "v128", { extend_low_i8x16_u: v(137), extend_high_i8x16_u: v(138) }),
  ...shift({ shl: v(139), shr_s: v(140), shr_u: v(141) }),
  ...binary("v128", "v128", { add: v(142), add_sat_s: v(143), add_sat_u: v(144) }),
  ...binary("v128", "v128", { sub: v(145), sub_sat_s: v(146), sub_sat_u: v(147), mul: v(149) }),
  ...binary("v128", "v128", { min_s: v(150), min_u: v(151), max_s: v(152), max_u: v(153), avgr_u: v(155) }),
  ...binary("v128", "v128", { extmul_low_i8x16_s: v(156), extmul_high_i8x16_s: v(157) }),
  ...binary("v128", "v128", { extmul_low_i8x16_u: v(158), extmul_high_i8x16_u: v(159) }),
};

export const i32x4 = {
  /** Four lanes, or one for all. */
  const: (...lanes: number[]): Code<"v128"> => vectorConstant(lanes, 4, int32Bytes),
  ...unary("i32", "v128", { splat: v(17) }),
  ...extractLane("i32", { extract_lane: v(27) }),
  ...replaceLane("i32", { replace_lane: v(28) }),
  ...binary("v128", "v128", { eq: v(55), ne: v(56), lt_s: v(57), lt_u: v(58), gt_s: v(59), gt_u: v(60) }),
  ...binary("v128", "v128", { le_s: v(61), le_u: v(62), ge_s: v(63), ge_u: v(64) }),
  ...unary("v128", "v128", { extadd_pairwise_i16x8_s: v(126), extadd_pairwise_i16x8_u: v(127) }),
  ...unary("v128", "v128", { abs: v(160), neg: v(161) }),
  ...unary("v128", "i32", { all_true: v(163), bitmask: v(164) }),
  ...unary("v128", "v128", { extend_low_i16x8_s: v(167), extend_high_i16x8_s: v(168) }),
  ...unary("v128", "v128", { extend_low_i16x8_u: v(169), extend_high_i16x8_u: v(170) }),
  ...shift({ shl: v(171), shr_s: v(172), shr_u: v(173) }),
  ...binary("v128", "v128", { add: v(174), sub: v(177), mul: v(181), dot_i16x8_s: v(186) }),
  ...binary("v128", "v128", { min_s: v(182), min_u: v(183), max_s: v(184), max_u: v(185) }),
  ...binary("v128", "v128", { extmul_low_i16x8_s: v(188), extmul_high_i16x8_s: v(189) }),
  ...binary("v128", "v128", { extmul_low_i16x8_u: v(190), extmul_high_i16x8_u: v(191) }),
  ...unary("v128", "v128", { trunc_sat_f32x4_s: v(248), trunc_sat_f32x4_u: v(249) }),
  ...unary("v128", "v128", { trunc_sat_f64x2_s_zero: v(252), trunc_sat_f64x2_u_zero: v(253) }),
  ...unary("v128", "v128", { relaxed_trunc_f32x4_s: v(0x101), relaxed_trunc_f32x4_u: v(0x102) }),
  ...ternary("v128", "v128", { relaxed_laneselect: v(0x10b) }),
};

export const i64x2 = {
  /** Two lanes, or one for both. */
  const: (...lanes: (number | bigint)[]): Code<"v128"> => vectorConstant(lanes, 2, int64Bytes),
  ...unary("i64", "v128", { splat: v(18) }),
  ...extractLane("i64", { extract_lane: v(29) }),
  ...replaceLane("i64", { replace_lane: v(30) }),
  ...unary("v128", "v128", { abs: v(192), neg: v(193) }),
  ...unary("v128", "i32", { all_true: v(195), bitmask: v(196) }),
  ...unary("v128", "v128", { extend_low_i32x4_s: v(199), extend_high_i32x4_s: v(200) }),
  ...unary("v128", "v128", { extend_low_i32x4_u: v(201), extend_high_i32x4_u: v(202) }),
  ...shift({ shl: v(203), shr_s: v(204), shr_u: v(205) }),
  ...binary("v128", "v128", { add: v(206), sub: v(209), mul: v(213), eq: v(214), ne: v(215) }),
  ...binary("v128", "v128", { lt_s: v(216), gt_s: v(217), le_s: v(218), ge_s: v(219) }),
  ...binary("v128", "v128", { extmul_low_i32x4_s: v(220), extmul_high_i32x4_s: v(221) }),
  ...binary("v128", "v128", { extmul_low_i32x4_u: v(222), extmul_high_i32x4_u: v(223) }),
};

export const f32x4 = {
  /** Four lanes, or one for all. */
  const: (...lanes: number[]): Code<"v128"> => vectorConstant(lanes, 4, float32Bytes),
  ...unary("f32", "v128", { splat: v(19) }),
  ...extractLane("f32", { extract_lane: v(31) }),
  ...replaceLane("f32", { replace_lane: v(32) }),
  ...binary("v128", "v128", { eq: v(65), ne: v(66), lt: v(67), gt: v(68), le: v(69), ge: v(70) }),
  ...unary("v128", "v128", { demote_f64x2_zero: v(94), ceil: v(103), floor: v(104), trunc: v(105) }),
  ...unary("v128", "v128", { nearest: v(106), abs: v(224), neg: v(225), sqrt: v(227) }),
  ...binary("v128", "v128", { add: v(228), sub: v(229), mul: v(230), div: v(231) }),
  /** `pmin(a, b)` is b < a ? b : a, `pmax(a, b)` is a < b ? b : a: one machine instruction each. */
  ...binary("v128", "v128", { min: v(232), max: v(233), pmin: v(234), pmax: v(235) }),
  ...unary("v128", "v128", { convert_i32x4_s: v(250), convert_i32x4_u: v(251) }),
  /** `relaxed_madd(a, b, c)` is a*b + c, `relaxed_nmadd(a, b, c)` is -(a*b) + c; rounded once or twice. */
  ...ternary("v128", "v128", { relaxed_madd: v(0x105), relaxed_nmadd: v(0x106) }),
  ...binary("v128", "v128", { relaxed_min: v(0x10d), relaxed_max: v(0x10e) }),
};

export const f64x2 = {
  /** Two lanes, or one for both. */
  const: (...lanes: number[]): Code<"v128"> => vectorConstant(lanes, 2, float64Bytes),
  ...unary("f64", "v128", { splat: v(20) }),
  ...extractLane("f64", { extract_lane: v(33) }),
  ...replaceLane("f64", { replace_lane: v(34) }),
  ...binary("v128", "v128", { eq: v(71), ne: v(72), lt: v(73), gt: v(74), le: v(75), ge: v(76) }),
  ...unary("v128", "v128", { promote_low_f32x4: v(95), ceil: v(116), floor: v(117), trunc: v(122) }),
  ...unary("v128", "v128", { nearest: v(148), abs: v(236), neg: v(237), sqrt: v(239) }),
  ...binary("v128", "v128", { add: v(240), sub: v(241), mul: v(242), div: v(243) }),
  ...binary("v128", "v128", { min: v(244), max: v(245), pmin: v(246), pmax: v(247) }),
  ...unary("v128", "v128", { convert_low_i32x4_s: v(254), convert_low_i32x4_u: v(255) }),
  ...ternary("v128", "v128", { relaxed_madd: v(0x107), relaxed_nmadd: v(0x108) }),
  ...binary("v128", "v128", { relaxed_min: v(0x10f), relaxed_max: v(0x110) }),
};

/** The four float32 (or int32) lanes of `a` and `b` numbered 0 to 3 and 4 to 7, in the order given. */
export function shuffle32(
  a: Code<"v128">,
  b: Code<"v128">,
  lanes: readonly [number, number, number, number],
): Code<"v128"> {
  return i8x16.shuffle(
    a,
    b,
    lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]),
  );
}

/** The two float64 lanes of `a` and `b` numbered 0, 1 and 2, 3, in the order given. */
export function shuffle64(a: Code<"v128">, b: Code<"v128">, lanes: readonly [number, number]): Code<"v128"> {
  return i8x16.shuffle(
    a,
    b,
    lanes.flatMap((lane) => Array.from({ length: 8 }, (_, i) => 8 * lane + i)),
  );
}

/** Zero in every lane. */
export const zeroVector = (): Code<"v128"> => i32x4.const(0);

function vectorConstant<L extends number | bigint>(
  lanes: readonly L[],
  count: number,
  encode: (lane: L) => number[],
): Code<"v128"> {
  const all = lanes.length === 1 ? Array.from({ length: count }, () => lanes[0]) : lanes;
  return { type: "v128", bytes: [opcodeBytes(v(12)), all.map(encode)] };
}
