/**
 * What NVIDIA's data sheets say of GPUs for data centres (SXM modules): for forecasts, where there is none to measure.
 * Rates of dense matrices.
 */

export interface Gpu {
  readonly name: string;
  /** Compute capability. */
  readonly capability: readonly [major: number, minor: number];
  readonly memoryGB: number;
  /** Of its memory, in 10^9 bytes a second. */
  readonly bandwidthGBs: number;
  /** In 10^12 operations a second: of ordinary cores, and of tensor cores, which older ones do not have. */
  readonly tflops: {
    readonly float32: number;
    readonly float64: number;
    readonly tf32?: number;
    readonly bfloat16?: number;
  };
}

export const gpus: readonly Gpu[] = [
  {
    name: "V100",
    capability: [7, 0],
    memoryGB: 32,
    bandwidthGBs: 900,
    tflops: { float32: 15.7, float64: 7.8 },
  },
  {
    name: "A100",
    capability: [8, 0],
    memoryGB: 80,
    bandwidthGBs: 2039,
    tflops: { float32: 19.5, float64: 9.7, tf32: 156, bfloat16: 312 },
  },
  {
    name: "H100",
    capability: [9, 0],
    memoryGB: 80,
    bandwidthGBs: 3350,
    tflops: { float32: 67, float64: 34, tf32: 494, bfloat16: 989 },
  },
  {
    name: "H200",
    capability: [9, 0],
    memoryGB: 141,
    bandwidthGBs: 4800,
    tflops: { float32: 67, float64: 34, tf32: 494, bfloat16: 989 },
  },
  {
    name: "B200",
    capability: [10, 0],
    memoryGB: 180,
    bandwidthGBs: 8000,
    tflops: { float32: 75, float64: 37, tf32: 1100, bfloat16: 2250 },
  },
];

/** Seconds of a node of a CUDA graph that does next to nothing: about what is reported of recent ones. */
export const nodeS = 1.5e-6;
