/** Device functions of reductions: combining two values, and the values of threads that work on one result. */
export const folds = `
struct Sum {
  template <typename T> static __device__ __forceinline__ T of(T a, T b) { return a + b; }
  static __device__ __forceinline__ int of(int a, int b) { return wrappedSum(a, b); }
};
struct Greatest {
  template <typename T> static __device__ __forceinline__ T of(T a, T b) { return greater(a, b); }
};
struct Least {
  template <typename T> static __device__ __forceinline__ T of(T a, T b) { return lesser(a, b); }
};

// Over WIDTH neighbouring threads of a warp, a power of two; all of them get the result.
template <typename Combine, int WIDTH, typename T> __device__ __forceinline__ T foldNeighbours(T value) {
  #pragma unroll
  for (int distance = WIDTH / 2; distance > 0; distance /= 2)
    value = Combine::of(value, __shfl_xor_sync(0xffffffffu, value, distance));
  return value;
}

// Over all THREADS of the block, which all get the result.
template <typename Combine, int THREADS, typename T> __device__ __forceinline__ T foldBlock(T value) {
  T* const parts = reinterpret_cast<T*>(shared);
  value = foldNeighbours<Combine, 32>(value);
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  T result = parts[0];
  #pragma unroll
  for (int warp = 1; warp < THREADS / 32; warp++) result = Combine::of(result, parts[warp]);
  return result;
}

// Over DEPTH threads, a power of two, that are COLUMNS apart; all of them get the result.
template <typename Combine, int COLUMNS, int DEPTH, typename T> __device__ __forceinline__ T foldColumns(T value) {
  T* const parts = reinterpret_cast<T*>(shared);
  __syncthreads();
  parts[threadIdx.x] = value;
  __syncthreads();
  #pragma unroll
  for (int depth = DEPTH / 2; depth > 0; depth /= 2) {
    if (threadIdx.x < depth * COLUMNS)
      parts[threadIdx.x] = Combine::of(parts[threadIdx.x], parts[threadIdx.x + depth * COLUMNS]);
    __syncthreads();
  }
  return parts[threadIdx.x % COLUMNS];
}
`;
