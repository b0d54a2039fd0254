/**
 * Device functions of matrix products: tiles of both operands in shared memory, a small block of the result in each
 * thread's registers. Operands are functions of (free index, depth), so that the patches of a convolution are a matrix too.
 */
export const products = `
// What is rounded to bfloat16 before it is multiplied: nearest, ties to even; NaN stays NaN.
__device__ __forceinline__ float bfloat16Of(float x) {
  const unsigned bits = __float_as_uint(x);
  return x == x ? __uint_as_float((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u) : x;
}
__device__ __forceinline__ double bfloat16Of(double x) { return x; }

// A matrix in memory by the strides of its two indices.
template <typename T, bool DEPTH_FIRST> struct MatrixOperand {
  // Neighbouring threads read neighbouring depths rather than neighbouring free indices.
  static constexpr bool depthFirst = DEPTH_FIRST;
  const T* base;
  int extent;
  long long freeStride, depthStride;
  __device__ __forceinline__ T operator()(int free, int depth) const {
    return free < extent ? base[free * freeStride + depth * depthStride] : T(0);
  }
};

template <typename T> struct MatrixResult {
  T* base;
  int rows, columns;
  long long rowStride;
  bool accumulates;
  __device__ __forceinline__ void operator()(int row, int column, T value) const {
    if (row >= rows || column >= columns) return;
    T* const at = base + row * rowStride + column;
    *at = accumulates ? *at + value : value;
  }
};

// Rows ROWS and columns COLUMNS of a product from (row, column) on, over depths from \`start\` to \`end\`.
template <typename T, int ROWS, int COLUMNS, int DEPTH, bool ROUNDED, typename Left, typename Right, typename Result>
__device__ __forceinline__ void multiplyTile(const Left& left, const Right& right, const Result& result, int row,
                                             int column, int start, int end) {
  // One more in each line: neighbouring depths lie in different banks.
  constexpr int leftLine = ROWS + 1, rightLine = COLUMNS + 1;
  constexpr int perRow = ROWS / 16, perColumn = COLUMNS / 16;
  T* const a = reinterpret_cast<T*>(shared);
  T* const b = a + DEPTH * leftLine;
  const int down = threadIdx.x / 16, across = threadIdx.x % 16;
  T sums[perRow][perColumn];
  #pragma unroll
  for (int i = 0; i < perRow; i++)
    #pragma unroll
    for (int j = 0; j < perColumn; j++) sums[i][j] = T(0);
  for (int first = start; first < end; first += DEPTH) {
    #pragma unroll
    for (int e = threadIdx.x; e < ROWS * DEPTH; e += 256) {
      const int free = Left::depthFirst ? e / DEPTH : e % ROWS;
      const int depth = Left::depthFirst ? e % DEPTH : e / ROWS;
      const T value = first + depth < end ? left(row + free, first + depth) : T(0);
      a[depth * leftLine + free] = ROUNDED ? bfloat16Of(value) : value;
    }
    #pragma unroll
    for (int e = threadIdx.x; e < COLUMNS * DEPTH; e += 256) {
      const int free = Right::depthFirst ? e / DEPTH : e % COLUMNS;
      const int depth = Right::depthFirst ? e % DEPTH : e / COLUMNS;
      const T value = first + depth < end ? right(column + free, first + depth) : T(0);
      b[depth * rightLine + free] = ROUNDED ? bfloat16Of(value) : value;
    }
    __syncthreads();
    #pragma unroll
    for (int depth = 0; depth < DEPTH; depth++) {
      T x[perRow], y[perColumn];
      #pragma unroll
      for (int i = 0; i < perRow; i++) x[i] = a[depth * leftLine + down + 16 * i];
      #pragma unroll
      for (int j = 0; j < perColumn; j++) y[j] = b[depth * rightLine + across + 16 * j];
      #pragma unroll
      for (int i = 0; i < perRow; i++)
        #pragma unroll
        for (int j = 0; j < perColumn; j++) sums[i][j] += x[i] * y[j];
    }
    __syncthreads();
  }
  #pragma unroll
  for (int i = 0; i < perRow; i++)
    #pragma unroll
    for (int j = 0; j < perColumn; j++) result(row + down + 16 * i, column + across + 16 * j, sums[i][j]);
}
`;
