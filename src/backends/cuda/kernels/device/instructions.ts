/**
 * What CUDA C has no words for, as PTX: copies from memory to shared memory that go on while the thread does, and products
 * by tensor cores, both from compute capability 8.0 on. NVIDIA, PTX ISA, "cp.async", "cvt", "mma".
 */
export const instructions = `
#if __CUDA_ARCH__ >= 800
// 4, 8 or 16 bytes, aligned to as many; zeros unless they exist, and nothing is read then.
template <int BYTES> __device__ __forceinline__ void copyAsync(void* to, const void* from, bool exists) {
  const unsigned target = (unsigned)__cvta_generic_to_shared(to);
  const unsigned long long source = __cvta_generic_to_global(from);
  const int size = exists ? BYTES : 0;
  if constexpr (BYTES == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(source), "r"(size) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(target), "l"(source), "n"(BYTES), "r"(size)
                 : "memory");
}

// The thread's copies since the last end are a group, none of them too.
__device__ __forceinline__ void endCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Until all of the thread's groups are there but the newest so many.
template <int NEWEST> __device__ __forceinline__ void waitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(NEWEST) : "memory");
}

// Two numbers rounded to bfloat16, to the nearest, ties to even; the first in the lower half.
__device__ __forceinline__ unsigned bfloat16Pair(float first, float second) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
  return pair;
}

// Rounded to 10 bits of significand, to the nearest.
__device__ __forceinline__ unsigned tf32Of(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

// sums (16, 8) += a (16, 16) b (16, 8) of bfloat16, by the 32 threads of a warp.
__device__ __forceinline__ void multiplyBfloat16(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// sums (16, 8) += a (16, 8) b (8, 8) of TF32, by the 32 threads of a warp.
__device__ __forceinline__ void multiplyTf32(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
`;
